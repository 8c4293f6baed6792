from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import MailboxInUse, Unavailable
from referrald.mailmodel import (
    MailboxEntry,
    MailboxLocation,
    ReferMailbox,
    RemoteMailbox,
    Replica,
)
from referrald.model import Home, Refer, Refuse, Security, Serve, Server
from tests.ctl.fakes import CONFIG, CtlTestCase, Found
from tests.proves import proves

ROOT = Path(__file__).parents[2]
SHARED1 = Server(host="shared1.example.org", port=993, security=Security.TLS)
SHARED2 = Server(host="shared2.example.org")
HIDDEN = "; hidden: the policy is hide"


def places(name: str) -> tuple[Replica, ...]:
    return (Replica(server=SHARED1, name=f"There/{name}"), Replica(server=SHARED2, name=name))


class MailboxesTestCase(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        assert self.assembly.mail is not None
        self.mail = self.assembly.mail
        self.mailboxes = self.assembly.mailboxes
        self.policy("hide")

    def have(self, *names: str) -> None:
        self.mail.local = [MailboxEntry(name=name) for name in ("INBOX", *names)]

    def list_remote(self, name: str, *, moving: bool = False, **more: Any) -> None:
        """List a name that is elsewhere, and refer to it."""
        location = MailboxLocation(replicas=places(name), moving=moving, source="shared")
        self.mailboxes.listed.append(RemoteMailbox(name=name, location=location, **more))
        self.refer(name)

    def refer(self, name: str, *, personal: bool = False) -> None:
        self.mailboxes.decisions[name] = ReferMailbox(
            urls=("imap://a/", "imap://b/"),
            replicas=places(name),
            source="shared",
            personal=personal,
        )

    def policy(self, policy: str) -> None:
        self.write("r.toml", f'{CONFIG}type = "fake"\n\n[referral]\nmailboxes = "{policy}"\n')

    def rows(self, *words: str) -> dict[str, Any]:
        """Run the command; gives the rows by name."""
        code, value = self.run_json("mailboxes", "alice", *words)
        self.assertEqual(code, 0)
        return {row.pop("name"): row for row in value["mailboxes"]}

    def shown(self, *words: str) -> dict[str, tuple[str, str]]:
        """Run the command; gives where each name is shown, by the first letters, and why."""
        letters = {"LIST": "l", "RLIST": "L", "LSUB": "s", "RLSUB": "S"}
        return {
            name: ("".join(letters[key] for key in letters if row[key]), row["why"])
            for name, row in self.rows(*words).items()
        }


class WhatIsShown(MailboxesTestCase):
    @proves("M9", "M14")
    def test_local_and_remote_names_stand_in_one_table(self) -> None:
        self.have("Drafts")
        self.mail.subscribed = frozenset({"Drafts"})
        self.list_remote("Plans", attributes=("\\Noinferiors",), subscribed=True)
        self.assembly.found = Found(home=Home(), source="users")
        self.mailboxes.decisions["INBOX"] = Serve(source="users")
        where = "shared1.example.org:993/There/Plans, shared2.example.org/Plans"
        self.assertEqual(
            self.run_ctl("mailboxes", "Alice"),
            (
                0,
                f"name    LIST  RLIST  LSUB  RLSUB  {'where':<{len(where)}}  attributes      "
                "backend  why\n"
                f"Drafts  yes   yes    yes   yes    {'here':<{len(where)}}  \\HasNoChildren  "
                "-        local\n"
                f"INBOX   yes   yes    no    no     {'here':<{len(where)}}  \\HasNoChildren  "
                "users    local\n"
                f"Plans   no    yes    no    yes    {where}  \\Noinferiors    "
                f"shared   shared: elsewhere{HIDDEN}\n",
                "",
            ),
        )
        self.assertEqual(self.assembly.accounts, ["alice"])
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_what_is_relayed_is_in_every_list(self) -> None:
        self.list_remote("Plans", subscribed=True)
        self.policy("relay")
        self.assertEqual(self.shown("P*")["Plans"], ("lLsS", "shared: elsewhere"))

    def test_programs_get_the_same_as_json(self) -> None:
        self.list_remote("Plans")
        code, value = self.run_json("mailboxes", "Alice", "P*")
        self.assertEqual(code, 0)
        self.assertEqual(
            value,
            {
                "user": "alice",
                "policy": "hide",
                "mailboxes": [
                    {
                        "name": "Plans",
                        "LIST": False,
                        "RLIST": True,
                        "LSUB": False,
                        "RLSUB": False,
                        "where": [
                            "shared1.example.org:993/There/Plans",
                            "shared2.example.org/Plans",
                        ],
                        "attributes": ["\\HasNoChildren"],
                        "backend": "shared",
                        "why": "shared: elsewhere; hidden: the policy is hide",
                    }
                ],
            },
        )

    @proves("M14")
    def test_nothing_is_hidden_where_the_policy_is_to_say_it(self) -> None:
        self.policy("say")
        self.list_remote("Plans", subscribed=True)
        self.assertEqual(
            self.shown(), {"INBOX": ("lL", "local"), "Plans": ("lLsS", "shared: elsewhere")}
        )

    def test_a_pattern_chooses_as_in_list(self) -> None:
        self.have("Team", "Team/a", "Work")
        self.assertEqual(list(self.shown("T*")), ["Team", "Team/a"])
        self.assertEqual(list(self.shown("inbox")), ["INBOX"])
        self.assertEqual(list(self.shown("%")), ["INBOX", "Team", "Work"])

    def test_no_names_are_an_empty_table(self) -> None:
        code, out, err = self.run_ctl("mailboxes", "alice", "Nothing")
        self.assertEqual(
            (code, out, err),
            (0, "name  LIST  RLIST  LSUB  RLSUB  where  attributes  backend  why\n", ""),
        )

    def test_a_name_cannot_steer_the_terminal(self) -> None:
        self.have("a\x1b[2J")
        _, out, _ = self.run_ctl("mailboxes", "alice", "a*")
        self.assertIn("\na\\x1b[2J  yes ", out)

    def test_what_a_pattern_must_be(self) -> None:
        self.assertEqual(
            self.run_ctl("mailboxes", "alice", ""),
            (1, "", "referralctl: an empty pattern matches no name\n"),
        )
        self.assertEqual(
            self.run_ctl("mailboxes", "alice", "x" * 2000),
            (1, "", "referralctl: Pattern too long.\n"),
        )


class Reasons(MailboxesTestCase):
    def test_a_mailbox_of_which_a_backend_says_that_it_is_here(self) -> None:
        self.have("Archive/Now")
        self.list_remote("Archive", subtree=True)
        here = MailboxLocation(source="shared")
        self.mailboxes.listed.append(RemoteMailbox(name="Archive/Now", location=here))
        self.mailboxes.decisions["Archive/Now"] = Serve(source="shared")
        self.assertEqual(self.shown("A*/*"), {"Archive/Now": ("lL", "shared: here")})

    def test_a_mailbox_that_is_moving(self) -> None:
        self.list_remote("Plans", moving=True)
        self.list_remote("Minutes", moving=True)
        self.mailboxes.decisions["Minutes"] = Refuse(
            code=MailboxInUse.code, text="Wait.", source="shared"
        )
        rows = self.rows("*n*s")
        self.assertEqual(rows["Plans"]["why"], f"shared: moving{HIDDEN}")
        self.assertEqual(rows["Minutes"]["why"], f"shared: moving{HIDDEN}")
        self.assertEqual((len(rows["Plans"]["where"]), rows["Minutes"]["where"]), (2, []))

    def test_a_mailbox_that_nobody_can_be_sent_to(self) -> None:
        self.policy("say")
        self.list_remote("Plans")
        for cause, shown in (("no server to refer to", "no server to refer to"), ("", "Later.")):
            self.mailboxes.decisions["Plans"] = Refuse(
                code="UNAVAILABLE", text="Later.", cause=cause
            )
            self.assertEqual(self.shown("P*"), {"Plans": ("lL", f"refused: {shown}")})

    def test_a_level_above_others(self) -> None:
        self.policy("say")
        self.have("Team/a")
        self.list_remote("Shared/Plans")
        rows = self.rows("%")
        self.assertEqual(
            {name: row["why"] for name, row in rows.items()},
            {"INBOX": "local", "Shared": "level above others", "Team": "level above others"},
        )
        self.assertEqual(rows["Team"]["where"], [])
        self.assertEqual(rows["Team"]["attributes"], ["\\Noselect", "\\HasChildren"])

    def test_a_level_that_is_shown_for_remote_names_only_is_hidden_with_them(self) -> None:
        self.list_remote("Shared/Plans")
        self.assertEqual(self.shown("S%"), {"Shared": ("L", f"level above others{HIDDEN}")})

    def test_a_subscription_to_what_is_not_there(self) -> None:
        self.mail.subscribed = frozenset({"Old"})
        self.assertEqual(self.shown("O*"), {"Old": ("sS", "subscribed, but no such mailbox")})

    def test_a_subscription_within_a_tree_that_is_elsewhere(self) -> None:
        self.mail.subscribed = frozenset({"Archive/Old"})
        self.list_remote("Archive", subtree=True)
        self.refer("Archive/Old")
        self.assertEqual(self.shown("A*/*"), {"Archive/Old": ("S", f"shared: elsewhere{HIDDEN}")})

    @proves("M9")
    def test_a_user_whose_home_is_elsewhere_reads_what_is_public_here(self) -> None:
        self.assembly.decision = Refer(url="imap://h/", server=SHARED1, authenticated=True)
        self.assembly.found = Found(home=Home(servers=(SHARED1,), public_here=True))
        self.mail.local = [MailboxEntry(name="Public")]
        self.list_remote("INBOX")
        self.refer("INBOX", personal=True)
        self.assertEqual(
            self.shown(),
            {"INBOX": ("L", f"home elsewhere{HIDDEN}"), "Public": ("lL", "public here")},
        )

    def test_a_backend_that_does_not_say_in_its_list_what_it_says_when_asked(self) -> None:
        self.policy("say")
        self.have("Mine", "Theirs")
        self.refer("Theirs")
        self.list_remote("Gone")
        self.mailboxes.decisions["Gone"] = Serve()
        self.assertEqual(
            self.shown(),
            {
                "Gone": ("lL", "shared: elsewhere in its list, but not when asked for it"),
                "INBOX": ("lL", "local"),
                "Mine": ("lL", "local"),
                "Theirs": ("lL", "shared: elsewhere, but not in its list"),
            },
        )


class WhoGetsNoLists(MailboxesTestCase):
    def refused(self, why: str, user: str = "alice") -> None:
        self.assertEqual(self.run_ctl("mailboxes", user), (1, "", f"referralctl: {why}\n"))
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_a_user_whose_login_is_refused(self) -> None:
        self.assembly.decision = Refuse(code=None, text="No.", cause="unknown")
        self.refused("no lists for alice: the login is refused: unknown")

    def test_a_refusal_without_a_cause_is_shown_as_the_client_reads_it(self) -> None:
        self.assembly.decision = Refuse(code=None, text="Closed.")
        self.refused("no lists for alice: the login is refused: Closed.")

    def test_a_user_who_is_sent_elsewhere_at_login(self) -> None:
        self.assembly.decision = Refer(url="imap://h/", server=SHARED1)
        self.refused("no lists for alice: the login is referred to imap://h/")

    def test_a_name_that_nobody_can_have(self) -> None:
        self.refused("no user can have that name: empty or too long", user="")

    def test_a_backend_that_is_down(self) -> None:
        self.mailboxes.down = Unavailable("shared: timeout")
        self.refused("shared: timeout")

    def test_a_directory_that_went_down_meanwhile(self) -> None:
        self.assembly.down = Unavailable("users: timeout")
        self.refused("users: timeout")

    def test_a_server_that_keeps_no_mailboxes(self) -> None:
        self.assembly.mail = None
        self.refused("this server keeps no mailboxes")


class TheServersOwnParts(SynchronousTestCase):
    def run_real(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "referrald.ctl.main", "--format", "json", "-c",
             str(ROOT / "docs/examples/shared-folders/referrald.toml"), *words],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    @proves("M9", "M12")
    def test_the_lists_are_those_of_the_configuration(self) -> None:
        rows = {row["name"]: row for row in self.run_real("mailboxes", "bob")["mailboxes"]}
        self.assertEqual(list(rows), ["INBOX", "Shared", "Shared/Minutes", "Shared/Plans"])
        self.assertEqual((rows["INBOX"]["where"], rows["INBOX"]["why"]), (["here"], "local"))
        self.assertEqual(
            rows["Shared/Plans"],
            {
                "name": "Shared/Plans",
                "LIST": True,
                "RLIST": True,
                "LSUB": True,
                "RLSUB": True,
                "where": ["shared1.example.org/Public/Plans", "shared2.example.org/Public/Plans"],
                "attributes": ["\\HasNoChildren"],
                "backend": "table",
                "why": "table: elsewhere",
            },
        )

    @proves("M2")
    def test_a_mailbox_is_where_the_configuration_says(self) -> None:
        value = self.run_real("lookup", "bob", "--mailbox", "Shared/Anything")
        self.assertEqual(
            value["urls"],
            [
                f"imap://bob;AUTH=*@{host}.example.org/Public/Anything"
                for host in ("shared1", "shared2")
            ],
        )
        self.assertEqual((value["decision"], value["backend"]), ("refer", "table"))
