"""Polls many connections in one go, below the reactor.

For each event of each descriptor Twisted's reactor sets up a context for its log: about as much
work as passing a line of IMAP on. A `Hub` is one descriptor to the reactor, an ``epoll`` of its
own, and behind it any number of links get their turns without further ado.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twisted.internet import main
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger
from zope.interface import implementer

from referrald.ops.failures import failure_of

READABLE = getattr(select, "EPOLLIN", 1)
"""What nearly all events say, and nothing else."""

REACTORS = 8
"""How many reactors are remembered; a process has one, a test another."""

AT_ONCE = 64
"""Events that are dealt with before everybody else in the reactor gets a turn."""


CROWD = 2
"""So many events at a time mean that more follow at once."""


@lru_cache(maxsize=REACTORS)
def hub_of(reactor: Any) -> Any:
    """Give the reactor's hub; the reactor itself, where that does not poll by ``epoll``."""
    if hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor):
        return Hub(reactor)
    return reactor


@implementer(IReactorFDSet)
class Hub:
    """What a link needs of a reactor; a reader of the real one as long as there are links."""

    log = Logger(namespace="referrald")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll = select.epoll()
        self._links: dict[int, Any] = {}
        self._wanted: dict[int, int] = {}
        # Descriptors that have come in this turn: an event may be that of one that was closed.
        self._fresh: set[int] = set()
        self.callLater: Callable[..., Any] = reactor.callLater
        self.seconds: Callable[[], float] = reactor.seconds

    # -- as a reactor, for links -----------------------------------------------------------------

    def addReader(self, link: Any) -> None:
        """Poll for what can be read."""
        fd = link.fileno()
        if fd in self._wanted:
            self._want(link, select.EPOLLIN)
        else:
            self.take(fd, link)

    def take(self, fd: int, link: Any) -> None:
        """Poll a descriptor that is not polled yet for what can be read."""
        if not self._links:
            self._reactor.addReader(self)
        self._links[fd] = link
        self._wanted[fd] = READABLE
        self._fresh.add(fd)
        self._epoll.register(fd, READABLE)

    def addWriter(self, link: Any) -> None:
        """Poll for room to write."""
        self._want(link, select.EPOLLOUT)

    def removeReader(self, link: Any) -> None:
        """Poll no more for what can be read."""
        self._unwant(link, select.EPOLLIN)

    def removeWriter(self, link: Any) -> None:
        """Poll no more for room to write."""
        self._unwant(link, select.EPOLLOUT)

    def forget(self, fd: int) -> None:
        """Poll a descriptor no more that is closed next; the kernel forgets it by itself then."""
        if self._links.pop(fd, None) is not None:
            del self._wanted[fd]
            if not self._links:
                self._reactor.removeReader(self)

    def getReaders(self) -> list[Any]:
        """Give those that are polled for what can be read."""
        return [self._links[fd] for fd, mask in self._wanted.items() if mask & select.EPOLLIN]

    def getWriters(self) -> list[Any]:
        """Give those that are polled for room to write."""
        return [self._links[fd] for fd, mask in self._wanted.items() if mask & select.EPOLLOUT]

    def removeAll(self) -> list[Any]:
        """Poll nobody any more; gives who was polled."""
        links = list(self._links.values())
        for link in links:
            self._unwant(link, select.EPOLLIN | select.EPOLLOUT)
        return links

    def _want(self, link: Any, mask: int) -> None:
        fd = link.fileno()
        before = self._wanted.get(fd, 0)
        if before & mask:
            return
        self._wanted[fd] = before | mask
        if before:
            self._epoll.modify(fd, before | mask)
            return
        if not self._links:
            self._reactor.addReader(self)
        self._links[fd] = link
        self._fresh.add(fd)
        self._epoll.register(fd, mask)

    def _unwant(self, link: Any, mask: int) -> None:
        fd = link.fileno()
        before = self._wanted.get(fd, 0)
        if not before & mask:
            return
        left = before & ~mask
        if left:
            self._wanted[fd] = left
            self._epoll.modify(fd, left)
            return
        del self._wanted[fd], self._links[fd]
        self._epoll.unregister(fd)
        if not self._links:
            self._reactor.removeReader(self)

    # -- as a reader, for the reactor ------------------------------------------------------------

    def fileno(self) -> int:
        """Give the descriptor that can be read when one of the links has something to do."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "links"

    def doRead(self) -> None:
        """Give each link that has something to do its turn."""
        left = AT_ONCE
        while left > 0:
            found = self._epoll.poll(0, left)
            self._give_turns(found)
            if len(found) < CROWD:
                return
            # Where there is a crowd the next have come meanwhile: the reactor's way costs more.
            left -= len(found)

    def _give_turns(self, found: list[tuple[int, int]]) -> None:
        links, fresh = self._links, self._fresh
        fresh.clear()
        for fd, events in found:
            # One before it in this turn may have ended it.
            link = links.get(fd)
            if link is None or fd in fresh:
                continue
            try:
                ended = link.doRead() if events == READABLE else _turn(link, events)
            except Exception as fault:  # noqa: BLE001 - as the reactor: log it and end that one
                self.log.failure("a connection failed")
                ended = fault
            if ended is not None:
                link.connectionLost(failure_of(ended))

    def connectionLost(self, reason: Any) -> None:
        """End all links: the reactor stops."""
        for link in list(self._links.values()):
            link.connectionLost(reason)


def _turn(link: Any, events: int) -> Exception | None:
    """Let a link read and write; gives what its connection ended with."""
    ended: Exception | None = None
    if events & select.EPOLLIN:
        ended = link.doRead()
    elif events & (select.EPOLLHUP | select.EPOLLERR):
        return main.CONNECTION_LOST
    if ended is None and events & select.EPOLLOUT and not link.disconnected:
        ended = link.doWrite()
    return ended
