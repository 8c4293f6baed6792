"""What is measured of a large mailbox: commands, how often, and what they may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from benchmarks.storeclient import Client
from benchmarks.storemail import RARE

INDEX, ELSEWHERE = 1.5, 3.0
"""Times Dovecot's CPU that are allowed: where the index answers, and elsewhere."""

MAILBOXES, NAMES = 500, 5000
USERS: Final = ["big", "many", "lots"]
"""Who has the large mailbox, 500 mailboxes, 5,000 of them."""


@attrs.frozen(kw_only=True)
class Operation:
    """One figure. work: done in a session on the large mailbox (or as that user), so often.

    limit: times Dovecot's CPU that it may take. after: puts things back, and is not measured.
    """

    name: str
    work: Callable[[Client, int], object]
    limit: float
    times: int = 1
    user: str = "big"
    after: Callable[[Client], object] = lambda client: None


def _fetch(items: str) -> Callable[[Client, int], object]:
    def work(client: Client, number: int) -> None:
        first = number * 1000 % max(1, client.exists - 1000) + 1
        client.say(f"FETCH {first}:{first + 999} ({items})")

    return work


def _store(client: Client, number: int) -> None:
    sign = "+-"[number % 2]
    client.say(f"STORE 1:{min(10_000, client.exists)} {sign}FLAGS.SILENT (\\Flagged)")


def _append(client: Client, number: int) -> None:
    client.append("Appended", b"Subject: appended\r\n\r\n" + b"x" * 2000 + b"\r\n")


def _move(client: Client, number: int) -> None:
    last = client.exists
    client.say(f"MOVE {max(1, last - 999)}:{last} Target")


def _move_back(client: Client) -> None:
    client.select("Target")
    client.say("MOVE 1:* INBOX")
    client.select("INBOX")


def _status(client: Client, number: int) -> None:
    for mailbox in range(MAILBOXES):
        client.say(f"STATUS box{mailbox} (MESSAGES UNSEEN UIDNEXT)")


def _say(command: str) -> Callable[[Client, int], object]:
    return lambda client, number: client.say(command)


OPERATIONS: Final = (
    Operation(name="SELECT", work=lambda c, n: c.select("INBOX"), limit=INDEX, times=50),
    Operation(name="FETCH 1:* (UID FLAGS)", work=_say("FETCH 1:* (UID FLAGS)"), limit=INDEX,
              times=5),
    Operation(name="1,000 ENVELOPE", work=_fetch("ENVELOPE"), limit=INDEX, times=20),
    Operation(name="1,000 BODYSTRUCTURE", work=_fetch("BODYSTRUCTURE"), limit=INDEX, times=20),
    Operation(name="STORE 10,000", work=_store, limit=ELSEWHERE, times=2),
    Operation(name="SEARCH flag", work=_say("SEARCH UNSEEN"), limit=INDEX, times=20),
    Operation(name="SEARCH subject", work=_say(f"SEARCH SUBJECT {RARE}"), limit=INDEX, times=2),
    Operation(name="SEARCH body (a tenth)",
              work=lambda c, n: c.say(f"SEARCH 1:{c.exists // 10} BODY {RARE}"),
              limit=ELSEWHERE),
    Operation(name="APPEND", work=_append, limit=ELSEWHERE, times=100),
    Operation(name="MOVE 1,000", work=_move, limit=ELSEWHERE, after=_move_back),
    Operation(name="STATUS of 500", work=_status, limit=INDEX, user="many", times=2),
    Operation(name="LIST of 5,000", work=_say('LIST "" "*"'), limit=INDEX, user="lots", times=5),
)  # fmt: skip

FIRST: Final = (
    Operation(name="first SELECT", work=lambda c, n: c.select("INBOX"), limit=ELSEWHERE),
    Operation(name="first SEARCH subject", work=_say(f"SEARCH SUBJECT {RARE}"), limit=ELSEWHERE),
    Operation(name="first ENVELOPE, all", work=_say("FETCH 1:* ENVELOPE"), limit=ELSEWHERE),
)
"""What is done while there is no index, one after the other in one session."""
