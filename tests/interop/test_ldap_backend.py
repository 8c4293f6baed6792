"""The ldap backend with a real slapd."""

from __future__ import annotations

import imaplib
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from referrald.backends.ldap.factory import factory
from referrald.errors import Unavailable
from referrald.interfaces import IPasswordCheck
from referrald.model import Home, Login, Security, Server
from referrald.testing import RICH_HOMES, BackendContract
from tests.backends.support import filled
from tests.interop.slapd import ADMIN, BASE, HOST, Slapd
from tests.interop.support import PATIENCE, InteropCase

HERE = "this.example.org"
ATTRIBUTES = {
    "filter": "(&(objectClass=inetOrgPerson)(uid=%u))",
    "list_filter": "(objectClass=inetOrgPerson)",
    "security": "employeeType",
    "user": "displayName",
    "closed": "description",
    "here": (HERE,),
}


def person(home: Home) -> dict[str, str | list[str]]:
    """Write a home as attributes."""
    if home.closed is not None:
        return {"description": home.closed}
    if not home.servers:
        return {"mailHost": HERE}
    (server, *_) = home.servers
    more = {"displayName": home.user} if home.user else {}
    security = {"employeeType": server.security.value}
    return {"mailHost": f"{server.host}:{server.port}", **security, **more}


class WithSlapd(InteropCase):
    def setUp(self) -> None:
        self.slapd = Slapd(self)

    def options(self, **more: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "servers": (f"ldaps://{HOST}:{self.slapd.tls_port}",),
            "ca": str(self.slapd.certificate),
            "base": BASE,
        }
        return filled(factory, **(given | ATTRIBUTES | more))


