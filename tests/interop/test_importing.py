"""What Dovecot has written is imported as it is, with folders, flags, keywords and dates."""

from __future__ import annotations

import imaplib
from datetime import UTC, datetime

from tests.ctl.test_store import StoreTestCase
from tests.interop.support import SUBJECT, InteropCase, quoted
from tests.store.support import now

FLAGS = {
    b"seen": ("\\Seen",),
    b"work": ("$Work", "\\Answered", "\\Flagged"),
    b"draft": ("\\Draft", "\\Deleted", "Other"),
}
WHEN = datetime(2020, 2, 29, 12, 30, 15, tzinfo=UTC)
FOLDERS = ("Work", "Work/2025", "Entw\u00fcrfe", "R&D", "a b")
LAYOUTS = {"": FOLDERS, ":LAYOUT=fs": (*FOLDERS, "dots.in.it")}


class FromDovecot(StoreTestCase, InteropCase):
    def test_a_maildir_of_dovecot_comes_over_whole(self) -> None:
        for layout, folders in LAYOUTS.items():
            home = self.start_home(
                [("carol", "secret")],
                folders=folders,
                settings=f"mail_location = maildir:~/{layout}\n",
            )
            with home.login("carol", "secret") as client:
                for name in folders:
                    self.fill(client, name)
            home.stop()
            user = f"carol{len(layout)}"
            self.account = now(self.store.account(user))
            now(self.empty("INBOX"))
            code, out, err = self.run_ctl(
                "store", "import", user, str(home.folder / "mail" / "carol")
            )
            self.assertEqual((code, err), (0, ""), out)
            kept = self.kept()
            self.assertIn(SUBJECT.encode(), kept.pop("INBOX")[0][0] or b"")
            self.assertEqual(set(kept), set(folders))
            for messages in kept.values():
                self.assertEqual(
                    sorted((content, sorted(flags), when) for content, flags, when in messages),
                    sorted((text(word), sorted(flags), WHEN) for word, flags in FLAGS.items()),
                )

    def fill(self, client: imaplib.IMAP4, name: str) -> None:
        """Append a message with each of the sets of flags."""
        for word, flags in FLAGS.items():
            date = imaplib.Time2Internaldate(WHEN)
            answer = client.append(quoted(name), " ".join(flags), date, text(word))
            assert answer[0] == "OK", answer


def text(word: bytes) -> bytes:
    """Make a message."""
    return b"Subject: " + word + b"\r\n\r\nFrom here to there\r\n"
