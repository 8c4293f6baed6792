"""The dialect ``nginx`` of the ``http`` backend: what nginx's mail proxy asks by ``auth_http``."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from zope.interface import implementer

from referrald.backends.http.asking import Answer, Service
from referrald.backends.http.homes import FOUND, is_text
from referrald.backends.http.remembered import Remembered
from referrald.backends.servers import Wrong, make_server, plain_text, port_number
from referrald.errors import Unavailable
from referrald.interfaces import IPasswordCheck, IReferralBackend
from referrald.model import Home, Login, Security

PRINTED: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
"""What stands for itself in a header; all else is percent-encoded."""


@implementer(IReferralBackend, IPasswordCheck)
class NginxBackend:
    """Speaks as nginx's mail proxy does with its ``auth_http`` service.

    Such a service checks the password and says the home in one answer. So the home is remembered
    from the check; for a user who has proved who it is in another way the service is asked with
    ``Auth-Method: none``.
    """

    def __init__(self, service: Service, security: Security, known: Remembered) -> None:
        self._service = service
        self._security = security
        self._known = known

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        just_said = self._known.get(login.user)
        if just_said is not None:
            return just_said
        if not login.user or not is_text(login.user):
            return None
        return self._read(login.user, await self._ask(login.user, "none", "", login.peer))

    async def check_password(self, user: str, password: bytes) -> bool:
        """Say whether a password is the user's."""
        if not password or not user or not is_text(user):
            return False
        secret = quote(password, safe=PRINTED)
        home = self._read(user, await self._ask(user, "plain", secret, ""))
        if home is not None:
            self._known.put(user, home)
        return home is not None

    async def _ask(self, user: str, method: str, secret: str, peer: str) -> Answer:
        headers = {
            "Auth-Method": method,
            "Auth-User": quote(user, safe=PRINTED),
            "Auth-Protocol": "imap",
            "Auth-Login-Attempt": "1",
        }
        if secret:
            headers["Auth-Pass"] = secret
        if peer:
            headers["Client-IP"] = quote(peer, safe=PRINTED)
        answer = await self._service.get(headers=headers)
        if answer.code != FOUND:
            raise Unavailable(f"the service answered with HTTP status {answer.code}")
        return answer

    def _read(self, user: str, answer: Answer) -> Home | None:
        """Read an answer; None when it says no."""
        headers = answer.headers
        if headers.get("auth-status", "").strip() != "OK":
            return None
        try:
            port = port_number(headers.get("auth-port", "").strip())
            server = make_server(headers.get("auth-server", "").strip(), port, self._security)
            there = plain_text(headers.get("auth-user", user).strip())
        except Wrong as error:
            raise Unavailable(f"the answer about {user!r}: {error}") from None
        return Home(servers=(server,), user=None if there == user else there)
