"""The http backend, with services in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from docs.examples.home_service import Homes
from referrald.backends import checking
from referrald.backends.http.factory import factory, make
from referrald.backends.http.remembered import Remembered
from referrald.backends.jsonhomes import write_home
from referrald.errors import Unavailable
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IMailboxReferralBackend,
    IPasswordCheck,
    IReferralBackend,
    IReferralBackendFactory,
    ITargets,
)
from referrald.model import Home, Login, Security, Server
from referrald.testing import ODD_NAMES, RICH_HOMES, BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes
from tests.backends.mailboxjson import mailboxes_json
from tests.backends.support import BackendTestCase, filled

URL = "https://directory.example.org/"
TOKEN = "wonderland"
GOOD = {"url": URL + "home", "token": TOKEN}


class Fixed(Resource):
    """Gives the same to everybody, and keeps what was asked."""

    isLeaf = True

    def __init__(self, body: bytes = b"", code: int = 200, **headers: str) -> None:
        super().__init__()
        self.body, self.code, self.headers = body, code, headers
        self.asked: list[Any] = []

    def render(self, request: Any) -> Any:
        self.asked.append(request)
        request.setResponseCode(self.code)
        for name, value in self.headers.items():
            request.setHeader(name.replace("_", "-"), value)
        return self.body


class Silent:
    """A client that gets no answer."""

    def request(self, *given: Any, **more: Any) -> Deferred[Any]:
        return Deferred()


def client(resource: Any) -> Any:
    return StubTreq(resource)


def made(options: Any, client: Any, clock: Clock) -> Any:
    """Make a backend with a client of ours."""
    return make(options, client, lambda: succeed(None), clock)


class Contract(BackendContract, TestCase):
    more_homes = RICH_HOMES

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        path = Path(self.mktemp())
        known = {
            user: {"home": write_home(home), "password": "secret"} for user, home in homes.items()
        }
        path.write_text(json.dumps(known))
        return made(
            filled(factory, **GOOD, targets_url=URL + "targets"),
            client(Homes(path, TOKEN)),
            Clock(),
        )

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        path = Path(self.mktemp())
        known = {user: {"home": "here", "password": word} for user, word in passwords.items()}
        path.write_text(json.dumps(known))
        options = filled(factory, **GOOD, password_url=URL)
        return made(options, client(Homes(path, TOKEN)), Clock())

    more_mailboxes = RICH_MAILBOXES

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        path = Path(self.mktemp())
        path.write_text(
            json.dumps({user: mailboxes_json(given) for user, given in mailboxes.items()})
        )
        urls = {"mailboxes_url": URL + "mailboxes", "targets_url": URL + "targets"}
        return made(filled(factory, **GOOD, **urls), client(Homes(path, TOKEN)), Clock())


class Json(BackendTestCase):
    def make(self, resource: Any, **options: Any) -> Any:
        return made(filled(factory, **(GOOD | options)), client(resource), self.clock)

    def told(self, resource: Any, user: str = "ann") -> str:
        backend = self.make(resource)
        return str(self.failure(backend.home(Login(user=user)), Unavailable))

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        for options in ({}, {"password_url": URL}, {"dialect": "nginx"}):
            verifyObject(IReferralBackend, self.make(Fixed(), **options))
        verifyObject(IPasswordCheck, self.make(Fixed(), password_url=URL))
        self.assertIsNone(IPasswordCheck(self.make(Fixed()), None))
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)

    def test_no_home_and_no_such_page_are_unknown_users(self) -> None:
        for resource in (Fixed(code=404), Fixed(b'{"home": null}'), Fixed(b"{}")):
            self.assertIsNone(self.home(self.make(resource), "ann"))

    def test_all_else_is_an_error_and_never_an_answer(self) -> None:
        self.assertIn("HTTP status 500", self.told(Fixed(code=500)))
        self.assertIn("HTTP status 302", self.told(Fixed(code=302, location=URL)))
        self.assertIn("HTTP status 403", self.told(Fixed(code=403)))
        for body in (b"", b"[]", b'"x"', b"{", b"\xff", b"[" * 60_000):
            self.assertIn("JSON object", self.told(Fixed(body)))
        for home, what in (
            ("", ""),
            ("nohost", "nohost"),
            ("a.example:0", "port"),
            ("2001:db8::1", "IPv6"),
            ({}, "server"),
            ({"server": "a.example", "password": "x"}, "password"),
            ({"server": "a.example", "user": "a\r\nb"}, "user"),
            ([], "home"),
            (7, "home"),
        ):
            told = self.told(Fixed(json.dumps({"home": home}).encode()))
            self.assertIn("'ann'", told)
            self.assertIn(what, told)

    def test_an_answer_without_end_is_cut(self) -> None:
        self.assertIn("too long", self.told(Fixed(b" " * 70_000)))

    def test_an_answer_that_does_not_come_is_not_waited_for(self) -> None:
        backend = made(filled(factory, **GOOD, timeout=3.0), Silent(), self.clock)
        work = backend.home(Login(user="ann"))
        asked = Deferred.fromCoroutine(work)
        self.assertNoResult(asked)
        self.clock.advance(3)
        self.assertIn("no answer within 3 s", str(self.failureResultOf(asked, Unavailable).value))

    def test_a_kept_connection_that_was_closed_is_tried_once_more(self) -> None:
        class Once:
            def __init__(self) -> None:
                self.good = client(Fixed(b'{"home": "a.example"}'))
                self.bad = 1

            def request(self, *given: Any, **more: Any) -> Any:
                if self.bad:
                    self.bad -= 1
                    raise ResponseNeverReceived([])
                return self.good.request(*given, **more)

        backend = made(filled(factory, **GOOD), Once(), self.clock)
        self.assertEqual(self.home(backend, "ann"), Home(servers=(Server(host="a.example"),)))

    def test_passwords_are_sent_in_a_body_and_never_told(self) -> None:
        resource = Fixed(b'{"ok": true}')
        backend = self.make(resource, password_url=URL + "password")
        self.assertTrue(self.result(backend.check_password("ann", b"s3cret")))
        (request,) = resource.asked
        self.assertNotIn(b"s3cret", request.uri)
        for body in (b'{"ok": false}', b'{"ok": 1}', b'{"ok": "true"}', b"{}"):
            checks = self.make(Fixed(body), password_url=URL)
            self.assertFalse(self.result(checks.check_password("ann", b"s3cret")))
        for password in (b"", b"\xff"):
            self.assertFalse(self.result(backend.check_password("ann", password)))
        broken = self.make(Fixed(code=500), password_url=URL)
        told = str(self.failure(broken.check_password("ann", b"s3cret"), Unavailable))
        self.assertNotIn("s3cret", told)

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
    def test_a_name_stays_one_parameter_whatever_stands_in_it(self, user: str) -> None:
        resource = Fixed(code=404)
        options = filled(factory, **GOOD)
        work = made(options, client(resource), Clock()).home(Login(user=user))
        self.assertIsNone(self.result(work))
        (request,) = resource.asked
        self.assertEqual(request.args, {b"user": [user.encode()]} if user else {b"user": [b""]})


class Elsewhere(BackendTestCase):
    """What is asked about mailboxes and servers, and what is no answer."""

    def make(self, resource: Any) -> Any:
        urls = {"mailboxes_url": URL + "mailboxes", "targets_url": URL + "targets"}
        return made(filled(factory, **GOOD, **urls), client(resource), self.clock)

    def entries(self, *entries: Any) -> Any:
        return self.make(Fixed(json.dumps({"mailboxes": entries}).encode()))

    def test_it_provides_what_it_has_urls_for(self) -> None:
        for interface in (IMailboxReferralBackend, ITargets, ILifecycle):
            verifyObject(interface, self.make(Fixed()))
        plain = made(filled(factory, **GOOD), client(Fixed()), self.clock)
        for interface in (IMailboxReferralBackend, ITargets, IPasswordCheck):
            self.assertIsNone(interface(plain, None))

    def test_the_name_goes_with_the_question_about_one(self) -> None:
        resource = Fixed(b'{"mailboxes": []}')
        backend = self.make(resource)
        self.assertIsNone(self.result(backend.mailbox("ann", "a&b=c/\u00e4")))
        self.assertEqual(self.result(backend.remote_mailboxes("ann")), ())
        one, all_ = resource.asked
        self.assertEqual(one.args, {b"user": [b"ann"], b"name": ["a&b=c/\u00e4".encode()]})
        self.assertEqual(all_.args, {b"user": [b"ann"]})

    def test_subtrees_and_patterns_are_as_in_tables(self) -> None:
        backend = self.entries(
            {"match": "Team/", "server": "a.example", "folders": ["Minutes"]},
            {"match": "Lists.*", "server": "b.example/tls", "name": "Public/%m"},
        )
        found = self.result(backend.mailbox("ann", "Team/Plans/2026"))
        self.assertEqual(found.replicas[0].name, "Team/Plans/2026")
        names = [each.name for each in self.result(backend.remote_mailboxes("ann"))]
        self.assertEqual(names, ["Team", "Team/Minutes"])

    def test_what_is_wrong_is_told_and_never_taken_for_an_answer(self) -> None:
        for entries, wrong in (
            ([7], "not a list of tables"),
            ([{"match": "A"}], "mailboxes #1 server is missing"),
            ([{"match": "A", "server": "a.example:0"}], "not a port"),
            ([{"match": "A", "server": "a.example"}] * 2, "mailboxes #2 match"),
            ([{"server": "nohost"}] * 9, "more"),
        ):
            told = str(self.failure(self.entries(*entries).mailbox("ann", "A"), Unavailable))
            self.assertIn("'ann'", told)
            self.assertIn(wrong, told)
        for body, code in ((b"", 500), (b"[]", 200), (b'{"mailboxes": 7}', 200), (b"", 403)):
            backend = self.make(Fixed(body, code))
            self.failure(backend.remote_mailboxes("ann"), Unavailable)
            self.failure(backend.mailbox("ann", "A"), Unavailable)

    def test_who_is_unknown_has_no_mailboxes_elsewhere(self) -> None:
        for resource in (Fixed(code=404), Fixed(b"{}"), Fixed(b'{"mailboxes": null}')):
            self.assertIsNone(self.result(self.make(resource).mailbox("ann", "A")))
            self.assertEqual([*self.result(self.make(resource).remote_mailboxes("ann"))], [])

    def test_a_long_list_is_read_and_one_without_end_is_not(self) -> None:
        entries = [{"match": f"Folder {n}", "server": "a.example"} for n in range(2_000)]
        backend = self.entries(*entries)
        self.result(backend.start())
        self.assertEqual(len(self.result(backend.remote_mailboxes("ann"))), 2_000)
        endless = self.make(Fixed(b" " * 5_000_000))
        told = str(self.failure(endless.remote_mailboxes("ann"), Unavailable))
        self.assertIn("too long", told)

    def test_targets_are_servers(self) -> None:
        body = b'{"targets": ["a.example", "b.example:1143/none", "a.example"]}'
        servers = self.result(self.make(Fixed(body)).targets())
        clear = Server(host="b.example", port=1143, security=Security.CLEAR)
        self.assertEqual([*servers], [Server(host="a.example"), clear])
        for body in (b"{}", b'{"targets": "a.example"}', b'{"targets": ["nohost"]}', b"[]"):
            self.failure(self.make(Fixed(body)).targets(), Unavailable)
        self.failure(self.make(Fixed(code=404)).targets(), Unavailable)

    def test_a_name_that_nobody_can_write_is_not_asked_about(self) -> None:
        resource = Fixed(code=500)
        backend = self.make(resource)
        self.assertIsNone(self.result(backend.mailbox("ann", "\ud800")))
        self.assertIsNone(self.result(backend.mailbox("\ud800", "A")))
        self.assertEqual([*self.result(backend.remote_mailboxes("\ud800"))], [])
        self.assertEqual(resource.asked, [])


class Nginx(BackendTestCase):
    """nginx's dialect."""

    def make(self, **headers: str) -> Any:
        self.resource = Fixed(**headers)
        options = filled(factory, **GOOD, dialect="nginx", security="none")
        return made(options, client(self.resource), self.clock)

    def header(self, name: str) -> str:
        """Give a header of the last question."""
        return str(self.resource.asked[-1].getHeader(name))

    def test_one_question_checks_the_password_and_says_the_home(self) -> None:
        backend = self.make(Auth_Status="OK", Auth_Server="192.0.2.7", Auth_Port="143")
        self.assertTrue(self.result(backend.check_password("ann b", b"p%\r\n\xe4")))
        self.assertEqual(self.header("auth-user"), "ann%20b")
        self.assertEqual(self.header("auth-pass"), "p%25%0D%0A%E4")
        self.assertEqual(
            (self.header("auth-method"), self.header("auth-protocol")), ("plain", "imap")
        )
        server = Server(host="192.0.2.7", port=143, security=Security.CLEAR)
        self.assertEqual(self.home(backend, "ann b"), Home(servers=(server,)))
        self.assertEqual(len(self.resource.asked), 1)
        self.clock.advance(60)
        self.assertEqual(self.home(backend, "ann b"), Home(servers=(server,)))
        self.assertEqual(self.header("auth-method"), "none")
        self.assertIsNone(self.resource.asked[-1].getHeader("auth-pass"))

    def test_a_name_to_use_there_is_taken_over(self) -> None:
        backend = self.make(
            Auth_Status="OK", Auth_Server="a.example", Auth_Port="993", Auth_User="robert"
        )
        home = self.home(backend, "bob")
        assert home is not None
        self.assertEqual(home.user, "robert")

    def test_any_other_status_is_no(self) -> None:
        backend = self.make(Auth_Status="Invalid login or password", Auth_Wait="3")
        self.assertFalse(self.result(backend.check_password("ann", b"x")))
        self.assertIsNone(self.home(backend, "ann"))

    def test_answers_without_a_usable_server_are_errors(self) -> None:
        for host, port in (("", "143"), ("a.example", "0"), ("a.example", ""), ("::1", "143")):
            backend = self.make(Auth_Status="OK", Auth_Server=host, Auth_Port=port)
            self.failure(backend.home(Login(user="ann")), Unavailable)
            self.failure(backend.check_password("ann", b"x"), Unavailable)

    def test_no_name_can_make_a_header_of_its_own(self) -> None:
        backend = self.make(Auth_Status="no")
        for user in ODD_NAMES:
            self.assertIsNone(self.home(backend, user))
        for request in self.resource.asked:
            user = request.getHeader("auth-user")
            self.assertIn(unquote(user), ODD_NAMES)
            self.assertEqual(request.getHeader("auth-method"), "none")


