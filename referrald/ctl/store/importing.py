"""Mail out of files into the store."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs

from referrald.ctl.lookup import mailbox_name
from referrald.ctl.output import visible
from referrald.ctl.store.opening import StoreVerb, with_account
from referrald.ctl.store.sources import Source, form_of, name_of, sources
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import MailboxExists, OverQuota, ReferraldError
from referrald.mailfiles.messages import PIECE, FileMessage, NotMail
from referrald.mailmodel import NewMessage

BATCH: Final = 100
"""Messages that are appended at once: the store makes sure of them all together."""

BATCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes after which it does so in any case."""

EVERY: Final = 1.0
"""Seconds between two lines about how far it is."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add where the mail is and where it goes."""
    parser.add_argument(
        "source",
        metavar="PATH",
        help="a Maildir, an mbox, or a directory of mbox files, each for a mailbox",
    )
    parser.add_argument(
        "--from",
        dest="form",
        choices=("maildir", "mbox"),
        help="what there is at PATH (default: by the look of it)",
    )
    parser.add_argument(
        "--into",
        metavar="MAILBOX",
        default="",
        help="put everything below this mailbox; what would go to INBOX goes into it itself",
    )
    parser.add_argument(
        "--quoting",
        choices=("mboxrd", "mboxo", "none"),
        default="mboxrd",
        help='how an mbox quotes lines that begin with "From ": mboxo for what Python and Postfix '
        "write, none for Dovecot's (default: mboxrd)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read everything, and put nothing into the store"
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Import, and say what came of it."""
    into = mailbox_name(arguments.into) if arguments.into else ""
    path = Path(arguments.source)
    try:
        found = sources(path, arguments.form or form_of(path), arguments.quoting)
    except NotMail as error:
        raise Refused(f"{path}: {error}") from error

    async def work(account: Any) -> Import:
        done = Import(account=account, terminal=terminal, into=into, dry=arguments.dry_run)
        await done.all(found)
        return done

    done: Import = with_account(arguments, terminal, work)
    done.sum_up()
    return 1 if done.problems else 0


@attrs.define(kw_only=True)
class Taken:
    """What has come of one mailbox."""

    name: str
    messages: int = 0
    bytes: int = 0


@attrs.define(kw_only=True)
class Import:
    """The way of many folders into an account. dry: nothing is put there."""

    account: Any
    terminal: Terminal
    into: str
    dry: bool
    taken: list[Taken] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    _batch: list[NewMessage] = attrs.field(factory=list)
    _waiting: int = 0
    _told: float = attrs.field(factory=time.monotonic)

    async def all(self, found: list[Source]) -> None:
        """Take all folders; one that cannot be taken keeps no other from it."""
        for source in found:
            taken = Taken(name=name_of(source.levels, self.account, self.into))
            try:
                await self._folder(taken, source)
            except OverQuota as error:
                self._problem(f"{taken.name}: {error.public}")
                return
            except ReferraldError as error:
                self._problem(f"{taken.name}: {error.public}")
            except (NotMail, OSError) as error:
                self._problem(f"{source.where}: {error}")
            finally:
                self._forget()
                self.taken.append(taken)

    async def _folder(self, taken: Taken, source: Source) -> None:
        messages = source.messages()
        first = next(messages, None)
        await self._make(taken.name)
        for message in _with(first, messages):
            if self._fits(message):
                await self._take(taken, message)
        await self._put(taken)

    async def _make(self, name: str) -> None:
        if not self.dry:
            with suppress(MailboxExists):
                await self.account.create(name)

    def _fits(self, message: FileMessage) -> bool:
        limit = self.account.append_limit
        if limit is not None and message.size > limit:
            self._problem(f"{message.where}: {message.size} bytes, and {limit} is the most")
            return False
        return True

    async def _take(self, taken: Taken, message: FileMessage) -> None:
        if self.dry:
            taken.messages, taken.bytes = taken.messages + 1, taken.bytes + message.size
            return
        incoming = await self.account.incoming(taken.name, message.size)
        new = NewMessage(content=incoming, flags=message.flags, received=message.received)
        self._batch.append(new)
        while piece := message.content.read(PIECE):
            await incoming.write(piece)
        self._waiting += message.size
        if len(self._batch) >= BATCH or self._waiting >= BATCH_BYTES:
            await self._put(taken)

    async def _put(self, taken: Taken) -> None:
        """Append what has come, all of it or nothing."""
        batch, size = self._batch, self._waiting
        self._batch, self._waiting = [], 0
        if batch:
            await self.account.append(taken.name, batch)
        taken.messages, taken.bytes = taken.messages + len(batch), taken.bytes + size
        self._progress(taken)

    def _forget(self) -> None:
        for new in self._batch:
            new.content.discard()
        self._batch, self._waiting = [], 0

    def _progress(self, taken: Taken) -> None:
        """Tell a person who waits how far it is."""
        stream, now = self.terminal.output.error_out, time.monotonic()
        if stream.isatty() and now - self._told >= EVERY:
            self._told = now
            stream.write(f"{taken.name}: {taken.messages} messages so far\n")

    def _problem(self, text: str) -> None:
        self.problems.append(text)
        self.terminal.output.error(text)

    def sum_up(self) -> None:
        """Print what has come of it all."""
        messages = sum(each.messages for each in self.taken)
        size = sum(each.bytes for each in self.taken)
        verb = "would be imported" if self.dry else "imported"
        lines = [
            f"{each.name}: {each.messages} messages, {each.bytes} bytes" for each in self.taken
        ]
        total = f"{verb}: {messages} messages, {size} bytes, {len(self.problems)} problems"
        document = {
            "imported": not self.dry,
            "mailboxes": [attrs.asdict(each) for each in self.taken],
            "messages": messages,
            "bytes": size,
            "problems": self.problems,
        }
        text = "".join(visible(line) + "\n" for line in [*lines, total])
        self.terminal.output.document(text, document)


def _with(first: FileMessage | None, rest: Iterator[FileMessage]) -> Iterator[FileMessage]:
    if first is not None:
        yield first
        yield from rest


IMPORT = StoreVerb(
    name="import",
    help="Add the mail of a Maildir or an mbox to a user's mailboxes",
    add_arguments=add_arguments,
    run=run,
)
