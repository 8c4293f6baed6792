"""Several sessions on one mailbox on disk: a model predicts all that they are told."""

from __future__ import annotations

import re

from tests.interop.stress import Session, Stress
from tests.interop.support import InteropCase
from tests.proves import proves

STEPS = 250


@proves("K10")
class ManySessions(InteropCase):
    def stressed(self, port: int, seed: int) -> Stress:
        """Let four sessions work on alice's INBOX, which is empty."""
        sessions = [Session(port, "alice", "secret") for _ in range(4)]
        for session in sessions:
            self.addCleanup(session.close)
        stress = Stress(sessions, seed)
        stress.run(STEPS)
        return stress

    def test_every_session_is_told_what_the_model_says(self) -> None:
        folder = self.folder()
        store = f'[serve]\nstore = "maildir"\nroot = "{folder}/%u"\n'
        more = "[limits]\nconnections_per_address = 0\n"
        front = self.start_referrald("alice:{PLAIN}secret::::::\n", store + more)
        with_other = Session(front.port, "alice", "secret")
        with_other.ask("CREATE Other")
        with_other.close()
        stress = self.stressed(front.port, 1)
        _answer, told = stress.sessions[0].ask("STATUS Other (MESSAGES)")
        self.assertIn(b"(MESSAGES %d)" % stress.model.moved, told[-1])
        files = [each for part in ("cur", "new") for each in (folder / "alice" / part).iterdir()]
        self.assertEqual(len(files), len(stress.model.messages))
        self.assertIsNone(re.search("Traceback|Unhandled", front.log), front.log)

    @proves("K17")
    def test_so_are_two_users_of_one_mailbox(self) -> None:
        """Each moves messages into a mailbox of the user's own."""
        folder = self.folder()
        (folder / "mail").mkdir()
        front = self.start_referrald(
            "alice:{PLAIN}secret::::::\nbob:{PLAIN}secret::::::\n",
            f"""
[serve]
store = "maildir"
root = "{folder}/mail/%u"
others = "Other Users"
rights = "{folder}/rights"

[limits]
connections_per_address = 0
""",
        )
        first = [Session(front.port, user, "secret") for user in ("alice", "bob")]
        for session in first:
            session.ask("CREATE Other")
        first[0].ask("SETACL INBOX bob lrswite")
        shared = '"Other Users/alice/INBOX"'
        sessions = [first[0], Session(front.port, "alice", "secret")]
        sessions += [Session(front.port, "bob", "secret", shared) for _ in range(2)]
        for session in (*sessions, first[1]):
            self.addCleanup(session.close)
        stress = Stress(sessions, 3)
        stress.run(STEPS)
        moved = 0
        for session in (sessions[0], sessions[2]):
            _answer, told = session.ask("STATUS Other (MESSAGES)")
            counted = re.search(rb"MESSAGES (\d+)", told[-1])
            moved += int(counted[1]) if counted else 0
        self.assertEqual(moved, stress.model.moved)
        self.assertIsNone(re.search("Traceback|Unhandled", front.log), front.log)

    def test_the_model_is_right_about_dovecot_too(self) -> None:
        settings = "mailbox_idle_check_interval = 1 secs\nmail_location = maildir:~/\n"
        home = self.start_home([("alice", "secret")], folders=["Other"], settings=settings)
        first = Session(home.port, "alice", "secret")
        first.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        first.ask("EXPUNGE")
        first.close()
        self.stressed(home.port, 2)
