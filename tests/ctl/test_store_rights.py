"""referralctl store rights, and what check and repair make of the table, on a store on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from referrald.config.load import load
from referrald.config.settings import Config
from referrald.ctl.assembly import quiet
from referrald.model import Home
from referrald.store.rightsfile import PUBLIC, RightsFile
from referrald.storing import store_for
from tests.ctl.fakes import CONFIG, CtlTestCase, Found
from tests.store.support import now

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "shared-mailboxes.toml"
WORK = "Other Users/alice/Work"


class RightsTestCase(CtlTestCase):
    """The example of the docs, in a directory of its own."""

    def setUp(self) -> None:
        super().setUp()
        for made in ("mail", "lib/referrald"):
            os.makedirs(os.path.join(self.directory, made))
        text = EXAMPLE.read_text(encoding="utf-8").replace("/var/", f"{self.directory}/")
        self.write("r.toml", CONFIG + 'type = "fake"\n\n' + text)
        self.table = RightsFile(os.path.join(self.directory, "lib/referrald/rights"))
        self.addCleanup(self.table.close)

    def config(self) -> Config:
        found = load(os.path.join(self.directory, "r.toml")).config
        assert found is not None
        return found

    def rights(self, *arguments: str) -> str:
        """Run one command that goes well, and give what it says."""
        code, out, error = self.run_ctl("store", "rights", *arguments)
        self.assertEqual((code, error), (0, ""))
        return out

    def refused(self, *arguments: str) -> str:
        code, out, error = self.run_ctl("store", *arguments)
        self.assertEqual((code, out), (1, ""))
        return error


class Rights(RightsTestCase):
    def test_rights_are_given_shown_and_taken(self) -> None:
        self.assertEqual(self.rights("set", WORK, "bob", "lrs"), f"{WORK}: bob has lrs\n")
        self.assertEqual(self.rights("set", WORK, "bob", "+cd"), f"{WORK}: bob has lrskxte\n")
        self.assertEqual(self.rights("set", "--", WORK, "bob", "-skx"), f"{WORK}: bob has lrte\n")
        self.rights("set", "--", WORK, "-anyone", "e")
        self.assertEqual(
            self.rights("show", WORK),
            "mailbox                 who      rights\n"
            "Other Users/alice/Work  alice    lrswipkxtea\n"
            "Other Users/alice/Work  -anyone  e\n"
            "Other Users/alice/Work  bob      lrte\n",
        )
        self.assertEqual(self.rights("remove", WORK, "bob"), f"{WORK}: bob has no rights\n")
        self.assertEqual(self.table.lists("alice"), {"Work": {"-anyone": "e"}})

    def test_public_mailboxes_have_no_owner(self) -> None:
        self.rights("set", "Public", "anyone", "lr")
        self.rights("set", "Public/News", "boss", "lrswipkxtea")
        self.assertEqual(
            self.rights("show"),
            "mailbox      who     rights\n"
            "Public       anyone  lr\n"
            "Public/News  anyone  lr\n"
            "Public/News  boss    lrswipkxtea\n",
        )
        code, told = self.run_json("store", "rights", "show", "Public/Other")
        self.assertEqual(
            (code, told),
            (0, {"rights": [{"mailbox": "Public/Other", "who": "anyone", "rights": "lr"}]}),
        )

    def test_all_of_a_users_mailboxes_are_below_the_name(self) -> None:
        self.rights("set", "Other Users/alice", "bob", "l")
        self.rights("set", "Other Users/alice/inbox", "bob", "+r")
        self.assertEqual(self.table.lists("alice"), {"": {"bob": "l"}, "INBOX": {"bob": "lr"}})

    def test_a_trial_changes_nothing(self) -> None:
        said = self.rights("set", "--dry-run", WORK, "bob", "lr")
        self.assertEqual(said, f"{WORK}: bob would have lr\n")
        self.assertEqual(self.table.lists("alice"), {})
        self.rights("set", WORK, "bob", "lr")
        self.assertEqual(
            self.rights("remove", "-n", WORK), f"{WORK}: would have no list of its own\n"
        )
        self.assertEqual(self.table.lists("alice"), {"Work": {"bob": "lr"}})

    def test_a_list_can_be_taken_away(self) -> None:
        self.rights("set", "Public", "anyone", "lr")
        self.rights("set", "Public/News", "anyone", "l")
        self.assertEqual(
            self.rights("remove", "Public/News"), "Public/News: has no list of its own\n"
        )
        self.assertEqual(self.rights("remove", "Public/News"), "Public/News: has no list\n")
        self.assertIn("Public/News  anyone  lr\n", self.rights("show", "Public/News"))

    def test_what_cannot_be_is_refused(self) -> None:
        for arguments, why in (
            (("Work", "bob", "lr"), 'only what is below "Public" or "Other Users" is shared'),
            (("Other Users", "bob", "lr"), 'only what is below "Public" or "Other Users"'),
            (("Public/INBOX", "bob", "lr"), "no mailbox can be called so"),
            (("Public//x", "bob", "lr"), "empty level"),
            ((WORK, "bob", "lrq"), "rights are letters of lrswipkxtea, c and d"),
            ((WORK, "alice", "lr"), "alice is the owner, and has all rights"),
            ((WORK, "", "lr"), "name a user, or anyone"),
        ):
            self.assertIn(why, self.refused("rights", "set", *arguments), arguments)
        self.assertFalse(os.path.exists(self.table.path) and self.table.every())

    def test_where_nothing_is_shared_there_are_none(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\n\n[serve]\nstore = "memory"\n')
        self.assertIn("nothing is shared on disk", self.refused("rights", "show"))


class Mending(RightsTestCase):
    def setUp(self) -> None:
        super().setUp()
        config = self.config()
        store = store_for(config.serve, None)
        alice = now(store.account("alice"))
        now(alice.create("Work"))
        self.table.change(PUBLIC, "", "alice", "lrk", 0)
        now(alice.create("Public/News"))
        now(alice.grant("Work", "bob", "lr", 0))
        now(store.stop())

    def test_rights_on_what_is_not_there_are_found_and_taken_away(self) -> None:
        for owner, what in (("alice", ("alice",)), (PUBLIC, ("--public",))):
            self.assertEqual(self.run_ctl("store", "check", *what), (0, "all is well\n", ""))
            self.table.change(owner, "gone", "bob", "lr", 0)
            self.table.change(owner, "gone", "anyone", "l", 0)
            holders = "anyone, bob" if owner else "alice, anyone, bob"
            line = f"gone: there is no such mailbox, and {holders} have rights on it\n"
            self.assertEqual(self.run_ctl("store", "check", *what), (1, line, ""))
            self.assertEqual(self.run_ctl("store", "repair", *what), (0, "all is well\n", ""))
            self.assertNotIn("gone", self.table.lists(owner))
        self.assertIn("Work", self.table.lists("alice"))

    def test_what_is_not_shown_for_its_name_is_told_of(self) -> None:
        text = Path(self.file).read_text().replace('"Other Users"', '"Work"')
        self.write("r.toml", text)
        line = "Work: nobody sees it: names of shared mailboxes begin so\n"
        for verb in ("check", "repair"):
            self.assertEqual(self.run_ctl("store", verb, "alice"), (1, line, ""))

    def test_a_users_mail_is_the_users_own(self) -> None:
        self.assembly.found = Found(home=Home())
        code, told = self.run_json("store", "list", "alice")
        self.assertEqual((code, [row["name"] for row in told["mailboxes"]]), (0, ["INBOX", "Work"]))
        target = os.path.join(self.directory, "out")
        code, _out, error = self.run_ctl("store", "export", "alice", target)
        self.assertEqual((code, error), (0, ""))
        self.assertEqual([name for name in os.listdir(target) if "Public" in name], [])
        more = os.path.join(self.directory, "more")
        words = ("store", "export", "alice", more, "--mailbox", "Public/News")
        self.assertEqual(self.run_ctl(*words)[0], 0)
        self.assertIn(".Public.News", os.listdir(more))

    def test_rights_outlive_a_new_index(self) -> None:
        self.run_ctl("store", "reindex", "alice")
        self.assertEqual(self.table.lists("alice"), {"Work": {"bob": "lr"}})

    def test_a_broken_table_is_told_of(self) -> None:
        self.table.close()
        Path(self.table.path).write_bytes(b"x" * 5000)
        self.assertIn("file is not a database", self.refused("check", "alice"))

    def test_it_is_about_a_user_or_about_public_mailboxes(self) -> None:
        for arguments in ((), ("alice", "--public")):
            self.assertIn("name a user, or say --public", self.refused("check", *arguments))

    def test_a_trial_keeps_the_names_and_no_files(self) -> None:
        config = self.config()
        serve = quiet(config).serve
        self.assertEqual(
            (serve.store, serve.public, serve.others), ("memory", "Public", "Other Users")
        )
        shutil.rmtree(os.path.join(self.directory, "mail"))
        self.assertEqual(serve.rights, "")
