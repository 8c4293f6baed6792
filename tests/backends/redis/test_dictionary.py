from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.passwdfields import CLOSED, ExtraReader
from referrald.backends.redis.dictionary import LONGEST_VALUE, Dictionary, Template
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.model import Home, Security, Server, StoredPassword

NAMES = st.text("ab@/:*%{}\\' n", min_size=1, max_size=8)
A = Server(host="imap-a.example.org")


def dictionary(prefix: str = "", key: str = "passdb/%u", **options: Any) -> Dictionary:
    usual = {
        "security": "starttls", "own_hosts": (), "ignore": (), "suggest": False, "obey": False,
        "username_format": "%u",
    }  # fmt: skip
    return Dictionary(
        template=Template(prefix, key), extras=ExtraReader(usual | options), scheme="CRYPT"
    )


class Templates(SynchronousTestCase):
    def test_keys_are_as_dovecot_makes_them(self) -> None:
        for prefix, text, key in (
            ("", "passdb/%u", b"passdb/al@b.example"),
            ("mail/", "passdb/%u", b"mail/passdb/al@b.example"),
            ("", "%d/%n/passdb", b"b.example/al/passdb"),
            ("", "users/%Lu", b"users/al@b.example"),
        ):
            self.assertEqual(Template(prefix, text).key("al@b.example"), key)

    def test_one_that_is_the_same_for_all_users_is_wrong(self) -> None:
        for text in ("passdb", "passdb/%%u", "", "%x", "passdb/%"):
            with self.assertRaises(Wrong, msg=text):
                Template("", text)

    @given(NAMES, NAMES, st.sampled_from(("p/%u", "%d/%n", "%d:%n/x", "%n@%d", "%u", "%n%%%d")))
    def test_no_two_users_have_a_key_in_common(self, one: str, other: str, text: str) -> None:
        template = Template("", text)
        assume(one != other and template.can_have(one) and template.can_have(other))
        self.assertNotEqual(template.key(one), template.key(other))

    def test_a_name_cannot_get_at_another_kind_of_key(self) -> None:
        self.assertFalse(Template("", "userdb/%u").can_have("alice/quota"))
        self.assertTrue(Template("", "userdb/%u").can_have("alice@b.example"))

    @given(NAMES, st.sampled_from(("p/%u", "%u/x", "%u")))
    def test_a_key_says_whose_it_is(self, name: str, text: str) -> None:
        template = Template("pre:", text)
        self.assertEqual(template.user(template.key(name).decode()), name)

    def test_a_key_of_a_part_of_the_name_may_be_anybodys(self) -> None:
        self.assertEqual(Template("", "p/%n").user("p/alice"), "")
        self.assertEqual(Template("", "p/%u").user("q/alice"), "")
        self.assertEqual(Template("x:", "p/%n").beginning, "x:p/")


class Values(SynchronousTestCase):
    def setUp(self) -> None:
        self.dictionary = dictionary()

    def home(self, value: Any, user: str = "alice") -> Home | None:
        return self.dictionary.home(json.dumps(value).encode(), user)

    def test_fields_are_read_as_in_a_passwd_file(self) -> None:
        host = {"host": "imap-a.example.org"}
        tls = Server(host=A.host, port=993, security=Security.TLS)
        for value, home in (
            ({"password": "{PLAIN}x"}, Home()),
            (host | {"password": "{PLAIN}x", "proxy": "y"}, Home(servers=(A,))),
            (host | {"ssl": "yes", "port": 993}, Home(servers=(tls,))),
            (host | {"ssl": True, "port": "993"}, Home(servers=(tls,))),
            (host | {"destuser": "%n@there"}, Home(servers=(A,), user="alice@there")),
            (host | {"userdb_home": "/x", "nopassword": None}, Home(servers=(A,))),
            ({"nologin": "y"}, Home(closed=CLOSED)),
            ({"nologin": None, "reason": "Moved to room 7"}, Home(closed="Moved to room 7")),
            (host | {"held": True}, Home(servers=(A,), held=True)),
        ):
            self.assertEqual(self.home(value), home, value)
        self.assertIsNone(self.home({"fail": "y", **host}))
        self.assertIsNone(self.dictionary.home(None, "alice"))

    def test_what_keeps_people_out_or_is_not_known_is_no_answer(self) -> None:
        for value in (
            {"allow_nets": "127.0.0.1"}, {"hsot": "imap-a"}, {"host": ""}, {"host": "::1"},
            {"host": "a", "port": 0}, {"host": "a", "port": "x"}, {"host": ["a"]}, {"host": {}},
            {"host": "a", "port": 1.5}, {"host": "a", "ssl": False}, {"proxy": "y"},
            [], "x", 7, None, {"host": "a b"}, {"host": "a\n"}, {"nologin": "", "reason": "a\nb"},
        ):  # fmt: skip
            with self.assertRaises(Unavailable, msg=repr(value)):
                self.home(value)

    def test_what_is_no_json_is_no_answer_and_not_quoted(self) -> None:
        for value in (
            b"", b"hush", b'{"password": "hush"', b"\xff", b"[" * 60_000,
            b'{"host": "' + b"h" * LONGEST_VALUE + b'"}',
        ):  # fmt: skip
            for ask in (self.dictionary.home, self.dictionary.password):
                with self.assertRaises(Unavailable) as caught:
                    ask(value, "alice")
                self.assertNotIn("hush", str(caught.exception))

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def test_any_value_is_a_home_or_no_answer(self, value: Any) -> None:
        try:
            found = self.home({"host": value})
        except Unavailable:
            return
        assert found is not None
        self.assertTrue(found.servers)

    def test_passwords_are_read(self) -> None:
        for value, stored in (
            ({"password": "{PLAIN}x"}, StoredPassword(scheme="PLAIN", encoded=b"x")),
            ({"password": "$6$a$b"}, StoredPassword(scheme="CRYPT", encoded=b"$6$a$b")),
            ({"password": ""}, None),
            ({"password": None}, None),
            ({}, None),
            ({"password": "{PLAIN}x", "fail": "y"}, None),
        ):
            found = self.dictionary.password(json.dumps(value).encode(), "alice")
            self.assertEqual(found, stored, value)
        self.assertIsNone(self.dictionary.password(None, "alice"))
