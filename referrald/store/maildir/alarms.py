"""Linux says by itself when something changes in a directory (inotify); elsewhere one has to look.

Each directory is watched for one change at a time, so that a hundred changes cost no more than one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

IN_MODIFY, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
IN_DELETE_SELF, IN_MOVE_SELF = 0x400, 0x800
IN_ONLYDIR, IN_ONESHOT = 0x01000000, 0x80000000
IN_Q_OVERFLOW, IN_IGNORED = 0x4000, 0x8000
MASK: Final = (
    IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
) | IN_ONLYDIR | IN_ONESHOT  # fmt: skip

READ: Final = 65_536
_EVENT: Final = struct.Struct("=iIII")


@implementer(IReadDescriptor)
class Alarms:
    """Tells of changes in directories, each by a name that whoever watches it has chosen.

    changed: called in the reactor's thread with those names; with None when anything may have
    changed.
    """

    log = Logger(namespace="referrald")

    def __init__(self, reactor: Any, changed: Callable[[set[str] | None], None]) -> None:
        self._reactor = reactor
        self._changed = changed
        self._lock = Lock()  # Watches are set in threads, and closing has to wait for that.
        self._names: dict[int, str] = {}
        self._numbers: defaultdict[str, set[int]] = defaultdict(set)
        self._handle = -1
        self._told = False
        self._libc: Any = None

    def start(self) -> None:
        """Begin, where there is such a thing."""
        if not IReactorFDSet.providedBy(self._reactor):
            return
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            return
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            self._say_why(ctypes.get_errno())
        else:
            self._reactor.addReader(self)

    def stop(self) -> None:
        """Let go of all."""
        with self._lock:
            handle, self._handle = self._handle, -1
            self._names.clear()
            self._numbers.clear()
        if handle >= 0:
            self._reactor.removeReader(self)
            os.close(handle)

    def watch(self, name: str, paths: Iterable[str]) -> bool:
        """Tell of the next change in any of some directories; says whether it will be. In a thread.

        What has changed before has to be seen after this.
        """
        return all(self._watch(name, path) for path in paths)

    def _watch(self, name: str, path: str) -> bool:
        with self._lock:
            if self._handle < 0:
                return False
            number = self._libc.inotify_add_watch(
                self._handle, os.fsencode(path), ctypes.c_uint32(MASK)
            )
            if number >= 0:
                self._names[number] = name
                self._numbers[name].add(number)
                return True
            why = ctypes.get_errno()
        self._say_why(why)
        return False

    def _say_why(self, why: int) -> None:
        """Tell the operator, once, of a limit that others may raise."""
        if why in (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM) and not self._told:
            self._told = True
            self.log.warn(
                "Not all mailboxes can be watched by inotify ({why}), the others are looked at "
                "every half second; see fs.inotify.max_user_watches and max_user_instances",
                why=os.strerror(why),
            )

    def forget(self, name: str) -> None:
        """Watch nothing of that name any more."""
        with self._lock:
            for number in self._numbers.pop(name, ()):
                del self._names[number]
                if self._handle >= 0:
                    self._libc.inotify_rm_watch(self._handle, number)

    # -- for the reactor ---------------------------------------------------------------------

    def fileno(self) -> int:
        """Give the file descriptor to be read from."""
        return self._handle

    def logPrefix(self) -> str:
        """Give a name for the reactor's own log."""
        return "inotify"

    def connectionLost(self, reason: Any) -> None:
        """Do nothing: the reactor stops."""

    def doRead(self) -> None:
        """Take what has happened."""
        try:
            data = os.read(self._handle, READ)
        except OSError:
            return
        names, at, anything = set(), 0, False
        with self._lock:
            while at < len(data):
                number, mask, _cookie, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                anything = anything or bool(mask & IN_Q_OVERFLOW)
                if not mask & IN_IGNORED and number in self._names:
                    name = self._names.pop(number)
                    self._numbers[name].discard(number)
                    names.add(name)
        if anything or names:
            self._changed(None if anything else names)
