"""Mail out of the store into files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import quote

import attrs

from referrald.ctl.output import visible
from referrald.ctl.store.opening import StoreVerb, own_part, with_account
from referrald.ctl.store.sources import INBOX, SUFFIX
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import ReferraldError
from referrald.mailfiles.maildir import MaildirWriter
from referrald.mailfiles.mbox import as_mbox
from referrald.mailfiles.messages import PIECE, pieces, spool

MANY: Final = 500
"""Messages that are asked for at once."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add where the mail goes, and in which form."""
    parser.add_argument("target", metavar="DIRECTORY", help="a directory that is not there yet")
    parser.add_argument(
        "--to",
        dest="form",
        choices=("maildir", "mbox"),
        default="maildir",
        help="a Maildir with folders, or an mbox (mboxrd) for each mailbox (default: maildir)",
    )
    parser.add_argument(
        "--mailbox",
        metavar="MAILBOX",
        action="append",
        help="only this one; can be given several times (default: all)",
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Export, and say what came of it."""
    target = Path(arguments.target)
    if target.exists():
        raise Refused(f"{target} is there already")
    files = Maildirs(target) if arguments.form == "maildir" else Mboxes(target)

    async def work(account: Any) -> Export:
        names = await _chosen(account, arguments.mailbox)
        target.mkdir(mode=0o700)
        done = Export(account=account, terminal=terminal, files=files)
        for name in names:
            await done.mailbox(name)
        return done

    done: Export = with_account(arguments, terminal, work)
    done.sum_up()
    return 1 if done.problems else 0


async def _chosen(account: Any, wanted: Sequence[str] | None) -> list[str]:
    entries = await (account if wanted else own_part(account)).entries()
    there = {entry.name for entry in entries if "\\Noselect" not in entry.attributes}
    missing = [name for name in wanted or () if name not in there]
    if missing:
        raise Refused(f"there is no mailbox {missing[0]}")
    # The directory of INBOX has the others in it.
    return sorted(set(wanted or there), key=lambda name: (name != INBOX, name))


class Writer(Protocol):
    """Takes the messages of one mailbox. lost: keywords that it had no way to write."""

    lost: set[str]

    def write(self, content: Iterable[bytes], received: datetime, flags: Sequence[str]) -> None:
        """Write a message, given as `referrald.mailfiles.messages.pieces` does."""
        ...


class Maildirs:
    """A Maildir++ that is being written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._begun = False

    @contextmanager
    def open(self, levels: Sequence[str]) -> Iterator[MaildirWriter]:
        """Give the writer of a mailbox; raises what OSError there may be."""
        if levels and not self._begun:
            # Without it nobody would take the directory for a Maildir.
            MaildirWriter(self._root, ())
        self._begun = True
        yield MaildirWriter(self._root, levels)


class Mboxes:
    """A directory of mbox files that is being written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, levels: Sequence[str]) -> Iterator[MboxWriter]:
        """Give the writer of a mailbox; levels are directories."""
        *above, last = [_safe(level) for level in levels] or [INBOX]
        directory = self._root.joinpath(*above)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (directory / (last + SUFFIX)).open("xb") as file:
            yield MboxWriter(file)


def _safe(level: str) -> str:
    """Write a level of a name so that it can be a file, and no other one's."""
    encoded = "".join(quote(each, safe="") if each in '%/\\"' else each for each in level)
    if encoded.endswith(SUFFIX):
        # A directory of that name would be in the way of a file.
        encoded = encoded.removesuffix(SUFFIX) + "%2E" + SUFFIX[1:]
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


class MboxWriter:
    """Writes messages into an mbox."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.lost: set[str] = set()

    def write(self, content: Iterable[bytes], received: datetime, flags: Sequence[str]) -> None:
        """Write a message."""
        self._file.writelines(as_mbox(content, received, flags))


@attrs.define(kw_only=True)
class Export:
    """The way of mailboxes into files."""

    account: Any
    terminal: Terminal
    files: Maildirs | Mboxes
    messages: dict[str, int] = attrs.field(factory=dict)
    problems: list[str] = attrs.field(factory=list)

    async def mailbox(self, name: str) -> None:
        """Write one mailbox; a failure keeps no other from being written."""
        self.messages[name] = 0
        levels = () if name == INBOX else name.split(self.account.delimiter)
        try:
            folder = await self.account.open(name, False)
            try:
                with self.files.open(levels) as writer:
                    await self._messages(name, folder, writer)
                    lost = sorted(writer.lost)
            finally:
                await folder.close()
        except ReferraldError as error:
            self._problem(f"{name}: {error.public}")
        except OSError as error:
            self._problem(f"{name}: {error}")
        else:
            if lost:
                self._problem(f"{name}: no letters are left for keywords: {', '.join(lost)}")

    async def _messages(self, name: str, folder: Any, writer: Writer) -> None:
        uids = list((await folder.state()).uids)
        for start in range(0, len(uids), MANY):
            for message in await folder.fetch(uids[start : start + MANY]):
                content = await folder.read(message.uid)
                if content is not None:
                    with spool() as file:
                        await _copy(content, file)
                        writer.write(pieces(file), message.received, message.flags)
                    self.messages[name] += 1

    def _problem(self, text: str) -> None:
        self.problems.append(text)
        self.terminal.output.error(text)

    def sum_up(self) -> None:
        """Print what has come of it all."""
        total = sum(self.messages.values())
        lines = [f"{name}: {number} messages" for name, number in self.messages.items()]
        lines.append(f"exported: {total} messages, {len(self.problems)} problems")
        document = {
            "mailboxes": [{"name": n, "messages": count} for n, count in self.messages.items()],
            "messages": total,
            "problems": self.problems,
        }
        self.terminal.output.document("".join(visible(each) + "\n" for each in lines), document)


async def _copy(content: Any, file: IO[bytes]) -> None:
    """Read a message to its end, and go back to the beginning."""
    try:
        for start in range(0, content.size, PIECE):
            file.write(await content.read(start, PIECE))
    finally:
        content.close()
    file.seek(0)


EXPORT = StoreVerb(
    name="export",
    help="Write a user's mailboxes to a new Maildir or to mbox files",
    add_arguments=add_arguments,
    run=run,
)
