"""Several sessions at once on one mailbox, and a model that predicts what each of them is told.

The model is told by nobody but those who change something; each session builds its own view of the
mailbox out of the untagged responses that it gets, and the two are compared whenever it has been
told all.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Callable

import attrs

from tests.interop.support import PATIENCE

FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work", "$Other")
FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)$", re.S)
UID = re.compile(rb"UID (\d+)")
SET = re.compile(rb"FLAGS \(([^)]*)\)")


@attrs.define
class Message:
    """What the model knows of a message."""

    content: bytes
    flags: set[str] = attrs.field(factory=set)


class Model:
    """The mailbox as it has to be."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.highest = 0
        self.moved = 0

    def add(self, uid: int, message: Message) -> None:
        """Take a new message, whose UID nobody has had before."""
        assert uid > self.highest, f"UID {uid} after {self.highest}"
        self.highest = uid
        self.messages[uid] = message


class Session:
    """A connection, and the mailbox as it has been told. view: UIDs by number, None: not known."""

    def __init__(self, port: int, user: str, password: str, mailbox: str = "INBOX") -> None:
        self.mailbox = mailbox
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._read = b""
        self._number = 0
        self.view: list[int | None] = []
        self.flags: dict[int, set[str]] = {}
        self.recent: set[int] = set()
        self.told_recent = 0
        self.expunged = False
        self._line()
        self.ask(f"LOGIN {user} {password}")
        self.ask(f"SELECT {mailbox}")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _line(self) -> bytes:
        """Read a response, literals and all, without its end."""
        line = b""
        while True:
            while b"\n" not in self._read:
                self._more()
            part, _, self._read = self._read.partition(b"\n")
            line += part.removesuffix(b"\r")
            literal = re.search(rb"\{(\d+)\}$", line)
            if literal is None:
                return line
            size = int(literal[1])
            while len(self._read) < size:
                self._more()
            line, self._read = line + b"\r\n" + self._read[:size], self._read[size:]

    def _more(self) -> None:
        data = self._socket.recv(65_536)
        assert data, "the server has hung up"
        self._read += data

    def ask(
        self, command: str, literal: bytes | None = None, *, also: bytes = b"OK"
    ) -> tuple[bytes, list[bytes]]:
        """Do a command; gives the answer, which is OK or ``also``, and what came before it."""
        self._number += 1
        tag = b"s%d " % self._number
        self._socket.sendall(tag + command.encode("ascii") + b"\r\n")
        if literal is not None:
            self.told_until(b"+")
            self._socket.sendall(literal + b"\r\n")
        self.expunged = False
        answer, told = self.told_until(tag)
        assert answer.startswith((tag + b"OK", tag + also)), (command, answer)
        return answer, told

    def told_until(self, start: bytes) -> tuple[bytes, list[bytes]]:
        """Take what comes until a response begins so."""
        told = []
        while not (line := self._line()).startswith(start):
            self._take(line)
            told.append(line)
        return line, told

    def _take(self, line: bytes) -> None:
        number, _, kind = line.removeprefix(b"* ").partition(b" ")
        if kind == b"EXISTS":
            assert int(number) >= len(self.view), "fewer messages without an EXPUNGE"
            self.view += [None] * (int(number) - len(self.view))
        elif kind == b"RECENT":
            self.told_recent = int(number)
        elif kind == b"EXPUNGE":
            self.expunged = True
            del self.view[int(number) - 1]
        elif (match := FETCH.match(line)) is not None:
            self._fetched(int(match[1]), match[2])

    def _fetched(self, number: int, items: bytes) -> None:
        uid = UID.search(items)
        if uid is not None:
            assert self.view[number - 1] in (None, int(uid[1])), (self.view, number, items)
            self.view[number - 1] = int(uid[1])
        known, flags = self.view[number - 1], SET.search(items)
        if known is not None and flags is not None:
            given = set(flags[1].decode("ascii").split())
            assert known not in self.recent or "\\Recent" in given, f"{known} is no longer recent"
            self.recent |= {known} if "\\Recent" in given else set()
            self.flags[known] = given - {"\\Recent"}

    def idle(self) -> None:
        """Begin to wait."""
        self._socket.sendall(b"idle IDLE\r\n")
        self.told_until(b"+")

    def wait_for(self, kind: bytes) -> None:
        """Wait, as a client in IDLE does, for a response of that kind."""
        while True:
            line = self._line()
            self._take(line)
            if line.endswith(kind):
                return

    def done(self) -> None:
        """Wait no longer."""
        self._socket.sendall(b"DONE\r\n")
        self.told_until(b"idle OK")


