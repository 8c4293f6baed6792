"""The messages of one mailbox, and what has changed when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile

import attrs
from twisted.logger import Logger

from referrald.mailmodel import Changes, FolderState, MailboxStatus, Placed, StoredMessage
from referrald.store import room as cost
from referrald.store.flags import Flags
from referrald.store.room import Room

REMEMBERED = 100
"""Removed messages that a mailbox still knows of: who has not looked for longer is told of all."""

Draft = tuple[bytes, Sequence[str], datetime]
"""What is to become a message: its content, its flags, when it was received."""


@attrs.define(kw_only=True)
class Message:
    """One message. added, modseq: the states in which it came, and was last changed."""

    uid: int
    content: bytes = attrs.field(repr=False)
    flags: tuple[str, ...]
    received: datetime
    added: int
    modseq: int

    @property
    def cost(self) -> int:
        """Count the bytes it takes."""
        return _cost(self.content, len(self.flags))

    @property
    def draft(self) -> Draft:
        """Give what a copy is made of."""
        return self.content, self.flags, self.received

    def stored(self) -> StoredMessage:
        """Tell what is known of it."""
        return StoredMessage(
            uid=self.uid,
            flags=self.flags,
            received=self.received,
            size=len(self.content),
            modseq=self.modseq,
        )


class Mailbox:
    """One mailbox. Nobody is told of a change before `tell` is called."""

    log = Logger(namespace="referrald")

    def __init__(self, uid_validity: int, room: Room, uses: tuple[str, ...] = ()) -> None:
        self.uid_validity = uid_validity
        self.room = room
        self.uses = uses
        self.used = 0
        self.modseq = 1
        self._uid_next = 1
        self.first_recent = 1
        # The states in which a message went and came, and its UID; the last one is at the end.
        self._gone: deque[tuple[int, int, int]] = deque()
        self._forgotten = 0
        self._flags = Flags()
        # Both in the order of their keys' meaning: UIDs only grow; the last changed is at the end.
        self._messages: dict[int, Message] = {}
        self._changed: dict[int, Message] = {}
        self._watchers: dict[object, Callable[[], None]] = {}

    # -- looking -----------------------------------------------------------------------------

    def state(self) -> FolderState:
        """Tell all that SELECT needs."""
        unseen = (uid for uid, message in self._messages.items() if "\\Seen" not in message.flags)
        return FolderState(
            uid_validity=self.uid_validity,
            uid_next=self._uid_next,
            uids=tuple(self._messages),
            modseq=self.modseq,
            flags=self._flags.all,
            permanent=self._flags.permanent,
            first_unseen=next(unseen, None),
            recent=self._recent(),
        )

    def status(self) -> MailboxStatus:
        """Count."""
        messages = self._messages.values()
        return MailboxStatus(
            messages=len(messages),
            unseen=sum("\\Seen" not in message.flags for message in messages),
            deleted=sum("\\Deleted" in message.flags for message in messages),
            uid_next=self._uid_next,
            uid_validity=self.uid_validity,
            size=sum(len(message.content) for message in messages),
            modseq=self.modseq,
            deleted_size=sum(len(m.content) for m in messages if "\\Deleted" in m.flags),
            recent=self._recent(),
        )

    def _recent(self) -> int:
        """Count the messages of which nobody was told."""
        return sum(
            1 for _ in takewhile(lambda uid: uid >= self.first_recent, reversed(self._messages))
        )

    def changes(self, since: int) -> Changes:
        """Tell what has happened since a state."""
        if since >= self.modseq:
            return Changes(modseq=self.modseq, recent=self._recent())
        told = self._changed_since(since)
        flags = {message.uid: message.flags for message in told}
        modseqs = {message.uid: message.modseq for message in told}
        if since < self._forgotten:
            uids = tuple(self._messages)
            return Changes(
                modseq=self.modseq, uids=uids, flags=flags, modseqs=modseqs, recent=self._recent()
            )
        return Changes(
            modseq=self.modseq,
            arrived=self._arrived_since(since),
            gone=self._gone_since(since),
            flags=flags,
            modseqs=modseqs,
            recent=self._recent(),
        )

    def _changed_since(self, since: int) -> list[Message]:
        """Give the messages whose flags have changed, by UID ascending; new ones are not among."""
        later = takewhile(lambda each: each.modseq > since, reversed(self._changed.values()))
        return sorted((each for each in later if each.added <= since), key=lambda each: each.uid)

    def _arrived_since(self, since: int) -> tuple[int, ...]:
        """Give the UIDs of new messages, ascending."""
        later = takewhile(lambda each: each.added > since, reversed(self._messages.values()))
        return tuple(each.uid for each in later)[::-1]

    def _gone_since(self, since: int) -> tuple[int, ...]:
        """Give the UIDs of messages that were there then, ascending."""
        later = takewhile(lambda each: each[0] > since, reversed(self._gone))
        return tuple(sorted(uid for _when, added, uid in later if added <= since))

    def all(self) -> list[Message]:
        """Give every message, by UID ascending."""
        return list(self._messages.values())

    def pick(self, uids: Iterable[int]) -> list[Message]:
        """Give those of some messages that are there, each once, by UID ascending."""
        return [self._messages[uid] for uid in sorted(set(uids)) if uid in self._messages]

    # -- changing ----------------------------------------------------------------------------

    def add(self, drafts: Sequence[Draft]) -> tuple[int, ...]:
        """Put messages in, all or none; gives their UIDs."""
        fresh = self._flags.fresh(flag for _content, flags, _date in drafts for flag in flags)
        spelled = [tuple(sorted(self._flags.spelled(flags, fresh))) for _, flags, _ in drafts]
        size = sum(
            _cost(content, len(flags))
            for (content, _, _), flags in zip(drafts, spelled, strict=True)
        )
        self.take(size + sum(map(cost.word, fresh)))
        self._flags.add(fresh)
        first = self._uid_next
        if drafts:
            self.modseq += 1
        for (content, _, received), flags in zip(drafts, spelled, strict=True):
            self._messages[self._uid_next] = Message(
                uid=self._uid_next,
                content=content,
                flags=flags,
                received=received,
                added=self.modseq,
                modseq=self.modseq,
            )
            self._uid_next += 1
        return tuple(range(first, self._uid_next))

    def store(self, messages: Sequence[Message], flags: Sequence[str], mode: int) -> bool:
        """Add (mode 1), remove (-1) or set (0) flags, of all or none; says if that changed any."""
        fresh = self._flags.fresh(flags)
        if mode < 0 or not messages:
            fresh = {}
        names = self._flags.spelled(flags, fresh)
        after = _changed_flags(messages, names, mode)
        more = sum(len(after[message.uid]) - len(message.flags) for message in messages)
        self.take(more * cost.FLAG + sum(map(cost.word, fresh)))
        self._flags.add(fresh)
        changed = [message for message in messages if after[message.uid] != message.flags]
        self.modseq += bool(changed)
        for message in changed:
            message.flags, message.modseq = after[message.uid], self.modseq
            self._changed.pop(message.uid, None)
            self._changed[message.uid] = message
        return bool(changed)

    def remove(self, messages: Iterable[Message]) -> None:
        """Remove messages, and give back what they took."""
        gone = list(messages)
        self.take(-sum(message.cost for message in gone))
        self._drop(gone)

    def move(self, messages: Sequence[Message], target: Mailbox) -> Placed:
        """Move messages into another mailbox, or anew into this one: all or none."""
        size = sum(message.cost for message in messages)
        # What moves inside one account needs no second room.
        self.take(-size)
        try:
            uids = target.add([message.draft for message in messages])
        except Exception:
            self.used += size
            self.room.left -= size
            raise
        self._drop(messages)
        sources = tuple(message.uid for message in messages)
        return Placed(uid_validity=target.uid_validity, uids=uids, sources=sources)

    def _drop(self, messages: Sequence[Message]) -> None:
        for message in messages:
            del self._messages[message.uid]
            self._changed.pop(message.uid, None)
        self.modseq += bool(messages)
        self._gone.extend((self.modseq, each.added, each.uid) for each in messages)
        while len(self._gone) > REMEMBERED:
            self._forgotten, _added, _uid = self._gone.popleft()

    def take(self, size: int) -> None:
        """Take room, or give it back where ``size`` is negative; raises `OverQuota`."""
        self.room.take(size)
        self.used += size

    # -- telling -----------------------------------------------------------------------------

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever `tell` is called; gives what ends that."""
        watch = object()
        self._watchers[watch] = changed

        def end() -> None:
            self._watchers.pop(watch, None)

        return end

    def tell(self) -> None:
        """Tell everybody who watches; what one of them raises is logged and stops no other."""
        for watch, changed in list(self._watchers.items()):
            if watch in self._watchers:
                try:
                    changed()
                except Exception:  # noqa: BLE001 - a watcher's fault is not the store's
                    self.log.failure("A watcher of a mailbox failed")


def _cost(content: bytes, flags: int) -> int:
    return cost.MESSAGE + len(content) + cost.FLAG * flags


def _changed_flags(
    messages: Iterable[Message], names: frozenset[str], mode: int
) -> Mapping[int, tuple[str, ...]]:
    """Give the flags that messages will have, by UID."""
    after = {}
    for message in messages:
        if mode > 0:
            flags = names.union(message.flags)
        elif mode < 0:
            flags = frozenset(message.flags) - names
        else:
            flags = names
        after[message.uid] = tuple(sorted(flags))
    return after
