from __future__ import annotations

from referrald.ctl.auth import is_welcome, login_lines
from tests.ctl.fakes import CtlTestCase
from tests.proves import proves

REFERRAL = b"a1 NO [REFERRAL imap://alice;AUTH=*@home/] Your mailbox is on another server.\r\n"


class Auth(CtlTestCase):
    def test_the_answer_is_shown_word_for_word(self) -> None:
        self.assembly.answer = b"* OK hello\r\n" + REFERRAL + b"* BYE\r\na2 OK bye\r\n"
        self.typed = ["hush"]
        self.assertEqual(self.run_ctl("auth", "alice"), (0, REFERRAL.decode()[:-2] + "\n", ""))
        self.assertEqual(self.prompts, ["Password of alice: "])
        self.assertEqual(self.assembly.lines, [b"a1 LOGIN alice hush"])
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_a_denial_ends_with_1(self) -> None:
        self.assembly.answer = b"a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
        self.typed = ["hush"]
        self.assertEqual(
            self.run_ctl("auth", "alice"),
            (1, "a1 NO [AUTHENTICATIONFAILED] Authentication failed.\n", ""),
        )

    def test_a_password_can_come_through_a_pipe(self) -> None:
        self.assembly.answer = b"a1 OK [CAPABILITY IMAP4rev1] Welcome.\r\n"
        code, value = self.run_json("auth", "alice", piped="hu sh\nmore\n")
        self.assertEqual(
            (code, value),
            (0, {"answer": "a1 OK [CAPABILITY IMAP4rev1] Welcome.", "accepted": True}),
        )
        self.assertEqual(self.assembly.lines[0], b'a1 LOGIN alice "hu sh"')
        self.assertEqual(self.prompts, [])

    @proves("S4")
    def test_a_password_cannot_be_given_as_an_argument(self) -> None:
        with self.assertRaises(SystemExit) as caught:
            self.run_ctl("auth", "alice", "hush")
        self.assertEqual(caught.exception.code, 2)

    def test_without_a_password_nothing_is_tried(self) -> None:
        expected = (1, "", "referralctl: no password was given\n")
        self.assertEqual(self.run_ctl("auth", "alice"), expected)
        self.assertEqual(self.run_ctl("auth", "alice", piped=""), expected)
        self.assertEqual(self.assembly.steps, [])

    def test_a_session_that_ends_without_an_answer_shows_its_last_line(self) -> None:
        self.assembly.answer = b"* OK hello\r\n* BYE too many connections\r\n"
        self.typed = ["hush"]
        self.assertEqual(self.run_ctl("auth", "alice"), (1, "* BYE too many connections\n", ""))

    def test_a_session_that_says_nothing(self) -> None:
        self.typed = ["hush"]
        self.assertEqual(self.run_ctl("auth", "alice"), (1, "(no answer)\n", ""))

    def test_any_password_can_be_sent(self) -> None:
        self.assertEqual(login_lines("a b", b'\\"')[0], b'a1 LOGIN "a b" "\\\\\\""')
        self.assertEqual(login_lines("é", b"\xff")[0], b"a1 LOGIN {2}\r\n\xc3\xa9 {1}\r\n\xff")

    def test_a_nul_cannot_be_sent(self) -> None:
        code, out, err = self.run_ctl("auth", "alice", piped="a\0b\n")
        self.assertEqual((code, out), (1, ""))
        self.assertTrue(err.startswith("referralctl: that cannot be sent: "), err)

    def test_a_referral_is_a_welcome(self) -> None:
        self.assertTrue(is_welcome("a1 OK done"))
        self.assertTrue(is_welcome("a1 OK [REFERRAL imap://h/] public"))
        self.assertTrue(is_welcome("a1 NO [REFERRAL imap://h/] elsewhere"))
        self.assertFalse(is_welcome("a1 NO [UNAVAILABLE] later"))
        self.assertFalse(is_welcome("a1 BAD what"))
