"""Users spread over servers by weight, each always in the same way."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home, Login, Server
from referrald.routing.asking import Nonsense, ask
from referrald.spreading import order_for
from referrald.testing import MemoryBackend

SERVERS = st.lists(
    st.builds(
        Server,
        host=st.sampled_from(["a.example", "b.example", "c.example", "d.example"]),
        port=st.integers(140, 143),
        weight=st.integers(1, 9),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda server: (server.host, server.port),
)
USERS = [f"user{number}@example.org" for number in range(4000)]


class Spreading(SynchronousTestCase):
    @given(st.text(), SERVERS, st.randoms())
    def test_a_user_has_one_order_however_the_servers_stand(self, user, servers, random) -> None:  # type: ignore[no-untyped-def]
        order = order_for(user, servers)
        self.assertEqual(sorted(map(str, order)), sorted(map(str, servers)))
        random.shuffle(servers)
        self.assertEqual(order_for(user, servers), order)

    @given(st.text(), SERVERS, st.integers(0, 5))
    def test_without_one_server_the_others_stay_in_order(
        self, user: str, servers: list[Server], which: int
    ) -> None:
        gone = servers[which % len(servers)]
        left = [server for server in servers if server is not gone]
        expected = [server for server in order_for(user, servers) if server is not gone]
        self.assertEqual(list(order_for(user, left)), expected)

    @given(st.text(), SERVERS, st.integers(0, 5))
    def test_more_weight_never_puts_a_server_back(
        self, user: str, servers: list[Server], which: int
    ) -> None:
        which %= len(servers)
        one = servers[which]
        heavier = Server(host=one.host, port=one.port, weight=one.weight + 1)
        others = [*servers[:which], heavier, *servers[which + 1 :]]
        before, after = order_for(user, servers).index(one), order_for(user, others).index(heavier)
        self.assertLessEqual(after, before)

    def test_shares_are_as_the_weights(self) -> None:
        for weights in ((1, 1), (3, 1), (1, 2, 5), (1, 1, 1, 1, 1)):
            servers = [
                Server(host=f"h{number}.example", weight=weight)
                for number, weight in enumerate(weights)
            ]
            counts = Counter(order_for(user, servers)[0] for user in USERS)
            for server in servers:
                share = server.weight / sum(weights)
                self.assertLess(abs(counts[server] / len(USERS) - share), 0.03)

    def test_the_users_of_one_that_is_down_go_to_all_others_by_weight(self) -> None:
        servers = [Server(host=f"h{weight}.example", weight=weight) for weight in (1, 2, 3)]
        orders = [order_for(user, servers) for user in USERS]
        moved = Counter(order[1] for order in orders if order[0] is servers[0])
        self.assertLess(abs(moved[servers[1]] / moved.total() - 2 / 5), 0.06)

    def test_upper_case_makes_no_difference(self) -> None:
        for user in USERS[:50]:
            small = order_for(user, [Server(host="a.example"), Server(host="b.example")])
            large = order_for(user, [Server(host="A.Example"), Server(host="B.EXAMPLE")])
            self.assertEqual([each.host for each in small], [each.host.lower() for each in large])


class Asked(SynchronousTestCase):
    """The order is set where a backend's answer comes in, so that all that follows has the same."""

    servers = tuple(Server(host=f"h{number}.example") for number in range(5))

    def ask(self, home: Home, user: str = "bob") -> Home:
        asked = ensureDeferred(ask("memory", MemoryBackend({user: home}), Login(user=user)))
        found = self.successResultOf(asked)
        assert found is not None
        return found

    def test_only_a_home_that_spreads_is_put_in_order(self) -> None:
        self.assertEqual(self.ask(Home(servers=self.servers)).servers, self.servers)
        found = {self.ask(Home(servers=self.servers, spread=True), user) for user in USERS[:50]}
        self.assertGreater(len({home.servers[0] for home in found}), 3)
        for home in found:
            self.assertEqual(set(home.servers), set(self.servers))

    def test_weights_that_cannot_be_are_nonsense(self) -> None:
        for weight in (0, -1, True, 1.5, "2"):
            home = Home(servers=(Server(host="a.example", weight=weight),), spread=True)  # type: ignore[arg-type]
            asked = ensureDeferred(ask("memory", MemoryBackend({"bob": home}), Login(user="bob")))
            self.failureResultOf(asked, Nonsense)
