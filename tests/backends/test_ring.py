"""The ring: who goes where, and who does not move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from referrald.backends.ring import Ring, factory
from referrald.backends.ringspec import Member
from referrald.backends.serverwords import write_servers
from referrald.config.load import load
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory, ITargets
from referrald.model import Home, Security, Server
from referrald.testing import BackendContract
from referrald.testing.backends import ODD_NAMES
from tests.backends.sql.support import ME
from tests.backends.support import BackendTestCase, filled

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "ring.toml"
NAMES = [f"user{number}@example.org" for number in range(3_000)]
HOSTS = st.lists(
    st.integers(0, 40).map(lambda number: f"imap{number}.example.org"),
    min_size=1,
    max_size=8,
    unique=True,
)
WEIGHTS = st.integers(1, 5)


def members(hosts: Mapping[str, int]) -> list[Member]:
    return [Member(server=Server(host=host), weight=weight) for host, weight in hosts.items()]


def places(hosts: Mapping[str, int], copies: int = 1) -> dict[str, Home]:
    ring = Ring(members(hosts), copies)
    return {name: ring.home(name) for name in NAMES}


class RingContract(BackendContract, TestCase):
    """Each user is alone in a group with one server."""

    more_homes = {
        "j\u00fcrgen": Home(servers=(Server(host="a", port=1143, security=Security.CLEAR),)),
        "o'brien": Home(),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        servers = [f"{write_servers(home.servers)}#g{n}" for n, home in enumerate(homes.values())]
        groups = [f"{user}=g{n}" for n, user in enumerate(homes)]
        return factory.build(filled(factory, servers=servers, groups=groups), Clock())


class Spreading(SynchronousTestCase):
    @settings(max_examples=25, deadline=None)
    @given(HOSTS, st.data())
    def test_a_server_that_is_added_moves_its_own_share_only(
        self, hosts: list[str], data: Any
    ) -> None:
        before = {host: data.draw(WEIGHTS) for host in hosts}
        new = "new.example.org"
        old, now = places(before), places({new: data.draw(WEIGHTS), **before})
        for name in NAMES:
            if now[name] != old[name]:
                self.assertEqual(now[name].servers[0].host, new)

    @settings(max_examples=25, deadline=None)
    @given(HOSTS, st.data())
    def test_a_server_that_is_taken_away_moves_its_own_users_only(
        self, hosts: list[str], data: Any
    ) -> None:
        weights = {host: data.draw(WEIGHTS) for host in hosts}
        gone = data.draw(st.sampled_from(hosts))
        old = places({**weights, "last.example.org": 1})
        del weights[gone]
        now = places({**weights, "last.example.org": 1})
        for name in NAMES:
            if old[name].servers[0].host != gone:
                self.assertEqual(now[name], old[name])

    @settings(max_examples=25, deadline=None)
    @given(HOSTS, st.randoms())
    def test_the_order_of_the_servers_does_not_matter(self, hosts: list[str], random: Any) -> None:
        mixed = list(hosts)
        random.shuffle(mixed)
        self.assertEqual(places(dict.fromkeys(hosts, 1)), places(dict.fromkeys(mixed, 1)))

    @settings(max_examples=25, deadline=None)
    @given(HOSTS)
    def test_more_weight_moves_users_to_that_server_only(self, hosts: list[str]) -> None:
        light = dict.fromkeys(hosts, 2)
        old, now = places(light), places({**light, hosts[0]: 4})
        for name in NAMES:
            if now[name] != old[name]:
                self.assertEqual(now[name].servers[0].host, hosts[0])

    def test_shares_are_as_the_weights_are(self) -> None:
        ring = Ring(members({"a": 1, "b": 2, "c": 5}))
        count = Counter(ring.home(f"u{n}").servers[0].host for n in range(40_000))
        for host, share in (("a", 1 / 8), ("b", 2 / 8), ("c", 5 / 8)):
            self.assertLess(abs(count[host] / 40_000 - share), 0.01)

    def test_copies_are_the_servers_that_would_be_next(self) -> None:
        hosts = dict.fromkeys("abcd", 1)
        two = places(hosts, 2)
        for name in NAMES[:200]:
            first, second = two[name].servers
            without = {host: 1 for host in hosts if host != first.host}
            self.assertEqual(Ring(members(without)).home(name).servers, (second,))

    def test_where_somebody_goes_never_changes_with_a_release(self) -> None:
        ring = Ring(members({"a": 1, "b": 1, "c": 2}))
        found = "".join(ring.home(f"user{n}").servers[0].host for n in range(20))
        self.assertEqual(found, EXPECTED)


EXPECTED = "cbcaaccacccbcbcabbbb"


class Backends(BackendTestCase):
    def make(self, *servers: str, **options: Any) -> Any:
        given_ = filled(factory, servers=servers, **options)
        self.assertEqual(list(factory.check(given_)), [])
        return factory.build(given_, self.clock)

    def wrong(self, *servers: str, **options: Any) -> str:
        (problem,) = factory.check(filled(factory, servers=servers, **options))
        self.assertEqual(str(problem).count("\n"), 0)
        return str(problem)

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        backend = self.make("a", "b")
        verifyObject(ITargets, backend)
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)
        self.assertEqual(repr(backend), "<RingBackend of 2 servers>")

    def test_everybody_has_a_home_but_those_whom_there_cannot_be(self) -> None:
        backend = self.make("a", "b")
        for name in ODD_NAMES:
            home = self.home(backend, name)
            if home is None:
                self.assertFalse(
                    name.isprintable() and name.strip() == name and 0 < len(name.encode()) < 256,
                    repr(name),
                )

    def test_names_in_any_case_go_to_the_same_server(self) -> None:
        backend = self.make("a", "b", "c")
        for number in range(50):
            self.assertEqual(
                self.home(backend, f"User{number}"), self.home(backend, f"uSER{number}")
            )

    def test_groups_have_servers_of_their_own(self) -> None:
        backend = self.make("a", "b#staff", "c#staff", groups=["*@staff.example=staff"])
        self.assertEqual(self.home(backend, "x@example.org").servers[0].host, "a")
        hosts = {self.home(backend, f"u{n}@staff.example").servers[0].host for n in range(50)}
        self.assertEqual(hosts, {"b", "c"})

    def test_without_servers_for_all_others_they_are_unknown(self) -> None:
        backend = self.make("b#staff", groups=["*@staff.example=staff"])
        self.assertIsNone(self.home(backend, "x@example.org"))

    def test_this_server_may_be_one_of_them(self) -> None:
        backend = self.make("here*2", "a")
        found = Counter(self.home(backend, f"u{n}").here for n in range(300))
        self.assertGreater(found[True], found[False])
        self.assertEqual(self.result(backend.targets()), (Server(host="a"),))

    def test_what_is_wrong_is_told(self) -> None:
        for servers, options, said in (
            ((), {}, "servers: is empty"),
            (("::1",), {}, "IPv6"),
            (("a:0",), {}, "is not a port"),
            (("a*0",), {}, "is not a weight"),
            (("a", "a*2"), {}, "is there twice"),
            (("a#",), {}, "no name of a group"),
            (("a#x",), {}, 'nobody is in the group "x"'),
            (("a",), {"groups": ["*@b=x"]}, 'no server is in the group "x"'),
            (("a",), {"groups": ["x"]}, "names no group"),
        ):
            self.assertIn(said, self.wrong(*servers, **options))
            self.assertFalse(
                [each for each in factory.targets(filled(factory, servers=servers)) if not each]
            )

    def test_the_example_has_exceptions_in_front(self) -> None:
        path = self.folder / "ring.toml"
        path.write_bytes(EXAMPLE.read_bytes())
        loaded = load(str(path))
        assert loaded.config is not None, loaded.problems
        exceptions, ring = (
            each.factory.build(each.options, self.clock) for each in loaded.config.backends
        )
        self.result(exceptions.start())
        self.addCleanup(lambda: self.result(exceptions.stop()))
        home = Home(servers=(Server(host="imap-9.example.org"),))
        self.result(exceptions.set_home({"alice": home}, ME))
        self.assertEqual(self.home(exceptions, "alice"), home)
        self.assertIsNone(self.home(exceptions, "bob"))
        self.assertTrue(self.home(ring, "bob").servers)
        self.assertIn("gold", self.home(ring, "x@gold.example.org").servers[0].host)
