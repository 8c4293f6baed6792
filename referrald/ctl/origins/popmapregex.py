"""perdition's popmap.re: regular expressions, and the server of those whose names match.

perdition puts what stands before a match in front of the result, so that only names count that
begin with a match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from referrald.backends.homespec import Spec
from referrald.backends.servers import Wrong
from referrald.ctl.origins.found import Found, Rule, Wishes, text_of
from referrald.ctl.origins.popmap import place, tell_of_names
from referrald.ctl.origins.regex import NOT_AT, globs_of
from referrald.model import Home

_GROUP = r"\((?:\.|\[\^@\])[*+]\)"
_WHOLE = re.compile(rf"\^?{_GROUP}\$?")
_PARTS = re.compile(rf"\^?{_GROUP}@(?:(?P<domain>{_GROUP})|[^()|]*)\$?")
_REFERENCE = re.compile(r"\$([1-9])")
_TOO_MANY_AT = 'names with two "@" in them may come to another server or name here'


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Read the file; the first expression that matches counts, as here."""
    found = Found(path=path)
    ignored = 0
    try:
        text = text_of(data.replace(b"\0", b""))
    except Wrong as error:
        found.wrong(0, "file", error)
        return found
    for number, words in entries(text):
        ignored += _entry(found, number, words, wishes)
    if ignored:
        tell_of_names(found, ignored)
    if found.rules:
        found.note(
            0, "case", "perdition tells upper case from lower case",
            'say lowercase = false for the table if that matters',
        )  # fmt: skip
    return found


def _entry(found: Found, number: int, words: list[str], wishes: Wishes) -> bool:
    """Take an entry; tells whether a name was passed over."""
    regex = words[0]
    try:
        regex = regex.removesuffix(":")
        if len(words) != 2:
            raise Wrong("is not an expression and a server", "REGEX: [user@]host[:port]")
        globs = globs_of(regex)
        server, name = place(words[1], wishes)
        if "$" in server.host:
            raise Wrong("puts a part of the name into the server", "write a line for each server")
        kept = name if wishes.names_there else None
        spec = Spec(home=Home(servers=(server,)))
        if kept is not None:
            _check_anchor(regex)
            spec = Spec(home=spec.home, user=_template(regex, kept), is_template=True)
    except Wrong as error:
        found.wrong(number, regex, error)
        return False
    if NOT_AT in regex or (spec.user or "").count("%n"):
        found.note(number, regex, _TOO_MANY_AT)
    if not regex.startswith(("^", ".", "(")):
        found.note(number, regex, "counts only for names that begin so, as with perdition")
    found.rules.append(Rule(globs=globs, spec=spec))
    return name is not None and kept is None


def _check_anchor(regex: str) -> None:
    if not regex.startswith(("^", ".*", "(.*)", "(.+)", "([^@]")) or "|" in regex:
        raise Wrong("puts what stands before the match in front of the name", "begin with ^")


def _template(regex: str, name: str) -> str:
    """Write ``$1`` as the variable that it stands for; raises `Wrong`."""
    values: dict[str, str] = {}
    if match := _PARTS.fullmatch(regex):
        values = {"1": "%n"} | ({"2": "%d"} if match["domain"] else {})
    elif _WHOLE.fullmatch(regex):
        values = {"1": "%u"}

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Wrong(f"puts the group ${match[1]} into the name", "%n, %d or %u cannot say that")
        return values[match[1]]

    return _REFERENCE.sub(value, name.replace("%", "%%"))


def entries(text: str) -> Iterator[tuple[int, list[str]]]:
    """Split a file of perdition's into lines of words, with the numbers of the lines.

    A backslash makes the next character an ordinary one, and joins lines; quotes keep words
    together, single ones keep backslashes as well; ``#`` begins a comment.
    """
    number = 1
    for line, joined in _lines(text):
        words = list(_words(line))
        if words:
            yield number, words
        number += 1 + joined


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Join lines; gives each with the number of those that were joined to it."""
    held, joined = "", 0
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if (len(line) - len(line.rstrip("\\"))) % 2:
            held += line[:-1]
            joined += 1
            continue
        yield held + line, joined
        held, joined = "", 0
    if held:
        yield held, joined


_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\f\v]+)
    | (?P<comment>\#.*)
    | '(?P<single>[^']*)'?
    | "(?P<double>(?:\\.|[^"\\])*)"?
    | \\(?P<escaped>.)
    | (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def _words(line: str) -> Iterator[str]:
    word: str | None = None
    for match in _TOKEN.finditer(line):
        kind, text = match.lastgroup, match[match.lastgroup or 0]
        if kind in ("space", "comment"):
            if word is not None:
                yield word
            word = None
            continue
        if kind == "double":
            text = re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
        word = (word or "") + text
    if word is not None:
        yield word
