"""An etcd that wants to know who asks: users with passwords, TLS with certificates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from referrald.backends.keyvalue.factory import etcd as factory
from referrald.errors import Unavailable
from tests.backends.keyvalue.etcdserver import Etcd
from tests.backends.keyvalue.support import ME, ON_A, ON_B, StoreTestCase, until, value
from tests.interop.support import make_certificate

PREFIX = "referrald/homes/"


@pytest.mark.interop
class Users(StoreTestCase):
    factory = factory

    def setUp(self) -> None:
        super().setUp()
        self.server = Etcd()
        self.addCleanup(self.server.remove)
        for words in (
            ("user", "add", "root:toor"),
            ("user", "grant-role", "root", "root"),
            ("role", "add", "mail"),
            ("role", "grant-permission", "mail", "readwrite", "--prefix=true", "referrald/"),
            ("user", "add", "mail:s3cret"),
            ("user", "grant-role", "mail", "mail"),
            ("auth", "enable"),
        ):
            self.server.ctl(*words)

    def given(self) -> dict[str, Any]:
        return {"servers": [self.server.url], "user": "mail", "password": "s3cret"}

    def put(self, user: str, said: str) -> None:
        self.server.ctl("put", PREFIX + user, said, user="root:toor")

    def test_who_logs_in_may_do_what_the_role_allows(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            await backend.set_home({"ann": ON_A}, ME)
            self.put("bob", value(ON_B))
            await until(lambda: "bob" in heard)
            self.assertEqual(await self.home(backend, "bob"), ON_B)
            self.assertEqual(len(await backend.history()), 1)
            self.assertNotIn("s3cret", self.logged())

        return self.run_with(work)

    def test_a_token_that_is_no_good_any_more_is_asked_for_anew(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"ann": ON_A}, ME)
            heard: list[str | None] = []
            backend.watch(heard.append)
            # Tokens are in the server's memory only.
            self.server.stop()
            self.server.start()
            self.assertEqual(await self.home(backend, "ann"), ON_A)
            self.put("bob", value(ON_B))
            await until(lambda: "bob" in heard)

        return self.run_with(work)

    def test_rights_that_were_changed_make_tokens_too_old_and_nobody_notices(
        self,
    ) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"ann": ON_A}, ME)
            for number in range(3):
                self.server.ctl("role", "add", f"other{number}", user="root:toor")
                self.assertEqual(await self.home(backend, "ann"), ON_A)
                await backend.set_home({"ann": (ON_B, ON_A)[number % 2]}, ME)
                self.put("ann", value(ON_A))

        return self.run_with(work)

    def test_who_may_not_is_told_so_without_any_secret(self) -> Deferred[None]:
        async def wrong(backend: Any) -> None:
            self.assertIn("authentication failed", await self.failure(self.home(backend, "ann")))
            self.assertNotIn("wr0ng", self.logged() + str(self.events))

        async def nobody(backend: Any) -> None:
            await self.failure(self.home(backend, "ann"))

        async def elsewhere(backend: Any) -> None:
            self.assertIn("permission denied", await self.failure(self.home(backend, "ann")))

        first = self.run_with(wrong, password="wr0ng")
        first.addCallback(lambda _: self.run_with(nobody, user="", password=""))
        first.addCallback(lambda _: self.run_with(elsewhere, prefix="other/"))
        return first


@pytest.mark.interop
class Tls(StoreTestCase):
    factory = factory

    def setUp(self) -> None:
        super().setUp()
        folder = Path(tempfile.mkdtemp())
        self.certificate, self.key = make_certificate(folder)
        self.server = Etcd(tls=(self.certificate, self.key))
        self.addCleanup(self.server.remove)

    def given(self) -> dict[str, Any]:
        return {
            "servers": [self.server.url],
            "ca": str(self.certificate),
            "certificate": str(self.certificate),
            "key": str(self.key),
        }

    def test_both_sides_show_certificates(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            await backend.set_home({"ann": ON_A}, ME)
            await until(lambda: "ann" in heard)
            self.assertEqual(await self.home(backend, "ann"), ON_A)

        return self.run_with(work)

    def test_a_server_that_nobody_vouches_for_is_not_asked(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await self.failure(self.home(backend, "ann"), Unavailable)

        return self.run_with(work, ca=None)

    def test_without_a_certificate_of_ours_it_does_not_answer(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await self.failure(self.home(backend, "ann"), Unavailable)

        return self.run_with(work, certificate=None, key=None)
