"""A client that is logged in, with messages in its mailbox."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from tests.mime.mail import NESTED, SIMPLE
from tests.session.boxes import MemoryMailbox
from tests.session.memory import AccountRealm, MemoryAccount
from tests.session.responses import fetched, lines
from tests.session.support import Client, House

DATE = b'"17-Jul-1996 02:44:25 -0700"'


class Store:
    """Gives everyone the same account."""

    def __init__(self, account: Any) -> None:
        self.held = account

    def account(self, user: str) -> Any:
        return self.held


class Home:
    """A house where bob lives, and his mailbox at hand."""

    def __init__(self, *contents: bytes, account: Any = None, **changes: Any) -> None:
        self.account = account or filled(*contents)
        self.house = House(realm=AccountRealm(Store(self.account)), **changes)

    @property
    def inbox(self) -> MemoryMailbox:
        box: MemoryMailbox = self.account.mailboxes["INBOX"]
        return box

    def log_in(self, select: bytes = b"SELECT INBOX") -> Client:
        """Connect, log in, and select if wanted."""
        client = self.house.connect()
        client.say(b"a LOGIN bob secret\r\n")
        if select:
            answer = client.say(b"a " + select + b"\r\n")
            assert b"a OK" in answer, answer
        return client


def filled(*contents: bytes) -> MemoryAccount:
    """Make an account with these messages, or two well-known ones, in its INBOX."""
    account = MemoryAccount("bob", clock=lambda: 1000.0)
    inbox = account.mailboxes["INBOX"]
    for message in inbox.messages:
        message.flags.add("\\Deleted")
    inbox.expunge()
    inbox.uid_next = 1
    for content in contents or (SIMPLE, NESTED):
        inbox.addMessage(BytesIO(content), (), "17-Jul-1996 02:44:25 -0700")
    return account


def say(client: Client, command: bytes) -> tuple[bytes, list[Any]]:
    """Give the tagged answer, without tag, and the parsed untagged ones."""
    found = lines(client.say(b"x " + command + b"\r\n"))
    tagged = found.pop()
    assert tagged.startswith(b"x "), tagged
    return tagged[2:], found


def fetch(client: Client, what: bytes) -> dict[int, dict[bytes, Any]]:
    """Fetch and give the items by message number; the answer must be OK."""
    answer = client.say(b"x FETCH " + what + b"\r\n")
    assert b"\r\nx OK " in answer or answer.startswith(b"x OK "), answer
    return fetched(answer)
