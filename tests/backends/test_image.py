"""Images: what is written is found again, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.image import DOMAIN, HOMES_KEPT, USER, Image
from referrald.backends.imagewriter import ImageWriter
from referrald.model import Home, Server
from tests.backends.support import image_of, new_file
from tests.proves import proves

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.tuples(
    st.sampled_from([Home(), Home(closed="x"), Home(servers=(Server(host="a.example"),))]),
    st.none() | KEYS.map(str.encode),
    st.booleans(),
    st.none() | st.binary(max_size=40),
)


class Images(SynchronousTestCase):
    @given(st.dictionaries(KEYS, VALUES, max_size=40), st.lists(KEYS, max_size=20))
    def test_any_table_comes_back_as_it_was(self, table: dict, others: list[str]) -> None:
        writer = ImageWriter(file := new_file())
        for number, (key, (home, user, template, password)) in enumerate(table.items()):
            writer.add(
                USER,
                key.encode(),
                writer.home(home),
                line=number,
                user=user,
                is_template=template,
                password=password,
            )
        self.assertEqual(writer.finish({"some": "notes"}), [])
        image = Image(file)
        for number, (key, (home, user, template, password)) in enumerate(table.items()):
            found = image.find(USER, key)
            self.assertEqual(image.home(found.home), home)
            self.assertEqual(
                (found.line, found.key, found.user, found.is_template, found.password),
                (number, USER + key.encode(), user, template, password),
            )
            self.assertIsNone(image.find(DOMAIN, key))
        for key in others:
            self.assertEqual(image.find(USER, key) is None, key not in table)
        self.assertEqual((image.count, image.notes), (len(table), {"some": "notes"}))
        self.assertEqual(len(list(image.places())), len(table))
        image.close()

    def test_many_records_all_have_a_place(self) -> None:
        homes = {f"user{number}": Home(closed=f"text {number % 2000}") for number in range(5000)}
        image = image_of(homes)
        for user, home in homes.items():
            self.assertEqual(image.home(image.find(USER, user).home), home)
        self.assertLessEqual(len(image._homes), HOMES_KEPT)

    def test_no_text_is_too_odd_to_ask_for(self) -> None:
        image = image_of({"alice": Home()})
        for name in ("", "\0", "\ud800", "x" * 255, "x" * 100_000, "alice\0", "alic"):
            self.assertIsNone(image.find(USER, name))

    def test_equal_homes_are_one_object_for_all_users(self) -> None:
        image = image_of({"alice": Home(closed="x"), "bob": Home(closed="x")})
        first, second = (image.home(image.find(USER, user).home) for user in ("alice", "bob"))
        self.assertIs(first, second)

    @proves("S4")
    def test_a_record_does_not_show_its_password(self) -> None:
        writer = ImageWriter(file := new_file())
        writer.add(USER, b"alice", writer.home(Home()), password=b"PLAIN\0wonderland", line=7)
        writer.finish({})
        self.assertEqual(repr(Image(file).find(USER, "alice")), "<Record b'ualice' of line 7>")

    def test_a_file_that_is_no_complete_image_is_refused(self) -> None:
        file = new_file()
        ImageWriter(file).add(USER, b"alice", 1)
        file.write(bytes(1000))
        file.flush()
        self.assertRaises(ValueError, Image, file)
        file.truncate(5)
        self.assertRaises(ValueError, Image, file)
