"""A web service that says where users live and does nothing else: ``python -m … PORT``."""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

ANSWER = json.dumps({"home": {"server": "imap0.example.org"}}).encode()


class Homes(Resource):
    """The same answer for everybody."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Say where a user lives."""
        return ANSWER


def main() -> None:
    """Listen on the loopback address."""
    site: Any = Site(Homes())  # type: ignore[no-untyped-call]
    where: Any = reactor
    where.listenTCP(int(sys.argv[1]), site, interface="127.0.0.1")
    where.run()


if __name__ == "__main__":
    main()
