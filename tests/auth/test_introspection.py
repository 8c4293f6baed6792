from __future__ import annotations

import json
from base64 import b64decode
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from referrald.auth.credentials import BearerToken
from referrald.auth.introspection import Form, IntrospectionChecker, TokenServer
from referrald.errors import ConfigurationError, Unavailable
from tests.auth.support import AuthTestCase
from tests.proves import proves

URL = "https://tokens.example.com/introspect"


class Sink:
    """Takes a request's body."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class Response:
    """A response whose body comes when the test says so."""

    def __init__(self, code: int = 200) -> None:
        self.code = code
        self.protocol: Any = None
        self.aborted = False

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.transport = self

    def abortConnection(self) -> None:
        self.aborted = True

    def finish(self, body: bytes, reason: Exception | None = None) -> None:
        self.protocol.dataReceived(body)
        self.protocol.connectionLost(Failure(reason or ResponseDone()))


@implementer(IAgent)
class FakeAgent:
    """Remembers requests; the test answers them."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes, Headers, bytes]] = []
        self.waiting: list[Deferred[Any]] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[Any]:
        sink = Sink()
        assert headers is not None and bodyProducer is not None
        bodyProducer.startProducing(sink)
        assert bodyProducer.length == len(sink.data)
        self.requests.append((method, uri, headers, sink.data))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def answer(self, code: int = 200, **fields: Any) -> Response:
        response = self.begin(code)
        response.finish(json.dumps(fields).encode())
        return response

    def begin(self, code: int = 200) -> Response:
        response = Response(code)
        self.waiting.pop(0).callback(response)
        return response


class IntrospectionTestCase(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.use()

    def use(self, **settings: Any) -> None:
        self.agent = FakeAgent()
        server = TokenServer(url=URL, **settings)
        self.checker = IntrospectionChecker(
            server, self.agent, clock=self.clock, now=self.clock.seconds
        )

    def ask(self, token: bytes = b"t0ken") -> Deferred[Any]:
        return self.checker.requestAvatarId(BearerToken(token=token))


class QuestionTests(IntrospectionTestCase):
    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)
        verifyObject(IBodyProducer, Form(b""))

    def test_the_token_is_posted_as_a_form(self) -> None:
        self.ask(b"t0ken+/=")
        method, uri, headers, body = self.agent.requests[0]
        self.assertEqual((method, uri), (b"POST", URL.encode()))
        form = parse_qs(body.decode("ascii"))
        self.assertEqual(form, {"token": ["t0ken+/="], "token_type_hint": ["access_token"]})
        content = headers.getRawHeaders(b"Content-Type")
        self.assertEqual(content, [b"application/x-www-form-urlencoded"])
        self.assertFalse(headers.hasHeader(b"Authorization"))

    def test_we_log_in_with_our_own_name_and_secret(self) -> None:
        self.use(client_id="imap door", client_secret="a:b%")
        self.ask()
        header = self.agent.requests[0][2].getRawHeaders(b"Authorization")
        assert header is not None
        self.assertEqual(b64decode(header[0].removeprefix(b"Basic ")), b"imap+door:a%3Ab%25")

    def test_a_good_token_gives_its_user(self) -> None:
        asking = self.ask()
        self.agent.answer(active=True, username="joe")
        self.assertEqual(self.successResultOf(asking), b"joe")

    def test_a_bad_token_is_unauthorized(self) -> None:
        for answer in ({"active": False}, {"active": True, "username": "joe", "exp": 0}):
            asking = self.ask()
            self.agent.answer(**answer)
            self.failureResultOf(asking, UnauthorizedLogin)

    def test_what_a_token_must_be_is_passed_on(self) -> None:
        self.use(user_claim="email", scope="mail", audience=("imap",))
        asking = self.ask()
        self.agent.answer(active=True, email="joe@example.com", scope="mail", aud="imap")
        self.assertEqual(self.successResultOf(asking), b"joe@example.com")


