from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.auth.schemes import parse_password_field, verify
from referrald.config.load import Loaded, load
from referrald.config.schema import SECTIONS
from tests.config.fakes import NOW, KeyPair

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PASSWORDS = {"alice": b"wonderland", "bob": b"builder", "carol": b"chess"}

BACKENDS = (
    "consul", "dns", "etcd", "http", "ldap", "postgresql", "redis", "redis-dovecot",
)  # fmt: skip


class Examples(SynchronousTestCase):
    """The files of docs/examples, beside a certificate as they expect it."""

    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.place)
        for name in ("referrald.toml", "users", "homes.toml"):
            shutil.copy(EXAMPLES / name, self.place)
        pair = KeyPair()
        for name in ("fullchain.pem", "clients.pem", "homes.pem", "relay.pem"):
            (self.place / name).write_bytes(pair.certificate_pem)
        for name in ("privkey.pem", "relay-key.pem"):
            (self.place / name).write_bytes(pair.key_pem)
        (self.place / "passwords").write_text("alice:wonderland\n")
        (self.place / "redis-password").write_text("wonderland\n")

    def load(self) -> Loaded:
        loaded = load(self.place / "referrald.toml", now=NOW)
        self.assertEqual([str(problem) for problem in loaded.problems], [])
        return loaded

    def uncomment(self, name: str) -> str:
        """Switch on every setting that the file shows behind a ``#``."""
        path = self.place / name
        text = re.sub(r"^#(?=[a-z\[])", "", path.read_text(), flags=re.MULTILINE)
        path.write_text(text)
        return text

    def test_the_example_is_a_good_configuration(self) -> None:
        config = self.load().config
        assert config is not None
        self.assertEqual([each.name for each in config.listeners], ["imap", "imaps", "local"])
        self.assertEqual([each.name for each in config.backends], ["users", "homes"])
        self.assertEqual(config.auth.backends, ("users",))

    def test_so_are_those_of_other_backends(self) -> None:
        for name in BACKENDS:
            shutil.copy(EXAMPLES / f"{name}.toml", self.place / "referrald.toml")
            config = self.load().config
            assert config is not None
            self.assertEqual([each.name for each in config.backends], [name.partition("-")[0]])

    def test_so_is_that_of_front_doors_that_count_together(self) -> None:
        shutil.copy(EXAMPLES / "shared.toml", self.place / "referrald.toml")
        config = self.load().config
        assert config is not None
        self.assertEqual(config.shared.servers, ("rediss://redis.example.org",))

    def test_so_is_the_example_with_everything_switched_on(self) -> None:
        text = self.uncomment("referrald.toml")
        self.uncomment("homes.toml")
        config = self.load().config
        assert config is not None
        self.assertEqual(config.listeners[-1].drain, "imap://;AUTH=*@imap2.example.org/")
        for section in SECTIONS:
            self.assertIn(f"\n{section.heading}\n", text)

    def test_what_is_shown_as_a_default_is_one(self) -> None:
        plain = self.load().config
        self.uncomment("referrald.toml")
        everything = self.load().config
        assert plain is not None and everything is not None
        self.assertEqual(everything.limits, plain.limits)
        self.assertEqual(attrs.evolve(everything.directory, snapshot=None), plain.directory)
        self.assertEqual(everything.serve, plain.serve)

    def test_the_users_have_the_passwords_that_the_file_tells(self) -> None:
        found = {}
        for line in (EXAMPLES / "users").read_text().splitlines():
            if line and not line.startswith("#"):
                user, field = line.split(":")[:2]
                found[user] = verify(parse_password_field(field), PASSWORDS[user])
        self.assertEqual(found, dict.fromkeys(PASSWORDS, True))