class Remembering(SynchronousTestCase):
    def test_the_oldest_are_forgotten(self) -> None:
        clock = Clock()
        kept = Remembered(clock.seconds, 10, size=2)
        for user in "abc":
            kept.put(user, Home())
        self.assertEqual([kept.get(user) for user in "abc"], [None, Home(), Home()])
        clock.advance(10)
        self.assertIsNone(kept.get("c"))


class Factories(SynchronousTestCase):
    def wrong(self, **options: Any) -> list[str]:
        given = filled(factory, **(GOOD | options))
        return [f"{each.key}: {each.wrong}" for each in factory.check(given)]

    def test_good_options_are_good(self) -> None:
        self.assertEqual(self.wrong(), [])
        self.assertEqual(self.wrong(url="http://localhost:8080/", password_url=URL), [])
        self.assertIsNotNone(factory.build(filled(factory, **GOOD), Clock()))

    def test_passwords_travel_by_tls_only(self) -> None:
        for url in ("http://a.example/", "ftp://a", "", "https://", "https://u:p@a/", "https://[/"):
            self.assertEqual(self.wrong(url=url), ["url: is not usable"])
        self.assertEqual(self.wrong(password_url="http://a/"), ["password_url: is not usable"])

    def test_other_mistakes_are_told(self) -> None:
        for key in ("password_url", "mailboxes_url", "targets_url"):
            told = self.wrong(dialect="nginx", **{key: URL})
            self.assertEqual(told, [f"{key}: is of no use with this dialect"])
            self.assertEqual(self.wrong(**{key: "http://a/"}), [f"{key}: is not usable"])
        self.assertIn("No such file", self.wrong(ca=self.mktemp())[0])
        self.patch(checking, "find_spec", lambda name: None)
        self.assertEqual(self.wrong(), ["type: needs treq, which is not there"])
