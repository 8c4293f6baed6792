from __future__ import annotations

from twisted.internet.task import Clock

from referrald.auth.cache import SuccessCache
from tests.auth.support import AuthTestCase
from tests.proves import proves


class SuccessCacheTests(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.cache = self.make()

    def make(self, seconds: float = 10, size: int = 3) -> SuccessCache:
        return SuccessCache(seconds=seconds, size=size, clock=self.clock.seconds)

    def keep(self, user: str, password: bytes = b"x", cache: SuccessCache | None = None) -> bytes:
        cache = cache or self.cache
        key = cache.key(user, password)
        cache.put(key, user, cache.generation)
        return key

    def test_what_was_kept_is_found_until_its_time_is_over(self) -> None:
        key = self.keep("joe")
        self.clock.advance(9.9)
        self.assertEqual(self.cache.get(key), "joe")
        self.clock.advance(0.2)
        self.assertIsNone(self.cache.get(key))
        self.assertEqual(len(self.cache), 0)

    def test_another_password_is_not_found(self) -> None:
        self.keep("joe")
        self.assertIsNone(self.cache.get(self.cache.key("joe", b"y")))
        self.assertNotEqual(self.cache.key("jo", b"ex"), self.cache.key("joe", b"x"))

    def test_keys_of_two_processes_differ(self) -> None:
        self.assertNotEqual(self.make().key("joe", b"x"), self.make().key("joe", b"x"))

    def test_any_name_has_a_key(self) -> None:
        self.assertEqual(len(self.cache.key("\udcff\ud800", b"\xff")), 16)

    def test_a_full_cache_drops_what_was_not_used_for_longest(self) -> None:
        keys = [self.keep(user) for user in ("a", "b", "c")]
        self.cache.get(keys[0])
        keys.append(self.keep("d"))
        self.assertEqual([self.cache.get(key) for key in keys], ["a", None, "c", "d"])
        self.assertEqual(len(self.cache), 3)

    def test_keeping_again_starts_the_time_anew(self) -> None:
        key = self.keep("joe")
        self.clock.advance(8)
        self.keep("joe")
        self.clock.advance(8)
        self.assertEqual(self.cache.get(key), "joe")
        self.assertEqual(len(self.cache), 1)

    def test_a_user_is_forgotten_with_all_passwords(self) -> None:
        mine = [self.keep("joe"), self.keep("joe", b"y")]
        other = self.keep("ann")
        self.cache.forget("joe")
        self.cache.forget("nobody")
        self.assertEqual([self.cache.get(key) for key in mine], [None, None])
        self.assertEqual(self.cache.get(other), "ann")

    def test_everything_is_forgotten(self) -> None:
        key = self.keep("joe")
        self.cache.forget(None)
        self.assertIsNone(self.cache.get(key))
        self.assertEqual(self.cache._keys_of, {})

    def test_a_check_that_began_before_something_was_forgotten_is_not_kept(self) -> None:
        generation = self.cache.generation
        self.cache.forget("joe")
        key = self.cache.key("joe", b"old")
        self.cache.put(key, "joe", generation)
        self.assertIsNone(self.cache.get(key))

    def test_it_can_be_switched_off(self) -> None:
        for cache in (self.make(seconds=0), self.make(size=0)):
            self.assertIsNone(cache.get(self.keep("joe", cache=cache)))

    def test_nothing_is_left_of_what_was_dropped(self) -> None:
        for number in range(50):
            self.keep(str(number))
        self.assertEqual((len(self.cache), len(self.cache._keys_of)), (3, 3))

    @proves("S4")
    def test_it_holds_no_password(self) -> None:
        self.keep("joe", b"S3cret")
        self.assert_hidden(b"S3cret", self.cache, vars(self.cache))