class Contract(BackendContract, WithSlapd, TestCase):
    more_homes: ClassVar[Mapping[str, Home]] = {
        user: home
        for user, home in RICH_HOMES.items()
        if user in ("heidi", "j\u00fcrgen", "o'brien", "with space")
    } | {
        "frank@example.com": Home(servers=(Server(host="a.example"),), user="fr ank@ex%mple"),
        "x*y": Home(servers=(Server(host="192.0.2.1", port=1143, security=Security.CLEAR),)),
        "a)(uid=*": Home(servers=(Server(host="b.example"),)),
        "back\\slash": Home(servers=(Server(host="c.example"),)),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        self.slapd.fill({user: person(home) for user, home in homes.items()})
        options = self.options()
        self.assertEqual(list(factory.check(options)), [])
        return factory.build(options, reactor)

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        people = {
            user: {"userPassword": word, "mailHost": HERE} for user, word in passwords.items()
        }
        self.slapd.fill(people)
        return factory.build(self.options(), reactor)


class Asking(WithSlapd, TestCase):
    def ask(self, check: Any, **options: Any) -> Deferred[None]:
        """Run a check on a backend of these options."""

        async def work() -> None:
            backend = factory.build(self.options(**options), reactor)
            try:
                await check(backend)
            finally:
                await backend.stop()

        return Deferred.fromCoroutine(work())

    async def refused(self, work: Any) -> str:
        try:
            await work
        except Unavailable as error:
            return str(error)
        raise AssertionError("nothing was raised")

    def hosts(self, home: Home | None) -> list[str]:
        assert home is not None
        return [str(server) for server in home.servers]

    def test_passwords_are_tried_by_a_bind(self) -> Deferred[None]:
        self.slapd.fill({"ann": {"userPassword": "secret", "mailHost": "a.example"}})

        async def check(backend: Any) -> None:
            checker = IPasswordCheck(backend)
            tries = [("ann", b"secret"), ("ann", b"Secret"), ("ann", b""), ("bob", b"secret")]
            tries += [("ann ", b"secret"), ("*", b"secret"), ("ann\0", b"secret")]
            found = [await checker.check_password(*each) for each in tries]
            self.assertEqual(found, [True, *[False] * 6])

        return self.ask(check)

    def test_starttls_comes_before_all_else_and_certificates_are_checked(self) -> Deferred[None]:
        self.slapd.fill({"ann": {"mailHost": "a.example"}})
        plain = (f"ldap://{HOST}:{self.slapd.port}",)

        async def good(backend: Any) -> None:
            self.assertEqual(self.hosts(await backend.home(Login(user="ann"))), ["a.example"])

        async def bad(backend: Any) -> None:
            await self.refused(backend.home(Login(user="ann")))

        async def both() -> None:
            known = {"bind_dn": ADMIN, "bind_password": "admin-secret"}
            await self.ask(good, servers=plain, **known)
            await self.ask(good, servers=plain, starttls=False, ca=None)
            await self.ask(bad, servers=plain, ca=None)
            await self.ask(bad, ca=None)
            other = (f"ldaps://127.0.0.1:{self.slapd.tls_port}",)
            await self.ask(bad, servers=other)

        return Deferred.fromCoroutine(both())

    def test_a_wrong_bind_is_told_without_the_password(self) -> Deferred[None]:
        async def check(backend: Any) -> None:
            told = await self.refused(backend.home(Login(user="ann")))
            self.assertIn("result 49", told)
            self.assertNotIn("mistyped", told)

        return self.ask(check, bind_dn=ADMIN, bind_password="mistyped")

    def test_rows_that_say_nothing_useful_are_errors_not_answers(self) -> Deferred[None]:
        self.slapd.fill(
            {
                "empty": {"mailHost": " "},
                "v6": {"mailHost": "2001:db8::1"},
                "port": {"mailHost": "a.example:0"},
                "odd": {"mailHost": "a b"},
                "tls": {"mailHost": "a.example", "employeeType": "maybe"},
                "none": {},
            }
        )

        async def check(backend: Any) -> None:
            for user in ("empty", "v6", "port", "odd", "tls"):
                self.assertIn(f"'{user}'", await self.refused(backend.home(Login(user=user))))
            self.assertIsNone(await backend.home(Login(user="none")))

        return self.ask(check)

    def test_several_hosts_are_replicas_in_a_fixed_order_or_spread(self) -> Deferred[None]:
        self.slapd.fill({"two": {"departmentNumber": ["b.example", "a.example"]}})

        async def check(backend: Any) -> None:
            home = await backend.home(Login(user="two"))
            self.assertEqual(self.hosts(home), ["a.example", "b.example"])
            self.assertEqual(home.spread, backend._map.spread)

        async def both() -> None:
            await self.ask(check, host="departmentNumber")
            await self.ask(check, host="departmentNumber", spread=True)

        return Deferred.fromCoroutine(both())

    def test_two_entries_for_one_name_are_an_error(self) -> Deferred[None]:
        self.slapd.fill({"a": {"mail": "x@example.org"}, "b": {"mail": "x@example.org"}})

        async def check(backend: Any) -> None:
            told = await self.refused(backend.home(Login(user="x@example.org")))
            self.assertIn("more than one", told)

        return self.ask(check, filter="(mail=%u)")

    def test_a_server_that_goes_and_comes_back_is_used_again(self) -> Deferred[None]:
        self.slapd.fill({"ann": {"mailHost": "a.example"}})

        async def check(backend: Any) -> None:
            self.assertEqual(self.hosts(await backend.home(Login(user="ann"))), ["a.example"])
            self.slapd.stop()
            self.assertIn("LDAP", await self.refused(backend.home(Login(user="ann"))))
            self.slapd.start()
            self.assertEqual(self.hosts(await backend.home(Login(user="ann"))), ["a.example"])

        return self.ask(check)

    def test_the_second_server_serves_while_the_first_is_down(self) -> Deferred[None]:
        self.slapd.fill({"ann": {"mailHost": "a.example"}})
        second = Slapd(self)
        second.fill({"ann": {"mailHost": "b.example"}})
        second.stop()
        servers = tuple(f"ldap://{HOST}:{each.port}" for each in (second, self.slapd))

        async def check(backend: Any) -> None:
            self.assertEqual(self.hosts(await backend.home(Login(user="ann"))), ["a.example"])

        return self.ask(check, servers=servers, starttls=False)

    def test_many_at_a_time_share_few_connections(self) -> Deferred[None]:
        people = {f"u{number}": {"mailHost": f"h{number}.example"} for number in range(50)}
        self.slapd.fill(people)

        async def check(backend: Any) -> None:
            users = [f"u{number % 60}" for number in range(300)]
            asked = [Deferred.fromCoroutine(backend.home(Login(user=user))) for user in users]
            for user, home in zip(users, await gatherResults(asked), strict=True):
                wanted = None if int(user[1:]) >= 50 else [f"h{user[1:]}.example"]
                self.assertEqual(home and self.hosts(home), wanted)
            self.assertLessEqual(len(backend._links._idle), 3)

        return self.ask(check, connections=3)

    def test_all_servers_are_named_page_by_page(self) -> Deferred[None]:
        people = {f"u{number}": {"mailHost": f"h{number % 7}.example"} for number in range(1200)}
        self.slapd.fill(people)

        async def check(backend: Any) -> None:
            found = {str(server) for server in await backend.targets()}
            self.assertEqual(found, {f"h{number}.example" for number in range(7)})

        return self.ask(check)


class FrontDoor(WithSlapd):
    def test_imaplib_comes_to_the_home_that_the_directory_says(self) -> None:
        home = self.start_home([("ann", "secret")])
        self.slapd.fill(
            {
                "ann": {
                    "userPassword": "secret",
                    "mailHost": f"127.0.0.1:{home.port}",
                    "employeeType": "none",
                }
            }
        )
        front = self.start_referrald(
            "",
            f"""
[[backend]]
type = "ldap"
servers = ["ldaps://{HOST}:{self.slapd.tls_port}"]
ca = "{self.slapd.certificate}"
base = "{BASE}"
filter = "(uid=%u)"
security = "employeeType"

[directory]
cache_found = "0s"
stale = "0s"

[referral]
login = "relay"
allow_clear = ["127.0.0.1"]
""",
        )
        with imaplib.IMAP4("127.0.0.1", front.port, timeout=PATIENCE) as client:
            client.login("ann", "secret")
            self.assertEqual(client.select("INBOX")[1], [b"1"])
        self.slapd.stop()
        with imaplib.IMAP4("127.0.0.1", front.port, timeout=PATIENCE) as client:
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login("ann", "secret")
            self.assertIn("UNAVAILABLE", str(caught.exception))
        self.assertNotIn("secret", front.log)
