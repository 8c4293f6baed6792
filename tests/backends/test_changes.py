"""Whose answers differ between two images."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.changes import changes
from referrald.backends.image import DOMAIN, USER, Image
from referrald.backends.imagewriter import ImageWriter
from referrald.model import Home
from tests.backends.support import image_of, new_file

A, B = Home(closed="a"), Home(closed="b")
TABLES = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.sampled_from([A, B]))


class Changes(SynchronousTestCase):
    @given(TABLES, TABLES)
    def test_exactly_the_users_with_another_home_are_named(
        self, before: dict[str, Home], after: dict[str, Home]
    ) -> None:
        wanted = {user for user in before.keys() | after if before.get(user) != after.get(user)}
        self.assertEqual(changes(image_of(before), image_of(after)), tuple(sorted(wanted)))

    def test_another_line_is_no_change(self) -> None:
        one, other = image_of({"alice": A, "bob": B}), image_of({"bob": B, "alice": A})
        self.assertEqual(changes(one, other), ())

    def test_too_many_changes_are_not_counted(self) -> None:
        many = {f"user{number}": A for number in range(101)}
        self.assertIsNone(changes(image_of({}), image_of(many)))
        self.assertIsNone(changes(image_of(many), image_of({})))
        del many["user7"]
        self.assertEqual(len(changes(image_of(many), image_of({})) or ()), 100)

    def test_other_rules_may_concern_anybody(self) -> None:
        one, other = image_of({}, {"rules": {"default": 1}}), image_of({}, {"rules": {}})
        self.assertIsNone(changes(one, other))

    def test_a_changed_domain_may_concern_anybody(self) -> None:
        self.assertIsNone(changes(image_of({}), self.domain(A)))
        self.assertIsNone(changes(self.domain(A), self.domain(B)))
        self.assertIsNone(changes(self.domain(A), image_of({})))
        self.assertEqual(changes(self.domain(A), self.domain(A)), ())

    def domain(self, home: Home) -> Image:
        writer = ImageWriter(file := new_file())
        writer.add(DOMAIN, b"example.org", writer.home(home))
        writer.finish({})
        return Image(file)

    def test_another_password_or_name_there_is_a_change(self) -> None:
        images = [
            self.single(user, template, password)
            for user in (None, b"", b"x")
            for template in (False, True)
            for password in (None, b"1", b"2")
        ]
        for one in images:
            for other in images:
                self.assertEqual(changes(one, other), () if one is other else ("alice",))

    def single(self, user: bytes | None, template: bool, password: bytes | None) -> Image:
        writer = ImageWriter(file := new_file())
        home = writer.home(A)
        writer.add(USER, b"alice", home, user=user, is_template=template, password=password)
        writer.finish({})
        return Image(file)
