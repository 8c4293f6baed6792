from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.redis.places import Place, read_place
from referrald.backends.servers import Wrong


class Places(SynchronousTestCase):
    def test_urls_are_read(self) -> None:
        for text, place in (
            ("redis://r.example", Place(host="r.example")),
            ("rediss://r.example:6390/", Place(host="r.example", port=6390, tls=True)),
            ("redis://[2001:db8::1]:7", Place(host="2001:db8::1", port=7)),
            ("unix:///run/my%20redis.sock", Place(socket="/run/my redis.sock")),
        ):
            self.assertEqual(read_place(text), place)

    def test_what_is_no_place_is_wrong(self) -> None:
        for text in (
            "", "r.example", "r.example:6379", "http://r.example", "redis://", "redis://r:0",
            "redis://r:99999", "redis://r:x", "redis://r/5", "unix://run/redis.sock", "unix:",
            "redis://r?db=1", "redis://r#x", "redis://[::1",
        ):  # fmt: skip
            with self.assertRaises(Wrong, msg=text):
                read_place(text)

    def test_a_password_in_it_is_wrong_and_not_told(self) -> None:
        for text in ("redis://:hush@r.example", "redis://me:hush@r.example", "redis://:hush@r:x"):
            with self.assertRaises(Wrong) as caught:
                read_place(text)
            self.assertNotIn("hush", caught.exception.wrong + caught.exception.right)

    @given(st.text())
    def test_any_text_is_read_or_wrong(self, text: str) -> None:
        try:
            found = read_place(text)
        except Wrong:
            return
        self.assertTrue(found.host or found.socket)
