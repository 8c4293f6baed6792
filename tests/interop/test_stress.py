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

    def test_the_model_is_right_about_dovecot_too(self) -> None:
        settings = "mailbox_idle_check_interval = 1 secs\nmail_location = maildir:~/\n"
        home = self.start_home([("alice", "secret")], folders=["Other"], settings=settings)
        first = Session(home.port, "alice", "secret")
        first.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        first.ask("EXPUNGE")
        first.close()
        self.stressed(home.port, 2)