class Stress:
    """Random work by several sessions, the same each time for one seed."""

    def __init__(self, sessions: list[Session], seed: int) -> None:
        self.sessions = sessions
        self.model = Model()
        self.random = random.Random(seed)
        self.work: list[Callable[[Session], None]] = [
            self.append, self.append, self.store, self.store, self.look, self.read, self.search,
            self.expunge, self.move, self.numbers, self.wait,
        ]  # fmt: skip

    def run(self, steps: int) -> None:
        """Do so many things, and look in every session at the end."""
        for _ in range(steps):
            self.random.choice(self.work)(self.random.choice(self.sessions))
        for session in self.sessions:
            self.look(session)
        self.recents()

    def recents(self) -> None:
        """See that one session, and no other, was the first to hear of each message."""
        told = sorted(uid for session in self.sessions for uid in session.recent)
        assert len(told) == len(set(told)), told
        assert set(self.model.messages) <= set(told), (told, self.model.messages)

    def _some(self, session: Session) -> int | None:
        there = [uid for uid in session.view if uid in self.model.messages]
        return self.random.choice(there) if there else None

    def append(self, session: Session) -> None:
        """Add a message; its UID is told."""
        content = b"Subject: %d\r\n\r\n" % self.random.randrange(10**9)
        content += b"x" * self.random.randrange(3000) + b"\r\n"
        flags = set(self.random.sample(FLAGS, self.random.randrange(3)))
        command = f"APPEND {session.mailbox} ({' '.join(sorted(flags))}) {{{len(content)}}}"
        answer, _told = session.ask(command, content)
        match = re.search(rb"\[APPENDUID \d+ (\d+)\]", answer)
        assert match is not None, answer
        self.model.add(int(match[1]), Message(content, flags))

    def store(self, session: Session) -> None:
        """Change flags; the answer has those that there are then."""
        uid = self._some(session)
        if uid is None:
            return
        given = set(self.random.sample(FLAGS, self.random.randrange(1, 3)))
        sign = self.random.choice(["+", "-", ""])
        flags = self.model.messages[uid].flags
        after = flags | given if sign == "+" else flags - given if sign == "-" else given
        self.model.messages[uid].flags = after
        session.ask(f"UID STORE {uid} {sign}FLAGS ({' '.join(sorted(given))})")
        # Where nothing changes a server need not answer: RFC 3501 has a SHOULD there.
        assert after == flags or session.flags[uid] == after, (uid, session.flags, after)

    def look(self, session: Session) -> None:
        """Be told all; the view is the mailbox then."""
        session.ask("NOOP")
        if session.view:
            session.ask("FETCH 1:* (UID FLAGS)")
            assert not session.expunged, "an EXPUNGE during FETCH"
        assert session.view == list(self.model.messages), (session.view, self.model.messages)
        recent = len(session.recent.intersection(self.model.messages))
        assert session.told_recent == recent, (session.told_recent, session.recent)
        for uid, message in self.model.messages.items():
            assert session.flags[uid] == message.flags, (uid, session.flags[uid], message.flags)

    def read(self, session: Session) -> None:
        """Read a message."""
        uid = self._some(session)
        if uid is not None:
            _answer, told = session.ask(f"UID FETCH {uid} BODY.PEEK[]")
            content = self.model.messages[uid].content
            assert any(content in line for line in told), (uid, told)

    def numbers(self, session: Session) -> None:
        """Ask by numbers: they mean what they meant, whoever has removed something meanwhile."""
        if session.view:
            number = self.random.randrange(len(session.view)) + 1
            # What another has removed may be told so (RFC 5530), and keeps its number.
            session.ask(f"FETCH {number} (UID)", also=b"NO [EXPUNGEISSUED]")
            assert not session.expunged, "an EXPUNGE during FETCH"

    def search(self, session: Session) -> None:
        """Find the messages with a flag, once all has been told."""
        session.ask("NOOP")
        _answer, told = session.ask("UID SEARCH FLAGGED")
        (line,) = [each for each in told if each.startswith(b"* SEARCH")]
        found = [int(uid) for uid in line.split()[2:]]
        flagged = [u for u, message in self.model.messages.items() if "\\Flagged" in message.flags]
        assert found == flagged, (found, flagged)

    def expunge(self, session: Session) -> None:
        """Remove a message."""
        uid = self._some(session)
        if uid is not None:
            session.ask(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
            session.ask(f"UID EXPUNGE {uid}")
            del self.model.messages[uid]
            assert uid not in session.view, (uid, session.view)

    def move(self, session: Session) -> None:
        """Move a message out of the mailbox."""
        uid = self._some(session)
        if uid is not None:
            _answer, told = session.ask(f"UID MOVE {uid} Other")
            assert any(b"[COPYUID " in line for line in [*told, _answer]), told
            del self.model.messages[uid]
            self.model.moved += 1
            assert uid not in session.view, (uid, session.view)

    def wait(self, session: Session) -> None:
        """Wait in IDLE for what another session does."""
        others = [each for each in self.sessions if each is not session]
        self.look(session)
        session.idle()
        self.append(self.random.choice(others))
        session.wait_for(b"EXISTS")
        session.done()
