"""Log in at one name, and list and read mail wherever it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from getpass import getpass
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react

from referrald.client import CredentialPolicy, Credentials, LoginFollower, ReferralClient
from referrald.imapurl import parse


async def show(reactor: Any, url: str, user: str, password: str, **hosts: Sequence[str]) -> None:
    """Print the names of all mailboxes, and how many messages are in each."""
    policy = CredentialPolicy(origin=parse(url).host, **{k: tuple(v) for k, v in hosts.items()})
    credentials = Credentials(user=user, password=password)
    client = ReferralClient(LoginFollower(reactor, credentials, policy))
    home = await client.start(url)
    print(f"{user} lives at {home.target.host}:{home.target.port}")
    for box in await client.list():
        if "\\Noselect" in box.attributes:
            continue
        found = await client.select(box.name, read_only=True)
        (count,) = [each for each in found.reply.untagged if each.kind == b"EXISTS"]
        print(f"{box.name}: {count.segments[0].decode()}")
    await client.close()


def main(reactor: Any, url: str, user: str, *allowed: str) -> Deferred[None]:
    """Ask for the password, which does not belong on a command line."""
    return ensureDeferred(show(reactor, url, user, getpass(), allowed=allowed))


if __name__ == "__main__":
    react(main, sys.argv[1:])
