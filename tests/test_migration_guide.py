"""The guide to migration: its commands are real ones, and lead to a front door with the homes."""

from __future__ import annotations

import re
import shlex
import shutil
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import TestCase

from referrald.ctl.main import make_parser
from referrald.ctl.origins import ORIGINS
from tests.ctl.fakes import CtlTestCase
from tests.ctl.origins.support import FILES
from tests.test_examples import referralctl

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "migrate-from-another-proxy.md"
COMMAND = re.compile(r"^ *\$ referralctl (.*)$", re.MULTILINE)
CONFIG = """
[server]
name = "imap.example.org"

[[listener]]
endpoint = "tcp:143:interface=127.0.0.1"
tls = "none"
allow_cleartext = true

[auth]
home = true

[referral]
login = "relay"
allow_clear = ["127.0.0.1"]
"""


def commands() -> list[list[str]]:
    """Give the commands of the page, with the real files in place of the ones it names."""
    found = []
    for match in COMMAND.finditer(PAGE.read_text(encoding="utf-8")):
        words = shlex.split(match[1])
        if words[0] == "convert":
            words[2] = str(FILES / Path(words[2]).name)
        found.append(words)
    return found


class Page(CtlTestCase):
    def test_every_command_is_one_that_there_is(self) -> None:
        for words in commands():
            with redirect_stderr(StringIO()) as told:
                try:
                    make_parser().parse_args(words)
                except SystemExit:
                    self.fail(f"{words}: {told.getvalue()}")

    def test_every_conversion_can_be_done(self) -> None:
        done = set()
        for words in commands():
            if words[0] != "convert":
                continue
            done.add(words[1])
            words = [*words, "--skip", "-o", str(Path(self.directory) / "out")]
            code, out, err = self.run_ctl(*words)
            self.assertEqual(code, 1 if "left out: " in err else 0, err)
            self.assertIn("written    ", out)
        self.assertEqual(done, set(ORIGINS))

    def test_the_first_example_is_what_is_printed(self) -> None:
        (words,) = [
            each for each in commands() if each[:2] == ["convert", "popmap"] and "-n" in each
        ]
        _, out, err = self.run_ctl(*words)
        page = " ".join(PAGE.read_text(encoding="utf-8").split())
        for line in err.replace(str(FILES), "/etc/perdition").splitlines():
            if " erin: " in line or line.startswith("note: "):
                self.assertIn(" ".join(line.split()), page)
        self.assertIn("users      5", out)


class FromFileToFrontDoor(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        shutil.copytree(FILES, self.folder / "files")

    def ctl(self, *words: str) -> str:
        return referralctl(self.folder, "-c", "referrald.toml", *words)

    def convert(self, *words: str, out: str) -> str:
        """Convert a file of which something is left out."""
        with self.assertRaises(AssertionError) as caught:
            self.ctl("convert", *words, "--skip", "-o", out)
        self.assertIn("left out: ", str(caught.exception))
        return (self.folder / out).read_text(encoding="utf-8")

    def site(self, *sections: str) -> None:
        text = CONFIG + "\n".join(sections)
        (self.folder / "referrald.toml").write_text(text, encoding="utf-8")

    def test_a_popmap_in_a_database(self) -> None:
        self.site('[[backend]]\ntype = "sqlite"\ndatabase = "homes.db"\n')
        self.convert("popmap", "files/popmap", "--names-there", out="homes.csv")
        self.assertIn("5 users would change", self.ctl("home", "import", "homes.csv", "-n"))
        said = self.ctl("home", "import", "homes.csv", "--why", "from perdition")
        self.assertIn("5 users changed", said)
        self.assertIn("no problems", self.ctl("check"))
        said = self.ctl("lookup", "bob")
        self.assertIn("imap-b.example.net:1143", said)
        self.assertIn("robert", said)

    def test_expressions_and_a_murder_as_tables(self) -> None:
        self.site(
            '[[backend]]\nname = "a"\ntype = "table"\nfile = "regex.toml"\n',
            '[[backend]]\nname = "b"\ntype = "table"\nfile = "cyrus.toml"\n',
        )
        self.convert("popmap-regex", "files/popmap.re", out="regex.toml")
        self.convert("cyrus", "files/mboxlist.json", out="cyrus.toml")
        self.assertIn("no problems", self.ctl("check"))
        self.assertIn("imap-a.example.net", self.ctl("lookup", "anna"))
        self.assertIn("mail1.example.net", self.ctl("lookup", "jo.doe"))

    def test_a_ring_behind_exceptions_and_a_service_behind_nginx(self) -> None:
        sections = [
            self.convert("director-dump", "files/director-dump", out="ring.toml"),
            self.convert("nginx", "files/nginx.conf", out="nginx.toml"),
        ]
        ring = sections[0] + 'groups = ["*@shared.example.org=shared"]\n'
        exceptions = '[[backend]]\ntype = "sqlite"\ndatabase = "homes.db"\n'
        self.site(exceptions, ring)
        self.convert("director-map", "files/director-map", out="homes.csv")
        self.assertIn("6 users changed", self.ctl("home", "import", "homes.csv"))
        self.assertIn("no problems", self.ctl("check"))
        self.assertIn("127.0.0.13", self.ctl("lookup", "emil"))
        self.assertIn("ring", self.ctl("lookup", "zoe"))
        self.site(sections[1])
        self.assertIn("no problems", self.ctl("check"))
