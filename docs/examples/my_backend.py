"""A backend of one's own: users are spread over servers by the first letter of their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from referrald.interfaces import ICheckingFactory, IReferralBackend, IReferralBackendFactory
from referrald.model import Home, Login, Option, Options, Problem, Server


@implementer(IReferralBackend)
class LetterBackend:
    """Knows which letters live where."""

    def __init__(self, homes: dict[str, Home]) -> None:
        self.homes = homes

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; None for those whose letter has none."""
        return self.homes.get(login.user[:1].lower())


def read_shares(shares: Sequence[str]) -> Iterator[tuple[str, Server]]:
    """Turn each ``FIRST-LAST HOST`` into letters and a server; raises `ValueError`."""
    for share in shares:
        letters, _, host = share.partition(" ")
        first, dash, last = letters.partition("-")
        if not (len(first) == len(last) == 1 and dash and first <= last and host):
            raise ValueError(share)
        for code in range(ord(first.lower()), ord(last.lower()) + 1):
            yield chr(code), Server(host=host)


@implementer(IPlugin, IReferralBackendFactory, ICheckingFactory)
class LetterFactory:
    """Makes `LetterBackend` objects of what stands in the configuration."""

    name = "by-letter"
    help = "Spreads users over servers by the first letter of their names."
    options = (
        Option(
            name="shares",
            kind="strings",
            required=True,
            help='Letters and the server that has them, such as `"a-m imap1.example.org"`.',
        ),
    )

    def check(self, options: Options) -> Sequence[Problem]:
        """Say what is wrong with the options, before anything is started."""
        try:
            list(read_shares(options["shares"]))
        except ValueError as error:
            right = 'such as "a-m imap1.example.org"'
            wrong = f'"{error}" is not a share'
            return [Problem(where=self.name, key="shares", wrong=wrong, right=right)]
        return []

    def build(self, options: Options, reactor: Any) -> LetterBackend:
        """Make a backend."""
        shares = read_shares(options["shares"])
        return LetterBackend({letter: Home(servers=(server,)) for letter, server in shares})


factory = LetterFactory()
