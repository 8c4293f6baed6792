"""The two dialects of the ``http`` backend: JSON, and nginx's ``auth_http``."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from zope.interface import implementer

from referrald.backends.http.asking import Answer, Service
from referrald.backends.http.remembered import Remembered
from referrald.backends.jsonhomes import JsonHomes, read_object
from referrald.backends.servers import Wrong, make_server, plain_text, port_number
from referrald.errors import Unavailable
from referrald.interfaces import IPasswordCheck, IReferralBackend
from referrald.model import Home, Login, Security

FOUND: Final = 200
UNKNOWN: Final = 404

PRINTED: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
"""What stands for itself in a header; all else is percent-encoded."""


@implementer(IReferralBackend)
class JsonBackend:
    """Asks ``GET url?user=NAME``; the answer is ``{"home": …}`` in the form that tables have.

    Status 404, or a home that is null, is an unknown user.
    """

    def __init__(self, homes: Service) -> None:
        self._homes = homes
        self._reader = JsonHomes()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        if not _is_text(login.user):
            return None
        answer = await self._homes.get(params={"user": login.user})
        if answer.code == UNKNOWN:
            return None
        value = _object(answer).get("home")
        return None if value is None else self._reader.read(login.user, value)


@implementer(IPasswordCheck)
class CheckingJsonBackend(JsonBackend):
    """A `JsonBackend` that also asks ``POST url`` with ``{"user": …, "password": …}``.

    ``{"ok": true}`` says that the password is right.
    """

    def __init__(self, homes: Service, passwords: Service) -> None:
        super().__init__(homes)
        self._passwords = passwords

    async def check_password(self, user: str, password: bytes) -> bool:
        """Say whether a password is the user's; one that is not UTF-8 is nobody's."""
        try:
            text = password.decode("utf-8")
        except UnicodeDecodeError:
            return False
        if not text or not _is_text(user):
            return False
        answer = await self._passwords.post({"user": user, "password": text})
        return answer.code != UNKNOWN and _object(answer).get("ok") is True


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
        if not login.user or not _is_text(login.user):
            return None
        return self._read(login.user, await self._ask(login.user, "none", "", login.peer))

    async def check_password(self, user: str, password: bytes) -> bool:
        """Say whether a password is the user's."""
        if not password or not user or not _is_text(user):
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


def _object(answer: Answer) -> dict[str, Any]:
    """Read a JSON object; raises `Unavailable`."""
    if answer.code != FOUND:
        raise Unavailable(f"the service answered with HTTP status {answer.code}")
    found = read_object(answer.body)
    if found is None:
        raise Unavailable("the service did not answer with a JSON object")
    return found


def _is_text(user: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in user)
