"""A web service that says where users live: all that the ``http`` backend asks of one.

Run as ``python home_service.py PORT FILE TOKEN``. FILE has a JSON object with an object for each
user: ``home``, in the form of the table file, ``password``, here in plain text, and ``mailboxes``,
a list of entries as in the table file.
"""

import hmac
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Homes(Resource):
    """``GET /home?user=``, ``POST /password``, ``GET /mailboxes?user=`` and ``GET /targets``."""

    isLeaf = True

    def __init__(self, path: Path, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path
        self.token = f"Bearer {token}"

    def render_GET(self, request: Any) -> bytes:
        """Say where a user lives, which mailboxes are elsewhere, or all servers there are."""
        if request.path.endswith(b"/targets"):
            users = self.users(request)
            return answer({"targets": sorted(set(servers(users)))} if users is not None else None)
        known = self.known(request, request.args.get(b"user", [b""])[0].decode("utf-8", "replace"))
        if known is None:
            return b""
        if request.path.endswith(b"/mailboxes"):
            return answer({"mailboxes": known.get("mailboxes", [])})
        return answer({"home": known.get("home")})

    def render_POST(self, request: Any) -> bytes:
        """Say whether a password is right."""
        asked = json.loads(request.content.read())
        known = self.known(request, asked["user"])
        if known is None:
            return b""
        right = hmac.compare_digest(asked["password"].encode(), known["password"].encode())
        return answer({"ok": right})

    def known(self, request: Any, user: str) -> Any:
        """Give what the file has of a user."""
        users = self.users(request)
        if users is not None and user not in users:
            request.setResponseCode(404)
        return None if users is None else users.get(user)

    def users(self, request: Any) -> Any:
        """Give the file; says no to those who may not ask."""
        given = request.getHeader("authorization") or ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            request.setResponseCode(403)
            return None
        return json.loads(self.path.read_text(encoding="utf-8"))


def answer(value: Any) -> bytes:
    """Write an answer; there is none for those who may not ask."""
    return b"" if value is None else json.dumps(value).encode()


def servers(value: Any) -> Iterator[str]:
    """Find the servers in everything that the file says."""
    if isinstance(value, list):
        for each in value:
            yield from servers(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in ("home", "server") and not isinstance(each, dict):
                words = [each] if isinstance(each, str) else each
                yield from (word for word in words if word != "here")
            else:
                yield from servers(each)


if __name__ == "__main__":
    port, file, token = sys.argv[1:]
    site: Any = Site(Homes(Path(file), token))  # type: ignore[no-untyped-call]
    reactor.listenTCP(int(port), site, interface="127.0.0.1")
    reactor.run()
