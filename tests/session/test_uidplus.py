"""UIDs of new messages, and UID EXPUNGE."""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, say


class NewUids(SynchronousTestCase):
    def test_it_is_offered_after_login(self) -> None:
        self.assertIn(b" UIDPLUS", Home().log_in().say(b"x CAPABILITY\r\n"))

    def test_copies_are_told_in_the_order_of_the_originals(self) -> None:
        client = Home(*[SIMPLE] * 5).log_in()
        client.say(b"x CREATE other\r\nx APPEND other {1+}\r\nx\r\n")
        answer, _ = say(client, b"UID COPY 5,1:2,4 other")
        self.assertEqual(answer, b"OK [COPYUID 1002 1:2,4:5 2:5] Copied.")

    def test_any_mailbox_that_gives_uids_will_do(self) -> None:
        box, other = Mailbox(SIMPLE, SIMPLE), Mailbox(SIMPLE)
        client = Home(account=Account(INBOX=box, other=other)).log_in()
        answer, _ = say(client, b"COPY 1:2 other")
        self.assertEqual(answer, b"OK [COPYUID 7 10,20 11:12] Copied.")
        answer, _ = say(client, b"APPEND other {1+}\r\nx")
        self.assertEqual(answer, b"OK [APPENDUID 7 13] Appended.")

    def test_what_is_not_the_uid_at_the_end_is_not_told(self) -> None:
        for said in (None, 2, 1, "11", object()):
            other = Mailbox(SIMPLE)
            add = other.addMessage
            other.addMessage = lambda *given, add=add, said=said: (  # type: ignore[method-assign]
                add(*given) and succeed(said)
            )
            client = Home(account=Account(INBOX=Mailbox(SIMPLE), other=other)).log_in()
            self.assertEqual(say(client, b"APPEND other {1+}\r\nx")[0], b"OK Appended.")
            self.assertEqual(say(client, b"COPY 1 other")[0], b"OK Copied.")

    def test_nothing_copied_has_nothing_to_tell(self) -> None:
        self.assertEqual(say(Home().log_in(), b"UID COPY 99 INBOX")[0], b"OK Copied.")


@proves("base:EXPUNGE/CLOSE")
class UidExpunge(SynchronousTestCase):
    def test_only_those_that_are_named_and_marked_go(self) -> None:
        home = Home(*[SIMPLE] * 4)
        client, other = home.log_in(), home.log_in()
        say(client, b"STORE 1:3 +FLAGS.SILENT \\Deleted")
        say(other, b"NOOP")
        answer, untagged = say(client, b"UID EXPUNGE 2:9")
        self.assertEqual(answer, b"OK Expunged.")
        self.assertEqual(
            [line for line in untagged if line[2] == b"EXPUNGE"],
            [[b"*", 3, b"EXPUNGE"], [b"*", 2, b"EXPUNGE"]],
        )
        left = [(m.uid, m.getFlags()) for m in home.inbox.messages]
        self.assertEqual(left, [(1, ["\\Deleted"]), (4, [])])
        told = [line for line in say(other, b"NOOP")[1] if line[2] == b"EXPUNGE"]
        self.assertEqual([line[1] for line in told], [3, 2])

    def test_any_mailbox_will_do(self) -> None:
        box = Mailbox(*[SIMPLE] * 3)
        client = Home(account=Account(INBOX=box)).log_in()
        say(client, b"STORE 1:2 +FLAGS.SILENT \\Deleted")
        self.assertEqual(say(client, b"UID EXPUNGE 20")[1], [[b"*", 2, b"EXPUNGE"]])
        self.assertEqual([(m.uid, m.flags) for m in box.messages], [(10, ["\\Deleted"]), (30, [])])

    def test_not_in_a_mailbox_that_is_read_only(self) -> None:
        answer, _ = say(Home().log_in(b"EXAMINE INBOX"), b"UID EXPUNGE 1:*")
        self.assertTrue(answer.startswith(b"NO [NOPERM] "), answer)
