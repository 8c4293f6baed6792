"""The etcd backend against a real server, which each run of these tests starts itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from referrald.backends.keyvalue import etcd as module
from referrald.backends.keyvalue import etcdwatch
from referrald.backends.keyvalue.factory import etcd as factory
from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation
from referrald.model import Home
from referrald.testing import RICH_HOMES, BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes
from tests.backends.keyvalue.etcdserver import Etcd
from tests.backends.keyvalue.support import (
    ME,
    ON_A,
    ON_B,
    PATIENT,
    SOON,
    StoreTestCase,
    clock,
    hang,
    until,
    value,
)
from tests.backends.mailboxjson import mailboxes_json
from tests.backends.support import filled

server: Any = None
sites = 0


def setUpModule() -> None:
    global server
    server = Etcd()


def tearDownModule() -> None:
    if server is not None:
        server.remove()


def new_site() -> dict[str, str]:
    """Give the prefixes of a site that has nothing yet."""
    global sites
    sites += 1
    return {"prefix": f"site{sites}/homes/", "history": f"site{sites}/history/"}


@pytest.mark.interop
class Contract(BackendContract, TestCase):
    more_homes = RICH_HOMES
    more_mailboxes = RICH_MAILBOXES

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        options = filled(factory, servers=[server.url], timeout=PATIENT, **new_site())
        backend = factory.build(options, clock)
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return factory.build(options, clock)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        self.site = new_site()
        self.mailboxes_now = {user: dict(given) for user, given in mailboxes.items()}
        for user in mailboxes:
            self.put_mailboxes(user)
        options = filled(factory, servers=[server.url], timeout=PATIENT, mailboxes=True)
        return factory.build(options | self.site, clock)

    def put_mailboxes(self, user: str) -> None:
        server.put(self.site["prefix"] + user, json.dumps(mailboxes_json(self.mailboxes_now[user])))

    def change_mailbox(self, backend: Any, user: str, name: str, location: MailboxLocation) -> None:
        self.mailboxes_now[user][name] = location
        self.put_mailboxes(user)


class EtcdTestCase(StoreTestCase):
    factory = factory

    def setUp(self) -> None:
        super().setUp()
        self.site = new_site()

    def given(self) -> dict[str, Any]:
        return {"servers": [server.url], **self.site}

    def put(self, user: str, home: Home) -> None:
        server.put(self.site["prefix"] + user, value(home))


@pytest.mark.interop
class Following(EtcdTestCase):
    def test_a_move_by_etcdctl_is_told_by_name_within_a_second(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("ann", ON_A)
            heard: list[str | None] = []
            await until(lambda: heard or (backend.watch(heard.append) and True))
            self.put("ann@example.org", ON_B)
            self.assertLess(await until(lambda: "ann@example.org" in heard), SOON)
            self.assertEqual(await self.home(backend, "ann@example.org"), ON_B)
            server.ctl("del", self.site["prefix"] + "ann")
            self.assertLess(await until(lambda: "ann" in heard), SOON)
            self.assertIsNone(await self.home(backend, "ann"))

        return self.run_with(work)

    def test_keys_of_nobody_tell_nothing(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            for key in ("", "a/b", "%61nn", "a%2fb", "%ZZ", "\u00e4"):
                server.put(self.site["prefix"] + key, value(ON_A))
            server.put(self.site["prefix"].replace("homes", "others") + "ann", value(ON_A))
            self.put("last", ON_A)
            await until(lambda: "last" in heard)
            self.assertEqual(heard, ["last"])
            self.assertEqual(await backend.export(), [("last", ON_A)])

        return self.run_with(work)

    def test_nothing_is_lost_when_a_watch_is_begun_anew(self) -> Deferred[None]:
        self.patch(module, "RENEW", 0.05)

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            users = [f"user{number}" for number in range(20)]
            for user in users:
                self.put(user, ON_A)
                await deferLater(clock, 0.02)
            await until(lambda: users[-1] in heard)
            self.assertEqual(sorted({str(user) for user in heard}), sorted(users))
            self.assertNotIn("cannot be reached", self.logged())

        return self.run_with(work)

    def test_many_changes_at_once_are_told_of_everybody(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            await backend.set_home({f"user{number}": ON_A for number in range(120)}, ME)
            await until(lambda: heard)
            self.assertEqual(heard, [None])

        return self.run_with(work)


@pytest.mark.interop
class Revisions(EtcdTestCase):
    """The store by itself: from which revision on it tells what."""

    def store(self) -> Any:
        backend = self.build()
        self.addCleanup(backend._close)
        return backend._store

    def follow(self, store: Any, heard: list[Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(
            store.follow(lambda keys: heard.append(keys and list(keys)), lambda: None)
        )

    async def until_told(self, store: Any) -> list[Any]:
        heard: list[Any] = []
        following = self.follow(store, heard)
        await until(lambda: heard or following.called)
        if following.called:
            await following
        else:
            following.addErrback(lambda failure: failure.trap(CancelledError))
            following.cancel()
        return heard

    async def test_what_has_changed_between_two_watches_is_told(self) -> None:
        store = self.store()
        await store.position()
        self.put("ann", ON_A)
        self.assertEqual(await self.until_told(store), [[self.key("ann")]])
        self.put("bob", ON_A)
        self.assertEqual(await self.until_told(store), [[self.key("bob")]])

    def key(self, user: str) -> bytes:
        return (self.site["prefix"] + user).encode()

    async def test_after_a_compaction_of_what_was_to_be_told_everybody_may_have_changed(
        self,
    ) -> None:
        store = self.store()
        await store.position()
        for home in (ON_A, ON_B, ON_A):
            self.put("ann", home)
        server.ctl("compaction", str(server.revision()))
        self.assertEqual(await self.until_told(store), [])
        self.assertEqual(await self.until_told(store), [None])
        self.put("bob", ON_A)
        self.assertEqual(await self.until_told(store), [[self.key("bob")]])

    async def test_a_site_where_nothing_happens_does_not_care_about_compactions(self) -> None:
        self.patch(module, "RENEW", 0.3)
        self.patch(etcdwatch, "SETTLED", 0.0)
        store = self.store()
        await store.position()
        for _ in range(3):
            server.put("other", "thing")
            heard: list[Any] = []
            await self.follow(store, heard)
            server.put("other", "thing")
            server.ctl("compaction", str(server.revision()))
        self.assertEqual(heard, [])
        self.put("ann", ON_A)
        self.assertIn(await self.until_told(store), ([[self.key("ann")]], []))

    async def test_who_never_knew_where_to_begin_takes_everything_for_changed(self) -> None:
        self.assertEqual(await self.until_told(self.store()), [None])


@pytest.mark.interop
class Outages(EtcdTestCase):
    def test_a_server_that_stops_is_no_answer_until_it_is_back(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("ann", ON_A)
            self.assertEqual(await self.home(backend, "ann"), ON_A)
            heard: list[str | None] = []
            backend.watch(heard.append)
            server.stop()
            try:
                self.assertIn(server.url, await self.failure(self.home(backend, "ann")))
                await until(lambda: "cannot be reached" in self.logged())
            finally:
                server.start()
            self.put("bob", ON_B)
            await until(lambda: "bob" in heard)
            self.assertNotIn(None, heard)
            await until(lambda: "can be reached again" in self.logged())
            self.assertEqual(self.logged().count("cannot be reached"), 1)
            self.assertEqual(await self.home(backend, "ann"), ON_A)

        return self.run_with(work)

    def test_under_load_every_lookup_ends_with_the_answer_or_as_unavailable(self) -> Deferred[None]:
        async def ask(backend: Any) -> Home | str | None:
            try:
                return await self.home(backend, "ann")
            except Unavailable:
                return "unavailable"

        async def work(backend: Any) -> None:
            self.put("ann", ON_A)
            answers: list[Any] = []

            async def asking() -> None:
                while "stop" not in answers or answers[-1] != ON_A:
                    answers.append(await ask(backend))
                    await deferLater(clock, 0.002)

            work = [Deferred.fromCoroutine(asking()) for _ in range(16)]
            await until(lambda: len(answers) > 50)
            server.stop()
            await until(lambda: "unavailable" in answers)
            server.start()
            answers.append("stop")
            for each in work:
                await each
            self.assertEqual({str(each) for each in answers} - {str(ON_A)}, {"unavailable", "stop"})

        return self.run_with(work)

    def test_a_cluster_that_was_made_anew_is_another_one(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for _ in range(5):
                self.put("ann", ON_A)
            self.assertEqual(await self.home(backend, "ann"), ON_A)
            heard: list[str | None] = []
            backend.watch(heard.append)
            server.forget()
            server.start()
            await until(lambda: None in heard)
            self.assertIsNone(await self.home(backend, "ann"))
            self.put("bob", ON_B)
            await until(lambda: "bob" in heard)

        return self.run_with(work)

    def test_one_that_is_down_at_the_start_is_waited_for(self) -> Deferred[None]:
        server.stop()

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            try:
                await self.failure(self.home(backend, "ann"))
            finally:
                server.start()
            await until(lambda: heard)
            self.assertEqual(heard, [None])
            self.put("ann", ON_B)
            await until(lambda: "ann" in heard)

        return self.run_with(work)

    def test_a_server_that_is_down_or_silent_is_passed_over(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.put("ann", ON_A)
            await until(lambda: "ann" in heard or None in heard)
            self.assertEqual(await self.home(backend, "ann"), ON_A)
            begun = clock.seconds()
            for _ in range(5):
                self.assertEqual(await self.home(backend, "ann"), ON_A)
            self.assertLess(clock.seconds() - begun, 2.0)

        servers = ["http://127.0.0.1:1", hang(self), server.url]
        return self.run_with(work, servers=servers, timeout=2.0)

    def test_silence_has_an_end(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            said = await self.failure(self.home(backend, "ann"))
            self.assertIn("no answer within 0.2 s", said)

        return self.run_with(work, servers=[hang(self)], timeout=0.2)


@pytest.mark.interop
class BadValues(EtcdTestCase):
    def test_a_value_that_is_no_home_is_no_answer(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for said, wrong in (
                ("", "no JSON object"),
                ("imap-a.example.org", "no JSON object"),
                ("[]", "no JSON object"),
                ("{", "no JSON object"),
                ("[" * 60_000, "no JSON object"),
                ('{"home": ""}', "home"),
                ('{"home": {}}', "server"),
                ('{"home": {"server": ""}}', "server"),
                ('{"home": {"server": []}}', "server"),
                ('{"home": "imap-a.example.org:0"}', "port"),
                ('{"home": "2001:db8::7"}', "IPv6"),
                ('{"home": {"server": "a.example", "user": "a\\r\\nb"}}', "user"),
            ):
                server.put(self.site["prefix"] + "ann", said)
                told = await self.failure(self.home(backend, "ann"))
                self.assertIn("'ann'", told)
                self.assertIn(wrong, told)
                self.assertIn("'ann'", await self.failure(backend.export()))

        return self.run_with(work)

    def test_mailboxes_stand_beside_the_home_and_stay_when_it_changes(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            team = {"match": "Team/", "server": "imap-c.example.org/none", "folders": ["Plans"]}
            given = {"home": "imap-a.example.org", "mailboxes": [team]}
            server.put(self.site["prefix"] + "ann", json.dumps(given))
            await backend.set_home({"ann": ON_B}, ME)
            names = [each.name for each in await backend.remote_mailboxes("ann")]
            self.assertEqual(names, ["Team", "Team/Plans"])
            hosts = {each.host for each in await backend.targets()}
            self.assertEqual(hosts, {"imap-b.example.org", "imap-c.example.org"})
            del given["home"]
            server.put(self.site["prefix"] + "ann", json.dumps(given))
            self.assertIsNone(await self.home(backend, "ann"))
            self.assertIsNotNone(await backend.mailbox("ann", "Team/Plans"))
            self.assertIn("imap-c.example.org", {each.host for each in await backend.targets()})
            given["mailboxes"] = [{"match": "Team/", "server": ""}]
            server.put(self.site["prefix"] + "ann", json.dumps(given))
            for asked in (backend.mailbox("ann", "Team/x"), backend.remote_mailboxes("ann")):
                self.assertIn("'ann'", await self.failure(asked))

        return self.run_with(work, mailboxes=True)

    def test_no_home_and_no_value_are_unknown_users(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for said in ("{}", '{"home": null}', '{"quota": 7}'):
                server.put(self.site["prefix"] + "ann", said)
                self.assertIsNone(await self.home(backend, "ann"))
            self.assertIsNone(await self.home(backend, "bob"))
            self.assertEqual(await backend.export(), [])

        return self.run_with(work)

    def test_a_name_stays_in_its_key_whatever_stands_in_it(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for key in ("", "a", "../history/x", "/", "*", "%"):
                server.put(self.site["prefix"] + key, value(ON_A))
            server.put(self.site["history"] + "x", value(ON_A))
            for user in (
                "", "*", ")", "\\", "'", "%", "/", "../history/x", ".", "..", "a\n", "a\0", "\0",
                "a\r\nX-Header: y", "a b", "\u00e4", "x" * 10_000, "\ud800", "%61", "a%00", "a/",
            ):  # fmt: skip
                self.assertIsNone(await self.home(backend, user), user[:40])
            self.assertEqual(await self.home(backend, "a"), ON_A)

        return self.run_with(work)
