"""Cyradm: Cyrus's own administration client follows mailbox referrals, here to Dovecot."""

from __future__ import annotations

import subprocess

from tests.interop.shared import entry, table
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald, need
from tests.proves import proves

LOGIN = ("--norc", "--notls", "--user", "alice", "--auth", "PLAIN", "-w", "secret", "127.0.0.1")

# Cyradm 3.6 mixes up the names when it does a RENAME again elsewhere: it sends the old name twice.
# So the pair of URLs is taken apart here, with the same pattern and the same parser.
RENAME = r"""
use Cyrus::IMAP::Admin;
my ($port, $old, $new) = @ARGV;
my @login = (-user => 'alice', -mechanism => 'PLAIN', -password => 'secret', -notls => 1);
my $front = Cyrus::IMAP::Admin->new('127.0.0.1', $port) or die "no connection\n";
$front->authenticate(@login) or die "no login\n";
my ($rc, $text) = $front->send('', '', 'RENAME %s %s', $old, $new);
$text =~ m|^\[REFERRAL\s+([^\]\s]+)\s+([^\]\s]+)\]| or die "$rc $text\n";
my ($server, $box) = $front->fromURL($1);
my ($other, $newbox) = $front->fromURL($2);
$server eq $other or die "two servers: $server $other\n";
my ($host, $there) = split(/:/, $server);
my $home = Cyrus::IMAP::Admin->new($host, $there) or die "no connection to $server\n";
$home->authenticate(@login) or die "no login at $server\n";
$home->rename($box, $newbox) or die $home->error . "\n";
"""


class Cyradm(InteropCase):
    def start(self) -> tuple[Referrald, Dovecot]:
        """Start a front door for mailboxes at a Dovecot with rights; some have the same name."""
        home = self.start_home(
            [("alice", "secret")], folders=["shared/Minutes", "shared/Plans", "Team/Log"], acl=True
        )
        front = self.start_shared(
            table(
                {"a": home.port},
                entry("#shared/", "a", name="shared/", folders=["Minutes", "Plans"]),
                entry("Team/", "a", folders=["Log"]),
            )
        )
        return front, home

    def cyradm(self, port: int, *commands: str) -> tuple[str, str]:
        """Give it commands; give what it shows and what it complains of."""
        done = subprocess.run(
            [need("cyradm"), *LOGIN, str(port)],
            input="".join(f"{command}\n" for command in commands),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout, done.stderr

    @proves("M4", "M6", "M9", "M10")
    def test_it_lists_creates_and_deletes_remote_mailboxes(self) -> None:
        front, home = self.start()
        shown, complaints = self.cyradm(
            front.port,
            "listmailbox",
            "createmailbox '#shared/New &- old [&AOk-]'",
            "createmailbox Team/Next",
            "deletemailbox '#shared/Plans'",
        )
        self.assertEqual(complaints, "")
        for name in ("INBOX", "#shared/Minutes", "#shared/Plans", "Team/Log"):
            self.assertIn(f"{name} (", shown)
        with home.login("alice", "secret") as client:
            left = b"\n".join(client.list()[1])
        for name in (b'"shared/New &- old [&AOk-]"', b"Team/Next", b"shared/Minutes"):
            self.assertIn(b'"/" ' + name, left)
        self.assertNotIn(b"shared/Plans", left)

    @proves("M2")
    def test_it_sets_and_deletes_rights_on_a_remote_mailbox(self) -> None:
        front, home = self.start()
        with home.login("alice", "secret") as client:
            self.assertEqual(self.cyradm(front.port, "setaclmailbox Team/Log bob lrs")[1], "")
            self.assertIn(b" bob lrs ", client.getacl("Team/Log")[1][0])
            # It does not follow for what it only reads, but shows what it was told.
            complaints = self.cyradm(front.port, "listaclmailbox Team/Log")[1]
            url = f"imap://alice;AUTH=*@127.0.0.1:{home.port}/Team/Log"
            self.assertIn(f"[REFERRAL {url}] ", complaints)
            self.cyradm(front.port, "deleteaclmailbox Team/Log bob")
            self.assertNotIn(b"bob", client.getacl("Team/Log")[1][0])

    @proves("M7")
    def test_a_rename_gives_a_pair_that_cyrus_s_parser_takes_apart(self) -> None:
        front, home = self.start()
        need("cyradm")
        done = subprocess.run(
            ["perl", "-e", RENAME, str(front.port), "#shared/Plans", "#shared/Drafts of all"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with home.login("alice", "secret") as client:
            left = b"\n".join(client.list()[1])
        self.assertIn(b'"shared/Drafts of all"', left)
        self.assertNotIn(b"shared/Plans", left)
