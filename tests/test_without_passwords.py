"""The how-to about a front door without passwords: its files do what the page says."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from referrald.assembly import Assembly
from referrald.config.load import load
from referrald.ctl.auth import is_welcome, login_lines
from tests.client.net import Net
from tests.config.fakes import NOW, KeyPair
from tests.session.athome import HomeServer

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "without-passwords"
GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi"


class Prompt(list[Callable[[], None]]):
    """What is on its way in a net; it is delivered by the reactor, without being asked to."""

    run: Callable[[], None]

    def append(self, delivery: Callable[[], None]) -> None:
        super().append(delivery)
        reactor.callLater(0, self.run)  # type: ignore[attr-defined]


class AlicesHome(HomeServer):
    """Knows her under her own name; bob is robert there."""

    def judge(self, tag: bytes, mechanism: bytes, initial: bytes) -> None:
        good = (b64encode(b"\0alice\0secret"), b64encode(b"\0robert\0secret"))
        verdict = b" OK [CAPABILITY IMAP4rev1 XHOME] in" if initial in good else b" NO wrong"
        self.transport.write(tag + verdict + b"\r\n")

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if b" LOGOUT" in data:
            self.transport.loseConnection()


class Example(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        shutil.copytree(EXAMPLE, self.folder)
        pair = KeyPair()
        (self.folder / "fullchain.pem").write_bytes(pair.certificate_pem)
        (self.folder / "privkey.pem").write_bytes(pair.key_pem)
        self.told: list[str] = []
        self.net = Net(reactor)  # type: ignore[arg-type]
        self.net._queue = queue = Prompt()
        queue.run = self.net.run
        for host in ("imap1.example.net", "imap2.example.net"):
            self.net.servers[host, 143] = lambda: AlicesHome(
                self.net, self.told, slow=0.0, greeting=GREETING
            )

    async def answers(self, *tries: list[bytes]) -> list[bytes]:
        """Give the answer to each try, the last line of which has the tag ``a1``."""
        loaded = load(self.folder / "referrald.toml", now=NOW)
        assert loaded.config is not None, loaded.problems
        assembly = Assembly.from_config(loaded.config, reactor)
        assembly.relay._dial = self.net.dial
        await assembly.start()
        try:
            said = [await assembly.transcript(lines) for lines in tries]
        finally:
            await assembly.stop()
            assembly.lasting.close()
        lines = b"".join(said).split(b"\r\n")
        return [line for line in lines if line.startswith(b"a1 ")]

    def run_tries(self, check: Callable[[list[bytes]], None], *tries: Any) -> Deferred[None]:
        async def work() -> None:
            check(await self.answers(*tries))

        return ensureDeferred(work())

    def test_what_a_login_is_answered(self) -> Deferred[None]:
        def check(answers: list[bytes]) -> None:
            self.assertEqual(answers, [
                b"a1 OK [CAPABILITY IMAP4rev1 XHOME] Logged in.",
                b"a1 OK [CAPABILITY IMAP4rev1 XHOME] Logged in.",
                *[b"a1 NO [AUTHENTICATIONFAILED] Authentication failed."] * 3,
            ])  # fmt: skip
            self.assertEqual(
                [is_welcome(line.decode()) for line in answers], [True] * 2 + [False] * 3
            )
            self.assertEqual(self.told.count("home: AUTHENTICATE"), 3)

        return self.run_tries(
            check,
            login_lines("alice", b"secret"), login_lines("bob", b"secret"),
            login_lines("alice", b"wrong"), login_lines("carol", b"secret"),
            login_lines("nobody", b"secret"),
        )  # fmt: skip

    def test_one_that_follows_is_referred_once_we_have_logged_out(self) -> Deferred[None]:
        def check(answers: list[bytes]) -> None:
            (answer,) = answers
            self.assertTrue(
                answer.startswith(b"a1 NO [REFERRAL imap://alice;AUTH=*@imap1.example.net/] "),
                answer,
            )
            self.assertEqual(self.told, ["home: AUTHENTICATE", "home: LOGOUT"])

        program = b'a0 ID ("name" "Alpine")'
        return self.run_tries(check, [program, *login_lines("alice", b"secret")])
