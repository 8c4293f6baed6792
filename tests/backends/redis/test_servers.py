"""Which of several servers is asked, with servers in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from tests.backends.redis.support import need_library


class Memory:
    """A server: what it is, and whether it is there."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.down = False
        self.asked = 0

    def role(self) -> list[Any]:
        """Say what it is, as Redis does."""
        self.get()
        return [self.kind.encode(), 0, []]

    def get(self) -> str:
        """Give its name."""
        import redis

        self.asked += 1
        if self.down:
            raise redis.ConnectionError("Connection refused.")
        return self.name

    def set(self) -> str:
        """Change something."""
        import redis

        if self.kind != "master":
            raise redis.exceptions.ReadOnlyError("You can't write against a read only replica.")
        return self.get()

    def close(self) -> None:
        """Do nothing."""


class SeveralInMemory(SynchronousTestCase):
    def setUp(self) -> None:
        need_library()
        from referrald.backends.redis import servers
        from referrald.backends.redis.access import Access
        from referrald.backends.redis.places import Place

        self.clock = Clock()
        self.a, self.b, self.c = Memory("a", "slave"), Memory("b", "master"), Memory("c", "slave")
        by_name = {each.name: each for each in (self.a, self.b, self.c)}
        self.patch(servers, "connect_later", lambda place, *_, **__: by_name[place.host])
        places = [Place(host=name) for name in by_name]
        self.servers = servers.Servers(places, Access(), self.clock.seconds)

    def read(self) -> str:
        return self.servers.read(lambda client: str(client.get()))

    def write(self) -> str:
        return self.servers.write(lambda client: str(client.set()))

    def test_the_one_that_takes_changes_is_found_and_asked_from_then_on(self) -> None:
        self.assertEqual(self.write(), "b")
        self.assertEqual([self.read() for _ in range(3)], ["b", "b", "b"])
        self.assertEqual(self.a.asked, 1)

    def test_while_it_is_down_the_next_answers_and_it_is_asked_again_later(self) -> None:
        self.write()
        self.b.down = True
        self.assertEqual(self.read(), "a")
        asked = self.b.asked
        self.assertEqual(self.read(), "a")
        self.assertEqual(self.b.asked, asked, "it has failed a moment ago")
        self.b.down = False
        self.clock.advance(2)
        self.assertEqual(self.read(), "b")

    def test_a_change_waits_for_one_that_takes_it(self) -> None:
        self.write()
        self.b.down = True
        with self.assertRaisesRegex(Unavailable, "b:6379: Connection refused.*a:6379: is a repl"):
            self.write()
        self.c.kind = "master"
        self.assertEqual(self.write(), "c")
        self.b.down = False
        self.clock.advance(2)
        self.assertEqual((self.write(), self.read()), ("c", "c"), "the old one is not believed")

    def test_one_that_becomes_a_replica_is_left_for_the_new_one(self) -> None:
        self.write()
        self.b.kind, self.a.kind = "slave", "master"
        self.assertEqual((self.write(), self.read()), ("a", "a"))

    def test_when_none_answers_all_of_them_are_named(self) -> None:
        for each in (self.a, self.b, self.c):
            each.down = True
        with self.assertRaises(Unavailable) as caught:
            self.read()
        for name in "abc":
            self.assertIn(f"redis {name}:6379: Connection refused", str(caught.exception))

    def test_an_error_in_what_is_there_is_not_looked_for_elsewhere(self) -> None:
        import redis

        def work(client: Any) -> None:
            client.get()
            raise redis.ResponseError("WRONGTYPE Operation")

        self.write()
        with self.assertRaisesRegex(Unavailable, "WRONGTYPE"):
            self.servers.read(work)
        self.assertEqual((self.a.asked, self.c.asked), (1, 0))
