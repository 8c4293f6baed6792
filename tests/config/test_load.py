from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrald.config.load import load, load_document
from referrald.config.schema import SECTIONS
from referrald.config.settings import BackendSettings
from referrald.model import Limits, Problem
from tests.config.fakes import GOOD, NOW, ConfigTestCase


class Loading(ConfigTestCase):
    def test_a_small_file_gives_a_whole_configuration(self) -> None:
        config = self.load(GOOD).config
        assert config is not None
        self.assertEqual(config.server.name, "imap.example.org")
        self.assertEqual(config.listeners[0].name, "tcp:143")
        self.assertEqual(config.backends[0].name, "fake")
        self.assertIs(config.backends[0].factory, self.factory)
        self.assertEqual(config.limits, Limits())
        self.assertEqual((config.directory.deadline, config.auth.backends), (2.0, None))
        self.assertEqual(config.path, self.file)

    def test_options_of_a_backend_are_checked_by_its_type(self) -> None:
        config = self.load(GOOD + 'path = "users"\nevery = "5m"\nroom = "1k"\n').config
        assert config is not None
        self.assertEqual(
            config.backends[0].options,
            {"path": self.path("users"), "host": None, "password": "", "every": 300.0,
             "room": 1024, "share": 0.5},
        )  # fmt: skip

    def test_a_backend_may_say_how_its_answers_are_kept(self) -> None:
        config = self.load(GOOD + 'cache_found = "5m"\ncache_size = 7\n').config
        assert config is not None
        (backend,) = config.backends
        kept = (backend.cache_found, backend.cache_missing, backend.cache_size)
        self.assertEqual(kept, (300.0, None, 7))
        self.assertEqual(
            len(self.load(GOOD + 'cache_found = "-1s"\ncache_size = "x"\n').problems), 2
        )

    def test_a_program_may_bring_a_backend_of_its_own(self) -> None:
        own = BackendSettings(name="own", type="own", options={}, factory=self.factory)
        document = tomllib.loads(GOOD) | {"auth": {"backends": ["own"]}}
        del document["backend"]
        config = load_document(document, "program", backends=[own]).config
        assert config is not None
        self.assertEqual(config.backends, (own,))

    def test_a_repr_shows_no_secret(self) -> None:
        text = GOOD + 'password = "hush1"\n[auth]\ncheckers = ["memory:me:hush2"]\n'
        text += '[auth.introspection]\nurl = "https://id.example.org/"\nclient_secret = "hush3"\n'
        loaded = self.load(text)
        self.assertIsNotNone(loaded.config)
        self.assertNotIn("hush", repr(loaded))

    def test_a_value_that_is_set_wins_over_the_default(self) -> None:
        config = self.load(GOOD + '[limits]\nliteral = "8k"\n[server.id]\nname = "Door"\n').config
        assert config is not None
        self.assertEqual(config.limits, Limits(literal=8192))
        self.assertEqual(config.server.id, {"name": "Door"})


