"""Writing images: what comes twice, what is too much, and that no key can be made to collide."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import imagewriter
from referrald.backends.image import DOMAIN, USER, Image, hash_of
from referrald.backends.imagewriter import ImageWriter, TooLarge
from referrald.model import Home, Server
from tests.backends.support import new_file


class Writing(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = new_file()
        self.writer = ImageWriter(self.file)

    def test_every_key_that_comes_again_is_told_with_both_lines(self) -> None:
        home = self.writer.home(Home())
        for line, key in enumerate((b"alice", b"bob", b"alice", b"carol", b"alice"), 1):
            self.writer.add(USER, key, home, line=line)
        self.writer.add(DOMAIN, b"alice", home, line=6)
        self.assertEqual(self.writer.finish({}), [(b"ualice", 1, 3), (b"ualice", 1, 5)])

    def test_a_home_is_kept_once(self) -> None:
        self.assertEqual(self.writer.home(Home(closed="x")), self.writer.home(Home(closed="x")))
        self.assertNotEqual(self.writer.home(Home(closed="x")), self.writer.home(Home()))

    def test_many_different_homes_are_no_matter(self) -> None:
        self.patch(imagewriter, "RECENT", 3)
        found = [self.writer.home(Home(ttl=float(number % 7))) for number in range(50)]
        self.assertEqual(found, [found[number % 7] for number in range(50)])

    def test_it_remembers_every_server(self) -> None:
        servers = [Server(host=f"{name}.example") for name in "abc"]
        self.writer.home(Home(servers=(servers[0], servers[1])))
        self.writer.home(Home(servers=(servers[1], servers[2])))
        self.assertEqual(list(self.writer.servers), servers)

    def test_more_than_can_be_addressed_is_refused(self) -> None:
        self.patch(imagewriter, "LARGEST", 1000)
        self.assertRaises(TooLarge, self._fill)

    def _fill(self) -> None:
        for number in range(100):
            self.writer.add(USER, b"%d" % number, 1)

    def test_an_empty_image_is_one(self) -> None:
        self.writer.finish({})
        self.assertIsNone(Image(self.file).find(USER, "alice"))

    def test_hashes_differ_from_image_to_image(self) -> None:
        salts = []
        for _ in range(2):
            writer = ImageWriter(file := new_file())
            writer.finish({})
            salts.append(Image(file).salt)
        self.assertNotEqual(hash_of(b"ualice", salts[0]), hash_of(b"ualice", salts[1]))
