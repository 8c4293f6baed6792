"""A client whose mailboxes are on two servers, both of them sessions of our own."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.mail.imap4 import IMAP4Client
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.chain import Loop
from referrald.client.endpoint import HomeEndpoint, home_endpoint
from referrald.client.following import Credentials, Forbidden, LoginFollower
from referrald.client.mail import NotCopied, ReferralClient
from referrald.client.policy import CredentialPolicy
from referrald.client.replies import NotAccepted
from referrald.imapurl import parse
from referrald.mailmodel import MailboxLocation, Replica
from referrald.model import Server
from tests.client.net import Net, Scripted
from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.native import OTHER, Site, done


class MailCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.net = Net()
        self.front, self.home = Site(SIMPLE, NESTED), Site()
        self.serve("front.example", 143, self.front)
        self.serve("s2.example", 1143, self.home)
        for name in ("Public/x", "Public/y"):
            done(done(self.home.store.account("bob")).create(name))
            self.front.put_elsewhere(name.replace("Public", "shared"), name)
        self.home.fill("Public/x", SIMPLE)

    def serve(self, host: str, port: int, site: Site) -> None:
        self.net.servers[host, port] = lambda: site.house.factory.buildProtocol(None)

    def client(self, *allowed: str) -> ReferralClient:
        policy = CredentialPolicy(origin="front.example", allowed=allowed or ("s2.example",))
        own = Credentials(user="bob", password="secret")
        client = ReferralClient(LoginFollower(self.net.clock, own, policy, dial=self.net.dial))
        self.net.drive(client.start("imap://front.example/"))
        return client

    def do(self, work: Any) -> Any:
        return self.net.drive(work)

    def contents(self, site: Site, name: str) -> list[bytes]:
        folder = done(done(site.store.account("bob")).open(name, False))
        return [done(folder.content(uid)) for uid in done(folder.state()).uids]


class Mailboxes(MailCase):
    @proves("M2", "M3")
    def test_a_mailbox_is_opened_where_it_is(self) -> None:
        client = self.client()
        found = self.do(client.select("shared/x"))
        self.assertEqual((found.name, found.connection.user), ("Public/x", "bob"))
        self.assertIn(b"1 EXISTS", [each.segments[0] for each in found.reply.untagged])
        found = self.do(client.select("INBOX", read_only=True))
        self.assertIn(b"[READ-ONLY]", found.reply.text)

    def test_one_connection_for_each_server(self) -> None:
        client = self.client()
        for name in ("shared/x", "shared/y", "shared/x"):
            self.do(client.select(name))
        self.assertEqual(self.net.dialled, [("front.example", 143), ("s2.example", 1143)])
        self.do(client.close())
        self.assertEqual(len(self.front.house.factory.sessions), 0)
        self.assertEqual(len(self.home.house.factory.sessions), 0)

    @proves("M9")
    def test_the_list_has_what_is_elsewhere(self) -> None:
        client = self.client()
        listed = self.do(client.list())
        self.assertEqual(
            sorted(each.name for each in listed), ["INBOX", "Public", "shared/x", "shared/y"]
        )
        self.assertEqual({each.delimiter for each in listed}, {"/"})

    @proves("M5")
    def test_a_message_goes_where_the_mailbox_is(self) -> None:
        client = self.client()
        self.do(client.append("shared/y", SIMPLE, b"(\\Flagged)"))
        self.do(client.append("INBOX", SIMPLE))
        self.assertEqual(self.contents(self.home, "Public/y"), [SIMPLE])
        self.assertEqual(self.contents(self.front, "INBOX"), [SIMPLE, NESTED, SIMPLE])

    @proves("M8")
    def test_copies_to_another_server_are_made_by_hand(self) -> None:
        client = self.client()
        found = self.do(client.select("INBOX"))
        self.do(client.copy(found.connection, [3, 4], "shared/y"))
        self.assertEqual(self.contents(self.home, "Public/y"), [SIMPLE, NESTED])
        self.do(client.copy(found.connection, [3], "INBOX"))
        self.assertEqual(len(self.contents(self.front, "INBOX")), 3)

    @proves("M8")
    def test_a_copy_that_fails_in_the_middle_leaves_nothing(self) -> None:
        client = self.client()
        found = self.do(client.select("INBOX"))
        append, count = client.append, 0

        async def failing(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            return await append("none" if count == 2 else arguments[0], *arguments[1:])

        client.append = failing  # type: ignore[assignment]
        failure = self.assertRaises(
            NotCopied, self.do, client.copy(found.connection, [3, 4], "shared/y")
        )
        self.assertEqual(failure.left, 0)
        self.assertEqual(self.contents(self.home, "Public/y"), [])

    @proves("M7")
    def test_a_rename_is_done_where_both_names_are(self) -> None:
        client = self.client()
        self.front.put_elsewhere("shared/new", "Public/new")
        self.do(client.rename("shared/x", "shared/new"))
        self.assertEqual(self.contents(self.home, "Public/new"), [SIMPLE])
        self.assertRaises(NotAccepted, self.do, client.rename("shared/new", "mine"))

    def test_status_follows_where_the_server_refers(self) -> None:
        client = self.client()
        error = self.assertRaises(NotAccepted, self.do, client.status("none", ["MESSAGES"]))
        self.assertIn("NONEXISTENT", str(error))

    def test_the_second_replica_when_the_first_is_down(self) -> None:
        replicas = (
            Replica(server=Server(host="down.example"), name="x"),
            Replica(server=OTHER, name="Public/x"),
        )
        self.front.backend.set_mailbox("bob", "both", MailboxLocation(replicas=replicas))
        client = self.client("*.example")
        self.assertEqual(self.do(client.select("both")).name, "Public/x")

    @proves("L12")
    def test_not_to_a_host_that_is_not_allowed(self) -> None:
        client = self.client("other.example")
        self.assertRaises(Forbidden, self.do, client.select("shared/x"))
        self.assertEqual(self.do(client.select("INBOX")).name, "INBOX")

    @proves("L10")
    def test_two_servers_that_refer_to_each_other(self) -> None:
        answers = {
            b"SELECT": b"%b NO [REFERRAL imap://bob;AUTH=*@front.example/shared/x] there",
            b"LOGIN": b"%b OK in",
        }
        self.net.servers["s2.example", 1143] = lambda: Scripted(b"* OK hi", answers)
        client = self.client()
        self.assertRaises(Loop, self.do, client.select("shared/x"))

    def test_a_referral_in_a_bad_is_none(self) -> None:
        bad = b"%b BAD [REFERRAL imap://bob;AUTH=*@s2.example:1143/Public/x] what"
        answers = {b"LOGIN": b"%b OK in", b"SELECT": bad, b"UID": bad, b"RENAME": bad}
        self.net.servers["front.example", 143] = lambda: Scripted(b"* OK hi", answers)
        client = self.client()
        home = client.home
        assert home is not None
        for work in (
            client.select("x"), client.copy(home.connection, [1], "x"), client.rename("x", "y"),
        ):  # fmt: skip
            self.assertRaises(NotAccepted, self.do, work)
        self.assertEqual(self.net.dialled, [("front.example", 143)])


class Endpoint(MailCase):
    def test_twisteds_own_client_is_logged_in_at_the_right_home(self) -> None:
        self.net.servers["door.example", 143] = lambda: Scripted(
            b"* OK hi", {b"LOGIN": b"%b NO [REFERRAL imap://bob;AUTH=*@front.example/] go"}
        )
        policy = CredentialPolicy(origin="door.example", allowed=("*.example",))
        own = Credentials(user="bob", password="secret")
        follower = LoginFollower(self.net.clock, own, policy, dial=self.net.dial)
        endpoint = HomeEndpoint(follower, parse("imap://door.example/"))

        async def work() -> Any:
            client = await endpoint.connect(Factory.forProtocol(IMAP4Client))
            return await client.select("INBOX")

        self.assertEqual(self.do(work())["EXISTS"], 2)

    def test_by_itself_it_trusts_the_host_of_the_url_only(self) -> None:
        endpoint = home_endpoint(
            self.net.clock, "imap://door.example/INBOX", Credentials(user="bob")
        )
        policy = endpoint._follower.policy
        for host, allowed in (("door.example", True), ("a.example", False), ("example", False)):
            objection = policy.objection(host, 143, secure=True, origin_secure=True)
            self.assertEqual(objection == "", allowed)