@proves("S1")
class FaultTests(IntrospectionTestCase):
    def test_no_answer_in_time_is_unavailable_and_cuts_the_connection(self) -> None:
        asking = self.ask()
        response = self.agent.begin()
        self.clock.advance(5)
        self.failureResultOf(asking, Unavailable)
        self.assertTrue(response.aborted)

    def test_an_answer_without_end_is_cut(self) -> None:
        asking = self.ask()
        response = self.agent.begin()
        for _ in range(3):
            response.protocol.dataReceived(b" " * 40_000)
        self.failureResultOf(asking, Unavailable)
        self.assertTrue(response.aborted)
        response.protocol.connectionLost(Failure(ResponseDone()))

    def test_another_status_or_no_json_is_unavailable(self) -> None:
        for code, body in ((401, b""), (500, b'{"active": true}'), (200, b"<html>")):
            asking = self.ask()
            self.agent.begin(code).finish(body)
            error = self.failureResultOf(asking, Unavailable).value
            self.assertIn("token server", str(error))

    def test_a_connection_that_breaks_off_is_a_fault(self) -> None:
        asking = self.ask()
        self.agent.begin().finish(b'{"active"', ValueError())
        self.failureResultOf(asking)
        asking = self.ask()
        self.agent.waiting.pop().errback(ConnectionRefusedError())
        self.failureResultOf(asking, ConnectionRefusedError)

    def test_a_body_of_unknown_length_is_read_to_its_end(self) -> None:
        asking = self.ask()
        self.agent.begin().finish(b'{"active": true, "username": "joe"}', PotentialDataLoss())
        self.assertEqual(self.successResultOf(asking), b"joe")

    def test_open_questions_are_bounded(self) -> None:
        self.use(at_once=1)
        first = self.ask(b"a")
        self.failureResultOf(self.ask(b"b"), Unavailable)
        self.agent.answer(active=False)
        self.failureResultOf(first, UnauthorizedLogin)
        self.assertNoResult(self.ask(b"c"))


class MemoryTests(IntrospectionTestCase):
    def good(self, token: bytes = b"t0ken", **fields: Any) -> None:
        asking = self.ask(token)
        self.agent.answer(active=True, username="joe", **fields)
        self.successResultOf(asking)

    def asked_again(self, token: bytes = b"t0ken") -> bool:
        before = len(self.agent.requests)
        self.ask(token).addErrback(lambda _: None)
        return len(self.agent.requests) > before

    def test_a_good_token_is_not_asked_about_for_a_while(self) -> None:
        self.good()
        self.clock.advance(59)
        self.assertEqual(self.successResultOf(self.ask()), b"joe")
        self.assertTrue(self.asked_again(b"other"))
        self.clock.advance(1)
        self.assertTrue(self.asked_again())

    def test_never_longer_than_the_token_is_good(self) -> None:
        self.good(exp=10)
        self.clock.advance(10)
        self.assertTrue(self.asked_again())

    def test_a_bad_token_is_asked_about_each_time(self) -> None:
        asking = self.ask()
        self.agent.answer(active=False)
        self.failureResultOf(asking, UnauthorizedLogin)
        self.assertTrue(self.asked_again())

    def test_memory_is_bounded_and_can_be_switched_off(self) -> None:
        self.use(cache_size=2)
        for token in (b"a", b"b", b"c"):
            self.good(token)
        self.assertEqual(len(self.checker._good), 2)
        self.use(cache=0)
        self.good()
        self.assertTrue(self.asked_again())


class SettingsTests(AuthTestCase):
    def test_tokens_travel_encrypted_or_not_at_all(self) -> None:
        for url in (URL, "http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]/x"):
            TokenServer(url=url)
        for url in (
            "http://tokens.example.com/x",
            "ftp://localhost/x",
            "https://",
            "tokens.example.com",
            "https://[::1/x",
            "https://user:S3cret@tokens.example.com/",
            "https://bücher.example/",
        ):
            error = self.assertRaises(ConfigurationError, TokenServer, url=url)
            self.assert_hidden(b"S3cret", error)

    def test_a_checker_is_made_of_a_configuration_section(self) -> None:
        section = SimpleNamespace(
            url=URL, client_id="a", client_secret="b", user_claim="sub", scope="s", timeout=3.0
        )
        checker = IntrospectionChecker.from_settings(section, Clock())
        self.assertEqual(checker._settings.user_claim, "sub")
        verifyObject(IAgent, checker._agent)


@proves("S4")
class SecrecyTests(IntrospectionTestCase):
    def test_nothing_shows_a_token_or_our_secret(self) -> None:
        self.use(client_id="door", client_secret="S3cret")
        errors = []
        for code, body in ((500, b"T0ken"), (200, b"T0ken"), (200, b'{"active": false}')):
            asking = self.ask(b"T0ken")
            self.agent.begin(code).finish(body)
            errors.append(self.failureResultOf(asking).value)
        shown = (*errors, self.checker, self.checker._settings, Form(b"token=T0ken"))
        for secret in (b"S3cret", b"T0ken"):
            self.assert_hidden(secret, *shown)
