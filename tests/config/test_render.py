from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrald.config.load import load_document
from referrald.config.render import render
from referrald.config.settings import Config
from tests.config.fakes import GOOD, NOW, ConfigTestCase, KeyPair

SECRETS = (
    'password = "hush1"\n[auth]\ncheckers = ["memory:me:hush2", "memory:"]\n[auth.introspection]\n'
    'url = "https://id.example.org/"\nclient_secret = "hush3"\n'
)
FULL = """
[server.id]
name = "Door"
"support url" = "https://example.org/\\"x\\""

[[listener]]
name = "plain"
endpoint = "unix:/run/imap.sock"
tls = "none"
allow_cleartext = true
login = "auto"

[[backend]]
name = "second"
type = "fake"
path = "users"
every = "90s"
share = 0.25

[tls]
certificate = "c.pem"
minimum = "1.3"

[[network]]
networks = ["10.0.0.0/8", "2001:db8::/32"]
login = "relay"

[auth]
mechanisms = ["PLAIN"]
backends = ["fake"]

[limits]
literal = "8k"
idle_time = "45m"
"""


KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=5)


class Rendering(ConfigTestCase):
    def good(self, text: str) -> Config:
        loaded = self.load(text)
        self.assertEqual(loaded.problems, [])
        assert loaded.config is not None
        return loaded.config

    def full(self) -> Config:
        pair = KeyPair()
        self.write(pair.certificate_pem + pair.key_pem, "c.pem")
        return self.good(GOOD + FULL)

    def test_what_is_written_loads_to_the_same(self) -> None:
        for config in (self.good(GOOD), self.full(), self.good(GOOD + SECRETS)):
            for less in (False, True):
                text = render(config, differences_only=less, mask=False)
                self.assertEqual(self.good(text), config)

    def test_the_differences_are_only_what_was_set(self) -> None:
        self.assertEqual(
            render(
                self.good(GOOD + '[limits]\nline = "36k"\nliteral = "8k"\n'), differences_only=True
            ),
            '[server]\nname = "imap.example.org"\n\n'
            '[[listener]]\nendpoint = "tcp:143"\ntls = "none"\nallow_cleartext = true\n\n'
            '[[backend]]\ntype = "fake"\n\n'
            '[limits]\nliteral = "8k"\n',
        )

    def test_everything_has_every_key_and_says_which_are_defaults(self) -> None:
        text = render(self.full())
        document = tomllib.loads(text)
        self.assertEqual(
            list(document),
            ["server", "listener", "tls", "backend", "directory", "referral", "network",
             "relay", "auth", "serve", "limits", "shared", "log", "extensions"],
        )  # fmt: skip
        self.assertIn('\nauth_time = "1m"  # default\n', text)
        self.assertIn('\nidle_time = "45m"\n', text)
        self.assertEqual(document["server"]["id"]["support url"], 'https://example.org/"x"')

    def test_secrets_are_masked(self) -> None:
        config = self.good(GOOD + SECRETS)
        for less in (False, True):
            text = render(config, differences_only=less)
            self.assertNotIn("hush", text)
            self.assertIn('password = "***"', text)
            self.assertIn('checkers = ["memory:***", "memory:"]', text)
            self.assertIn('client_secret = "***"', text)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "greeting": st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=9),
                "id": st.dictionaries(
                    KEYS, st.text(max_size=9).filter(str.isprintable), max_size=3
                ),
            },
        ),
        st.fixed_dictionaries(
            {}, optional={"stale": st.floats(0, 1e300), "cache_found": st.integers(0, 10**9)}
        ),
        st.fixed_dictionaries(
            {}, optional={"cache_missing": st.floats(0, 1e9), "cache_size": st.integers(0, 10**9)}
        ),
    )
    def test_any_good_configuration_goes_there_and_back(
        self, server: dict[str, Any], directory: dict[str, Any], backend: dict[str, Any]
    ) -> None:
        document = tomllib.loads(GOOD)
        document["server"] |= server
        document["backend"][0] |= backend
        loaded = load_document(document | {"directory": directory}, self.file, now=NOW)
        assert loaded.config is not None
        self.assertEqual(self.good(render(loaded.config, mask=False)), loaded.config)
