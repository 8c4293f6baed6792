"""Every IMAP URL that can exist."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st

from referrald.imapurl import ImapUrl

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NZ_NUMBERS = st.integers(1, 2**32 - 1)
LABELS = st.text(LETTERS + "0123456789_", min_size=1, max_size=12)
TEXTS = st.one_of(
    st.text(
        st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]),
        min_size=1,
        max_size=20,
    ),
    st.text("./;?#%&=:@[]\"' \\\x7fü", min_size=1, max_size=20),
)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
FOREIGN = st.sampled_from(
    ["bücher.example", "日本語.example", "Ünïted.example.", "παράδειγμα.example"]
)
HOSTS = st.one_of(
    NAMES,
    FOREIGN,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(ipaddress.IPv6Address).map(str),
)
MECHANISMS = st.one_of(
    st.just("*"), st.text(LETTERS + LETTERS.upper() + "0123456789-_", min_size=1, max_size=20)
)
SECTIONS = st.sampled_from(
    [
        "1.2",
        "1.2.MIME",
        "TEXT",
        "4.header",
        "HEADER.FIELDS (From To)",
        '1.HEADER.FIELDS.NOT ("X/../Y" "[a]\\"")',
    ]
)
SEARCHES = st.one_of(
    TEXTS,
    st.tuples(TEXTS.filter(lambda text: not set(text) & set('"{')), TEXTS).map(
        lambda pair: f"{pair[0]} {{{len(pair[1].encode())}+}}\r\n{pair[1]}"
    ),
)
ACCESS = st.one_of(
    st.sampled_from(["anonymous", "authuser"]),
    st.tuples(st.sampled_from(["user+", "submit+"]), TEXTS).map("".join),
)
URLAUTHS = st.tuples(
    st.sampled_from(["INTERNAL", "internal", "x-my.own"]),
    st.text("0123456789abcdefABCDEF", min_size=32, max_size=40),
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give None as well."""
    return st.none() | strategy


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw parts that go together."""
    found: dict[str, Any] = {
        "host": draw(HOSTS),
        "port": draw(maybe(st.integers(1, 65535))),
        "user": draw(maybe(TEXTS)),
        "auth": draw(maybe(MECHANISMS)),
    }
    form = draw(st.sampled_from(["server", "list", "search", "message"]))
    if form == "server":
        return found
    found |= {"mailbox": draw(TEXTS), "uidvalidity": draw(maybe(NZ_NUMBERS))}
    if form == "search":
        found |= {"search": draw(SEARCHES)}
    if form == "message":
        found |= draw(messages())
    return found


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what may stand behind a mailbox."""
    found: dict[str, Any] = {
        "uid": draw(NZ_NUMBERS),
        "section": draw(maybe(SECTIONS)),
        "partial": draw(
            maybe(st.tuples(st.integers(0, 2**63 - 1), maybe(st.integers(1, 2**63 - 1))))
        ),
        "access": draw(maybe(ACCESS)),
    }
    if found["access"] is not None:
        found["urlauth"] = draw(maybe(URLAUTHS))
        found["expire"] = draw(
            maybe(st.sampled_from(["2030-02-28T23:59:60Z", "1999-12-31t00:00:00.25+05:30"]))
        )
    return found


URLS = parts().map(lambda found: ImapUrl(**found))
