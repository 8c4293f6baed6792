"""A web service that says where users live: all that the ``http`` backend asks of one.

Run as ``python home_service.py PORT FILE TOKEN``. FILE has a JSON object with an object for each
user: ``home``, in the form of the table file, and ``password``, here in plain text.
"""

import hmac
import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Homes(Resource):
    """``GET /home?user=NAME`` and ``POST /password``."""

    isLeaf = True

    def __init__(self, path: Path, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path
        self.token = f"Bearer {token}".encode()

    def render_GET(self, request: Any) -> bytes:
        """Say where a user lives."""
        user = request.args.get(b"user", [b""])[0].decode("utf-8", "replace")
        known = self.known(request, user)
        return json.dumps({"home": known["home"]}).encode() if known else b""

    def render_POST(self, request: Any) -> bytes:
        """Say whether a password is right."""
        asked = json.loads(request.content.read())
        known = self.known(request, asked["user"])
        if known is None:
            return b""
        right = hmac.compare_digest(asked["password"].encode(), known["password"].encode())
        return json.dumps({"ok": right}).encode()

    def known(self, request: Any, user: str) -> Any:
        """Give what the file has of a user; says no to those who may not ask."""
        if not hmac.compare_digest(request.getHeader("authorization") or "", self.token.decode()):
            request.setResponseCode(403)
            return None
        found = json.loads(self.path.read_text(encoding="utf-8")).get(user)
        if found is None:
            request.setResponseCode(404)
        return found


if __name__ == "__main__":
    port, file, token = sys.argv[1:]
    site: Any = Site(Homes(Path(file), token))  # type: ignore[no-untyped-call]
    reactor.listenTCP(int(port), site, interface="127.0.0.1")
    reactor.run()