class Problems(ConfigTestCase):
    def test_a_file_that_is_not_there(self) -> None:
        loaded = load(self.path("none.toml"))
        self.assertIsNone(loaded.config)
        self.assertEqual(
            str(loaded.problems[0]),
            f"{self.path('none.toml')}: file: cannot be read: No such file or directory",
        )

    def test_a_syntax_error_names_the_line(self) -> None:
        self.assertEqual(
            self.problems("[server]\nname = imap\n"), ["/d/r.toml:2: syntax: Invalid value"]
        )

    def test_a_syntax_error_at_the_end_names_the_file(self) -> None:
        self.assertEqual(
            self.problems("[server"),
            [
                "/d/r.toml: syntax: Expected ']' at the end of a table declaration "
                "(at end of document)"
            ],
        )

    def test_a_file_that_is_not_utf_8_names_the_line(self) -> None:
        self.write(b'[server]\nname = "\xff"\n')
        self.assertEqual(
            str(load(self.file).problems[0]),
            f"{self.file}:2: syntax: not UTF-8; save the file as UTF-8",
        )

    def test_a_file_that_is_nested_too_deeply(self) -> None:
        self.assertEqual(
            self.problems("a = " + "[" * 20_000), ["/d/r.toml: syntax: nested too deeply"]
        )

    def test_an_empty_file_lacks_what_must_be_there(self) -> None:
        self.assertEqual(
            self.problems(""),
            [
                "/d/r.toml: server.name: is missing; The host name that clients connect to",
                "/d/r.toml: [[listener]]: there is none; "
                "at least one [[listener]] section is needed",
                "/d/r.toml: [[backend]]: there is none; at least one [[backend]] section is needed",
            ],
        )

    def test_an_unknown_section(self) -> None:
        self.assertEqual(
            self.problems(GOOD + "[limit]\n"),
            ['/d/r.toml: limit: there is no such section; did you mean "limits"?'],
        )

    def test_a_section_within_another_is_not_known_by_itself(self) -> None:
        (line,) = self.problems(GOOD + '["auth.introspection"]\n')
        self.assertIn('/d/r.toml: "auth.introspection": there is no such section; ', line)

    def test_an_unknown_key(self) -> None:
        self.assertEqual(
            self.problems(GOOD + "[limits]\nlitteral = 5\n"),
            ['/d/r.toml: limits.litteral: there is no such key; did you mean "literal"?'],
        )

    def test_an_unknown_key_in_an_array_names_the_entry(self) -> None:
        self.assertEqual(
            self.problems(GOOD + 'name = "users"\npth = "x"\n'),
            ['/d/r.toml: [[backend]] #1 (users) pth: there is no such key; did you mean "path"?'],
        )

    def test_a_key_that_is_no_word_is_quoted(self) -> None:
        self.assertEqual(
            self.problems_of(serve={"a\nb": 1}),
            [
                '/d/r.toml: serve."a?b": there is no such key; known: '
                "message_size, others, public, public_root, quota, quota_messages, rights, root, "
                "store"
            ],
        )

    def test_a_section_that_is_no_table(self) -> None:
        self.assertEqual(
            self.problems_of(limits=5), ["/d/r.toml: limits: is 5, not a table; write [limits]"]
        )

    def test_an_array_that_is_none(self) -> None:
        self.assertEqual(
            self.problems_of(backend={"type": "fake"}),
            [
                "/d/r.toml: backend: is not a list of tables; write [[backend]] above each",
                "/d/r.toml: [[backend]]: there is none; at least one [[backend]] section is needed",
            ],
        )

    def test_an_id_that_is_not_text(self) -> None:
        self.assertEqual(
            self.problems_of(server={"id": {"version": 3}}),
            ["/d/r.toml: server.id.version: is not text; put it in quotes"],
        )

    def test_an_id_that_cannot_be_sent(self) -> None:
        self.assertEqual(
            self.problems_of(
                server={"id": {"a": "x\r\ny", "b": "z" * 1025, "c" * 31: "", "é": ""}}
            ),
            [
                "/d/r.toml: server.id.a: has characters that cannot be sent; printable text",
                "/d/r.toml: server.id.b: is too long; "
                "30 characters for a name, 1024 bytes for a value",
                f"/d/r.toml: server.id.{'c' * 31}: is too long; "
                "30 characters for a name, 1024 bytes for a value",
                '/d/r.toml: server.id."é": has characters that cannot be sent; printable text',
            ],
        )
        self.assertEqual(
            self.problems_of(server={"id": {f"k{n}": "" for n in range(31)}}),
            ["/d/r.toml: server.id: has more than 30 fields; 30 is what RFC 2971 allows"],
        )

    def test_a_problem_of_every_kind_comes_in_one_go(self) -> None:
        lines = self.problems(
            '[server]\nname = "a b"\n[[listener]]\nendpoint = "tcp:x"\n[[backend]]\ntype = "fak"\n'
            '[limits]\nline = "x"\nlinee = 1\n[log]\nformat = "xml"\n'
        )
        self.assertEqual(
            sorted(line.split(": ")[1] for line in lines),
            [
                "[[backend]] #1 type", "[[listener]] #1 endpoint", "[[listener]] #1 tls",
                "limits.line", "limits.linee", "log.format", "server.name",
            ],
        )  # fmt: skip

    def test_a_wrong_required_key_brings_no_second_problem(self) -> None:
        self.assertEqual(
            self.problems_of(backend=[{"type": 5}]),
            ["/d/r.toml: [[backend]] #1 type: 5 is not text; put it in quotes"],
        )


LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.times()
    | st.sampled_from(["tcp:143", "table", "fake", "ssl:993", "starttls", "imap://;AUTH=*@h/"])
).filter(lambda value: value is not None)
TREE = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def table_of(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with mostly known keys, so that the checks behind the first one are reached."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=8), TREE, max_size=6)


def section_tables() -> dict[str, st.SearchStrategy[Any]]:
    tables: dict[str, st.SearchStrategy[Any]] = {}
    for section in SECTIONS:
        if "." not in section.name:
            names = [option.name for option in section.options]
            extra = ["id", "introspection", "path", "every", "room", "password"]
            table = table_of(names + extra)
            tables[section.name] = (st.lists(table, max_size=3) if section.many else table) | TREE
    return tables


DOCUMENTS = st.fixed_dictionaries({}, optional=section_tables()).flatmap(
    lambda known: st.dictionaries(st.text(max_size=8), TREE, max_size=2).map(
        lambda more: more | known
    )
)


class AnyDocument(ConfigTestCase):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DOCUMENTS)
    def test_whatever_a_file_holds_loading_it_does_not_raise(
        self, document: dict[str, Any]
    ) -> None:
        loaded = load_document(document, self.file, now=NOW)
        self.assertEqual(loaded.config is None, bool(loaded.problems))
        for problem in loaded.problems:
            self.assertIsInstance(problem, Problem)
            self.assertNotIn("\n", str(problem))

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_whatever_bytes_a_file_is_made_of_loading_it_does_not_raise(self, data: bytes) -> None:
        self.assertIsNone(load(self.write(data)).config)
