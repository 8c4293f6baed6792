from __future__ import annotations

from tests.ctl.fakes import CtlTestCase
from tests.proves import proves


class Url(CtlTestCase):
    def test_a_url_is_taken_apart(self) -> None:
        url = "IMAP://al%40x;auth=*@Example.org/Caf%C3%A9;uidvalidity=7/;uid=20/;section=1.2"
        self.assertEqual(
            self.run_ctl("url", url),
            (
                0,
                "url          imap://al%40x;AUTH=*@example.org/Caf%C3%A9;UIDVALIDITY=7/;UID=20"
                "/;SECTION=1.2\n"
                "kind         section\n"
                "user         al@x\n"
                "mechanism    *\n"
                "host         example.org\n"
                "port         143\n"
                "mailbox      Café\n"
                "uidvalidity  7\n"
                "uid          20\n"
                "section      1.2\n",
                "",
            ),
        )

    def test_a_url_without_a_user_means_anonymous(self) -> None:
        code, value = self.run_json("url", "imap://example.org:1143/")
        self.assertEqual((code, value["mechanism"], value["port"]), (0, "none: anonymous", 1143))

    @proves("U7")
    def test_an_error_is_marked_where_it_is(self) -> None:
        code, out, err = self.run_ctl("url", "imap://example.org:14x/")
        self.assertEqual((code, out), (1, ""))
        first, second = err.splitlines()
        self.assertEqual(first, "imap://example.org:14x/")
        self.assertEqual(second.index("^"), first.index("x/"))

    def test_an_error_can_be_read_by_programs(self) -> None:
        code, value = self.run_json("url", "http://example.org/")
        self.assertEqual((code, value["offset"]), (1, 0))
        self.assertIn("imap", value["error"])

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        _, out, _ = self.run_ctl("url", "imap://%1B%5B2J@example.org/")
        self.assertIn("user       \\x1b[2J\n", out)
        _, _, err = self.run_ctl("url", "imap://\x1b[2J/")
        self.assertNotIn("\x1b", err)

    def test_a_part_of_a_message(self) -> None:
        url = "imap://h/a/;UID=1/;PARTIAL=10.5"
        self.assertIn("partial    from octet 10, 5 octets\n", self.run_ctl("url", url)[1])
        self.assertIn("partial    from octet 10\n", self.run_ctl("url", url[:-2])[1])
