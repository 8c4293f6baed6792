"""The http backend with a service that was made for nginx: passwords, and a header besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from referrald.backends.http.factory import factory
from referrald.model import Home
from referrald.testing import ODD_NAMES, PasswordContract
from tests.backends.support import BackendTestCase, filled
from tests.backends.test_http import GOOD, client, made


class AuthHttp(Resource):
    """A service for nginx's mail proxy, as simple as they come."""

    isLeaf = True

    def __init__(self, passwords: Mapping[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords = passwords

    def render_GET(self, request: Any) -> bytes:
        user = unquote(request.getHeader("auth-user"))
        known = self.passwords.get(user)
        right = request.getHeader("auth-method") == "none"
        shown = unquote_to_bytes(request.getHeader("auth-pass") or "")
        if known is None or not (right or shown == known.encode()):
            request.setHeader("Auth-Status", "Invalid login or password")
            return b""
        for name, value in (("Status", "OK"), ("Server", "192.0.2.1"), ("Port", "143")):
            request.setHeader(f"Auth-{name}", value)
        return b""


class ExtraHeader(BackendTestCase):
    def test_it_goes_with_every_question_and_is_shown_nowhere(self) -> None:
        seen: list[str | None] = []

        class Looking(AuthHttp):
            def render_GET(self, request: Any) -> bytes:
                seen.append(request.getHeader("x-auth-key"))
                return super().render_GET(request)

        options = filled(factory, **GOOD, dialect="nginx", header="X-Auth-Key: hush hush")
        self.assertEqual(list(factory.check(options)), [])
        backend = made(options, client(Looking({"ann": "secret"})), Clock())
        self.assertTrue(self.result(backend.check_password("ann", b"secret")))
        self.assertEqual(seen, ["hush hush"])
        self.assertNotIn("hush", repr(backend))

    def test_what_is_no_header_is_a_problem_that_does_not_quote_it(self) -> None:
        for header in (
            "hush", "X Key: hush", "X-Key: ", "X-Key: hush\r\nA: b", "X-Key: h\u00fcsh", ": hush",
            "Host: hush", "authorization: hush", "X-Key: hush ",
        ):  # fmt: skip
            problems = factory.check(filled(factory, **GOOD, header=header))
            self.assertEqual([each.key for each in problems], ["header"], header)
            self.assertNotIn("hush", str(problems))


class NginxContract(PasswordContract, TestCase):
    """The dialect of nginx knows no home without a password, or an own word for it."""

    odd_names = ODD_NAMES

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        options = filled(factory, **GOOD, dialect="nginx")
        return made(options, client(AuthHttp(passwords)), Clock())

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        return self.make_password_backend({})
