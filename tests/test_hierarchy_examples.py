"""The how-tos about mailboxes on other servers: their files give what the pages say."""

from __future__ import annotations

import shutil
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from referrald.assembly import Assembly
from referrald.config.load import load
from tests.proves import proves

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"


class Pages(TestCase):
    def site(self, *tables: str) -> Path:
        """Copy the configuration of the first page; more tables take the place of its own."""
        folder = Path(self.mktemp()).absolute()
        shutil.copytree(EXAMPLES / "shared-folders", folder)
        for table in tables:
            shutil.copy(EXAMPLES / table, folder / "shared.toml")
        return folder / "referrald.toml"

    async def talk(self, config: Path, *lines: bytes) -> bytes:
        """Give what a client is answered."""
        loaded = load(str(config))
        assert loaded.config is not None, loaded.problems
        assembly = Assembly.from_config(loaded.config, reactor)
        await assembly.start()
        try:
            return await assembly.transcript(lines)
        finally:
            await assembly.stop()
            assembly.lasting.close()

    @proves("M2", "M9", "M12")
    def test_shared_folders(self) -> Deferred[None]:
        async def work() -> None:
            said = await self.talk(
                self.site(), b"a LOGIN bob builder", b'b RLIST "" *', b"c SELECT Shared/Minutes",
                b"d SELECT Board", b'e RLSUB "" *',
            )  # fmt: skip
            page = (ROOT / "docs/howto/share-folders-on-another-server.md").read_text("utf-8")
            (answer,) = [line for line in said.splitlines() if line.startswith(b"c ")]
            self.assertIn(answer.decode().replace("c NO", "a NO"), page.splitlines())
            self.assertIn(b"d NO [NONEXISTENT] ", said)
            self.assertIn(b'* LSUB () "/" Shared/Plans\r\n', said)
            for name in (b"Shared\r\n", b"Shared/Minutes\r\n", b"Shared/Plans\r\n"):
                self.assertIn(b' "/" ' + name, said)
            said = await self.talk(self.site(), b"a LOGIN alice wonderland", b"b SELECT Board")
            self.assertIn(b"imap://alice;AUTH=*@shared1.example.org/Board] ", said)

        return ensureDeferred(work())

    @proves("M6")
    def test_a_site_that_is_split_by_hierarchy(self) -> Deferred[None]:
        async def work() -> None:
            config = self.site("split-by-hierarchy/archive.toml")
            said = await self.talk(
                config, b"a LOGIN alice wonderland", b"b CREATE Archive/2019",
                b'c CREATE "Archive/This year/January"', b"d SELECT Projects/Bridge",
                b'e LIST (REMOTE) "" *',
            )  # fmt: skip
            url = b"imap://alice;AUTH=*@archive.example.org/Mail/2019"
            self.assertIn(b"b NO [REFERRAL %b] " % url, said)
            self.assertIn(b"c OK ", said)
            self.assertIn(b"d NO [NONEXISTENT] ", said)
            self.assertIn(b' "/" "Archive/This year/January"\r\n', said)
            self.assertNotIn(b"Bridge", said)

        return ensureDeferred(work())
