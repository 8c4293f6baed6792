"""Cyrus's list of mailboxes, as versions 2 and 3 write it."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.ctl.origins.support import Table, read, read_text, told


class Cyrus(TestCase):
    USERS = ("alice", "bob", "jo.doe", "erin@example.org")

    def test_both_forms_of_a_real_list_say_the_same(self) -> None:
        old, new = (read("cyrus", name) for name in ("mboxlist.old", "mboxlist.json"))
        self.assertEqual(old.homes, new.homes)
        key = lambda entry: (entry["match"], str(entry.get("for")))  # noqa: E731
        self.assertEqual(sorted(old.mailboxes, key=key), sorted(new.mailboxes, key=key))
        strip = lambda found: sorted(str(x).partition(" ")[2] for x in found.left_out)  # noqa: E731
        self.assertEqual(strip(old), strip(new))

    def test_users_live_where_their_inbox_is(self) -> None:
        found = read("cyrus", "mboxlist.json", renamed={"mail1.example.net": "one.example.net"})
        hosts = {user: home.servers[0].host for user, home in found.homes.items()}
        self.assertEqual(
            hosts,
            {
                "alice": "one.example.net", "bob": "mail2.example.net",
                "jo.doe": "one.example.net", "erin@example.org": "mail2.example.net",
            },
        )  # fmt: skip
        problems = "\n".join(told(found.left_out))
        self.assertIn('alice: the mailbox "Archive" is at mail2.example.net', problems)
        self.assertIn("carol: has mailboxes but no INBOX", problems)
        self.assertIn("dave: is at the server whose list this is", problems)
        self.assertIn("team: group:staff has a right", problems)
        self.assertEqual(
            read("cyrus", "mboxlist.old", local="x").homes["dave"].servers[0].host, "x"
        )

    def test_shared_mailboxes_are_entries_of_a_table(self) -> Deferred[None]:
        folder = Path(self.mktemp())
        folder.mkdir()
        table = Table(read("cyrus", "mboxlist.json"), folder)
        self.assertEqual(list(table.problems), [])

        async def check() -> None:
            await table.backend.start()
            for user, name, there in (
                ("zoe", "shared/plans/M\u00fcrz", "shared.plans.M\u00fcrz"),
                ("zoe", "shared/plans/new", "shared.plans.new"),
                ("alice", "board", "board"),
                ("zoe", "board", None),
                ("zoe", "team", None),
            ):
                found = await table.backend.mailbox(user, name)
                names = [each.name for each in found.replicas] if found else [None]
                self.assertEqual(names, [there], name)
            listed = [each.name for each in await table.backend.remote_mailboxes("zoe")]
            self.assertEqual(listed, ["shared", "shared/plans", "shared/plans/M\u00fcrz"])
            await table.backend.stop()

        return Deferred.fromCoroutine(check())

    def test_who_is_being_moved_is_held(self) -> None:
        found = read_text("cyrus", "user.ann\t9 a.example!default ann\tlrs\t\n")
        self.assertTrue(found.homes["ann"].held)

    def test_calendars_and_deleted_mailboxes_are_counted(self) -> None:
        text = '{"user.ann.#calendars": {"mbtype": "c"}, "DELETED.user.x": {}, "a..b": {}, "c": 7}'
        found = read_text("cyrus", text)
        self.assertEqual(found.homes, {})
        self.assertEqual(len(found.notes), 2)
        self.assertEqual(len(found.left_out), 2)
