"""``referralctl convert``: what it writes where, and when it writes nothing."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

from tests.ctl.fakes import CtlTestCase
from tests.ctl.origins.support import FILES

GOOD = "alice:imap-a.example.net\nbob:rob@imap-b.example.net:1143\n"
BAD = GOOD + "ivan\n"


class Convert(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.out = Path(self.directory) / "out"

    def convert(self, *words: str, piped: str | None = None) -> tuple[int, str, str]:
        code, out, err = self.run_ctl("convert", *words, piped=piped)
        return code, out, err

    def test_a_file_without_a_fault_is_printed(self) -> None:
        code, out, err = self.convert("popmap", "-", piped=GOOD)
        self.assertEqual(code, 0)
        self.assertIn("\nalice,imap-a.example.net,,", out)
        self.assertEqual(err.count("\n"), 1)
        self.assertIn("note: -: names: 1 lines have a name before the host", err)

    def test_with_something_left_out_nothing_is_written(self) -> None:
        code, out, err = self.convert("popmap", "-", "-o", str(self.out), piped=BAD)
        self.assertEqual(code, 1)
        self.assertFalse(self.out.exists())
        self.assertIn("left out: -:3: ivan: has no colon, so makegdbm refuses it; key:host\n", err)
        self.assertIn("1 things cannot be taken over, so nothing was written", err)
        self.assertIn("written    no", out)

    def test_what_is_left_out_on_purpose_is_told_all_the_same(self) -> None:
        code, out, err = self.convert("popmap", "-", "--skip", "-o", str(self.out), piped=BAD)
        self.assertEqual(code, 1)
        self.assertIn("left out: -:3: ivan", err)
        self.assertEqual(self.out.read_text(encoding="utf-8").count("\n"), 3)
        self.assertIn("users      2", out)
        self.assertIn("written    yes", out)

    def test_a_dry_run_writes_nothing(self) -> None:
        self.out.write_text("old", encoding="utf-8")
        for piped, code in ((GOOD, 0), (BAD, 1)):
            found = self.convert(
                "popmap", "-", "-n", "--skip", "-o", str(self.out), "--names-there", piped=piped
            )
            self.assertEqual(found[0], code)
            self.assertIn("written    no", found[1])
        self.assertEqual(self.out.read_text(encoding="utf-8"), "old")

    def test_a_section_is_for_its_owner_alone(self) -> None:
        sql = "driver = pgsql\nconnect = host=a password=hush\npassword_query = SELECT host FROM t"
        code, out, err = self.convert("dovecot-sql", "-", "-o", str(self.out), piped=sql)
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("hush", out)
        (section,) = tomllib.loads(self.out.read_text(encoding="utf-8"))["backend"]
        self.assertEqual(section["dsn"], "host=a password=hush")
        self.assertEqual(stat.S_IMODE(os.stat(self.out).st_mode), 0o600)

    def test_a_secret_does_not_go_into_an_old_file_that_all_may_read(self) -> None:
        beside = Path(f"{self.out}.new")
        beside.write_text("", encoding="utf-8")
        beside.chmod(0o644)
        sql = "driver = pgsql\nconnect = host=a password=hush\npassword_query = SELECT host FROM t"
        self.convert("dovecot-sql", "-", "-o", str(self.out), piped=sql)
        self.assertEqual(stat.S_IMODE(os.stat(self.out).st_mode), 0o600)

    def test_options_reach_the_origin(self) -> None:
        code, out, _ = self.convert(
            "popmap", "-", "--names-there", "--security", "none", "--to", "table",
            "--rename", "imap-a.example.net=new.example.net", piped=GOOD,
        )  # fmt: skip
        self.assertEqual(code, 0)
        users = tomllib.loads(out)["users"]
        self.assertEqual(users["alice"], "new.example.net/none")
        self.assertEqual(users["bob"], {"server": ["imap-b.example.net:1143/none"], "user": "rob"})

    def test_programs_get_the_numbers(self) -> None:
        path = str(FILES / "mboxlist.json")
        words = ("convert", "cyrus", path, "--local", "mail3.example.net", "-n")
        code, value = self.run_json(*words)
        self.assertEqual((code, value["users"], value["mailboxes"]), (1, 5, 3))
        self.assertEqual([each["key"] for each in value["left_out"]], ["alice", "carol", "team"])
        self.assertIn("INBOX", value["left_out"][0]["right"])
        self.assertEqual(len(value["notes"]), 3)

    def test_a_name_cannot_steer_the_terminal(self) -> None:
        _, _, err = self.convert("popmap", "-", piped="a\x1b[2Jb\n")
        self.assertNotIn("\x1b", err)
