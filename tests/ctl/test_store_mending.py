"""referralctl store check, repair and reindex, on an account on disk."""

from __future__ import annotations

import os

from tests.ctl.fakes import CONFIG, CtlTestCase
from tests.store.maildir.support import Site, messages, put


class Mending(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.site = Site(os.path.join(self.directory, "mail"))
        os.mkdir(os.path.join(self.directory, "mail"))
        self.site.root = os.path.join(self.directory, "mail", "alice")
        self.site.template = self.site.root
        put(self.site.open(), "INBOX", b"a", b"b")
        self.site.close()
        self.addCleanup(self.site.close)
        self.configure("maildir")

    def configure(self, store: str) -> None:
        serve = f'\n[serve]\nstore = "{store}"\n'
        if store == "maildir":
            serve += 'root = "mail/%u"\n'
        self.write("r.toml", CONFIG + 'type = "fake"\n' + serve)

    def test_all_is_well(self) -> None:
        self.assertEqual(self.run_ctl("store", "check", "alice"), (0, "all is well\n", ""))

    def test_what_is_wrong_is_listed_and_put_right(self) -> None:
        self.site.deliver(b"new\n", "1.2.host", part="cur")
        line = "INBOX: 1 files in cur are not in the index"
        self.assertEqual(self.run_ctl("store", "check", "alice"), (1, line + "\n", ""))
        code, found = self.run_json("store", "check", "alice")
        self.assertEqual((code, found["root"]), (1, self.site.root))
        self.assertEqual(
            found["faults"],
            [
                {
                    "mailbox": "INBOX",
                    "wrong": "1 files in cur are not in the index",
                    "mended_by_repair": True,
                }
            ],
        )
        self.assertEqual(self.run_ctl("store", "repair", "alice"), (0, "all is well\n", ""))
        self.assertEqual(len(messages(self.site.open())), 3)

    def test_an_index_is_made_anew(self) -> None:
        code, out, _err = self.run_ctl("store", "reindex", "alice")
        self.assertEqual(code, 1)
        self.assertIn("is an index that was put away", out)
        self.assertEqual([text for text, _flags in messages(self.site.open())], [b"a", b"b"])

    def test_a_user_without_mail_gets_none_by_a_look(self) -> None:
        code, out, _err = self.run_ctl("store", "check", "bob")
        self.assertEqual((code, out.startswith("there is no index")), (1, True))
        self.assertEqual(os.listdir(os.path.join(self.directory, "mail")), ["alice"])
        code, _out, err = self.run_ctl("store", "repair", "bob")
        self.assertNotEqual(code, 0)
        self.assertTrue(err)

    def test_without_mail_on_disk_there_is_nothing_to_look_at(self) -> None:
        self.configure("memory")
        code, _out, err = self.run_ctl("store", "check", "alice")
        self.assertNotEqual(code, 0)
        self.assertIn("nothing is kept on disk", err)
