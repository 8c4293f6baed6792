from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.backends.redis import connecting
from referrald.backends.redis.factory import factory
from referrald.interfaces import (
    ICheckingFactory,
    IReferralBackendFactory,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from tests.backends.redis.support import need_library
from tests.backends.support import filled

URL = "rediss://r.example"


class Factory(SynchronousTestCase):
    def setUp(self) -> None:
        need_library()

    def check(self, **options: Any) -> list[str]:
        return list(map(str, factory.check(filled(factory, servers=[URL]) | options)))

    def test_it_is_what_it_says(self) -> None:
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)

    def test_nothing_is_connected_to(self) -> None:
        self.assertEqual(self.check(), [])
        self.assertEqual(self.check(layout="dovecot", obey=True, channel="changes"), [])

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        secret = Path(self.mktemp())
        secret.write_text("hush\nhush\n", encoding="utf-8")
        options: Any
        for options, wrongs in (
            ({"servers": []}, ["servers: names none"]),
            ({"servers": [URL, "r.example"]}, ['servers: "r.example" is no URL']),
            ({"servers": ["redis://:hush@r"]}, ["servers: has a user or a password in it"]),
            ({"password": "hush", "password_file": "x"}, ["password: stands", "password_file: x:"]),
            ({"password_file": str(secret)}, ["password_file: "]),
            ({"username": "me"}, ["username: stands alone"]),
            ({"ca": str(secret)}, ["ca: "]),
            ({"key": "x"}, ["key: is of no use"]),
            ({"certificate": str(secret)}, ["certificate: cannot be used"]),
            ({"scheme": ""}, ["scheme: cannot be used"]),
            ({"obey": True, "ignore": ["x"]}, ["obey: is for Dovecot's", "ignore: is for Dovecot"]),
            ({"layout": "dovecot", "dovecot_key": "x"}, ["dovecot_key: is the same key"]),
            ({"layout": "dovecot", "mailboxes": True}, ["mailboxes: are for our own layout"]),
        ):
            said = self.check(**options)
            self.assertEqual(len(said), len(wrongs), said)
            for line, wrong in zip(said, wrongs, strict=True):
                self.assertIn(wrong, line)
                self.assertNotIn("hush", line)

    def test_without_redis_py_it_says_what_to_install(self) -> None:
        self.patch(connecting, "find_spec", lambda name: None)
        (said,) = self.check()
        self.assertIn("referrald[redis]", said)

    def test_what_a_backend_offers_depends_on_its_layout(self) -> None:
        own, told, untold = (
            factory.build(filled(factory, servers=[URL], password="hush") | options, Clock())
            for options in (
                {},
                {"layout": "dovecot", "channel": "changes"},
                {"layout": "dovecot"},
            )
        )
        for interface in (IWritableBackend, ITargets):
            self.assertTrue(interface.providedBy(own))
            self.assertFalse(interface.providedBy(told))
        self.assertTrue(IWatchableBackend.providedBy(own))
        self.assertTrue(IWatchableBackend.providedBy(told))
        self.assertFalse(IWatchableBackend.providedBy(untold))
        self.assertEqual(repr(own), "<KeptBackend redis r.example:6379>")

    def test_the_library_is_imported_only_when_it_is_used(self) -> None:
        script = (
            "import sys, referrald.backends.redis.factory as f\nassert 'redis' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
