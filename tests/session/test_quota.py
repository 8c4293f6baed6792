"""QUOTA, QUOTA=RES-STORAGE and QUOTA=RES-MESSAGE (RFC 9208)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import Quota
from referrald.store.room import ACCOUNT_BYTES
from tests.session.inbox import Home, say
from tests.session.native import Site, done
from tests.session.test_general import names

LIMIT = ACCOUNT_BYTES // 1024


class Quotas(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.client = self.site.log_in()

    def used(self, root: bytes = b'""') -> int:
        answer, untagged = say(self.client, b"GETQUOTA " + root)
        self.assertEqual(answer, b"OK Quota told.")
        ((_, kind, name, (resource, used, limit)),) = untagged
        self.assertEqual((kind, name, resource), (b"QUOTA", root.strip(b'"'), b"STORAGE"))
        self.assertEqual(limit, LIMIT)
        return int(used)

    def test_getquota_tells_units_of_1024_bytes_that_grow_with_the_mail(self) -> None:
        before = self.used()
        self.client.say(b"x APPEND INBOX {%d+}\r\n%b\r\n" % (10240, b"x" * 10240))
        self.assertIn(self.used() - before, (10, 11))
        self.assertEqual(self.used(b"Public"), self.used(b'"Public"'))

    def test_getquotaroot_names_the_roots_of_any_name_and_tells_of_each(self) -> None:
        for name, root in ((b"INBOX", b""), (b"new", b""), (b"Public/new", b"Public")):
            answer, untagged = say(self.client, b"GETQUOTAROOT " + name)
            self.assertEqual(answer, b"OK Quota roots told.")
            self.assertEqual(untagged[0], [b"*", b"QUOTAROOT", name, root])
            self.assertEqual(untagged[1][:3], [b"*", b"QUOTA", root])
            self.assertEqual(len(untagged), 2)

    def test_what_is_no_quota_root_is_nonexistent(self) -> None:
        for command in (b"GETQUOTA none", b"GETQUOTA INBOX", b"SETQUOTA none (STORAGE 1)"):
            answer, untagged = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [NONEXISTENT] "), command)
            self.assertEqual(untagged, [])

    def test_nobody_sets_a_quota(self) -> None:
        for limits in (b"()", b"(STORAGE 1)", b"(STORAGE 1 MESSAGE 9223372036854775807)"):
            answer, _ = say(self.client, b'SETQUOTA "" ' + limits)
            self.assertTrue(answer.startswith(b"NO [NOPERM] "), limits)
        self.assertNotIn(b"QUOTASET", names(self.client.say(b"x CAPABILITY\r\n")))

    def test_nonsense_is_bad(self) -> None:
        for command in (b"GETQUOTA", b"GETQUOTA a b", b"GETQUOTAROOT", b'GETQUOTA "\xff"',
                        b'SETQUOTA ""', b'SETQUOTA "" STORAGE', b'SETQUOTA "" (STORAGE)',
                        b'SETQUOTA "" (STORAGE x)', b'SETQUOTA "" (STORAGE 1) x'):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(b"BAD "), command)

    def test_an_append_beyond_the_limit_is_over_quota(self) -> None:
        room = done(self.site.store.account("bob")).own._own.room
        room.take(room.left - 1000)
        answer = self.client.say(b"x APPEND INBOX {2000+}\r\n%b\r\n" % (b"x" * 2000))
        self.assertIn(b"x NO [OVERQUOTA] ", answer)

    def test_a_mailbox_elsewhere_is_for_its_own_server_to_tell_of(self) -> None:
        self.site.put_elsewhere("team")
        self.client.say(b'x RLIST "" *\r\n')
        self.assertTrue(say(self.client, b"GETQUOTAROOT team")[0].startswith(b"NO [REFERRAL imap"))


class Accounts(SynchronousTestCase):
    """What is offered follows from what an account limits."""

    def client(self, **members: Any) -> Any:
        site = Site()
        account = done(site.store.account("bob"))
        for name, value in members.items():
            setattr(account, name, value)
        return site, site.log_in()

    def test_the_resources_of_the_account_are_capabilities(self) -> None:
        _, client = self.client()
        found = names(client.say(b"x CAPABILITY\r\n"))
        self.assertTrue({b"QUOTA", b"QUOTA=RES-STORAGE"} <= found)
        self.assertNotIn(b"QUOTA=RES-MESSAGE", found)

    def test_messages_are_told_as_they_are_and_what_has_no_limit_is_not_told(self) -> None:
        roots = [
            Quota(root="both", storage=(1025, 4096), messages=(3, 10)),
            Quota(root="über", storage=(1, None), messages=(0, 0)),
            Quota(root="none"),
        ]

        async def quotas(name: str) -> list[Quota]:
            return roots

        _, client = self.client(quotas=quotas, resources=("STORAGE", "MESSAGE"))
        found = names(client.say(b"x CAPABILITY\r\n"))
        self.assertTrue({b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"} <= found)
        _, untagged = say(client, b"GETQUOTAROOT INBOX")
        umlaut = "über".encode()
        self.assertEqual(untagged[0], [b"*", b"QUOTAROOT", b"INBOX", b"both", umlaut, b"none"])
        self.assertEqual(
            [line[2:] for line in untagged[1:]],
            [[b"both", [b"STORAGE", 2, 4, b"MESSAGE", 3, 10]], [umlaut, [b"MESSAGE", 0, 0]],
             [b"none", []]],
        )  # fmt: skip

    def test_an_account_without_quotas_offers_none(self) -> None:
        client = Home().log_in(b"")
        found = names(client.say(b"x CAPABILITY\r\n"))
        self.assertEqual([name for name in found if name.startswith(b"QUOTA")], [])
        for command in (b'GETQUOTA ""', b"GETQUOTAROOT INBOX", b'SETQUOTA "" ()'):
            self.assertTrue(say(client, command)[0].startswith(b"NO [CANNOT] "), command)
