from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.error import UnauthorizedLogin

from referrald.auth.tokens import Wanted, judge, parse_answer
from referrald.errors import Unavailable
from tests.auth.support import AuthTestCase

NOW = 1_000.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class JudgeTests(AuthTestCase):
    def judge(self, wanted: Wanted | None = None, **answer: Any) -> tuple[str, float | None]:
        full = {"active": True, "username": "joe", **answer}
        return judge(full, wanted or Wanted(), NOW)

    def refused(self, wanted: Wanted | None = None, **answer: Any) -> None:
        self.assertRaises(UnauthorizedLogin, self.judge, wanted, **answer)

    def test_an_active_token_gives_its_user_and_its_end(self) -> None:
        self.assertEqual(self.judge(), ("joe", None))
        self.assertEqual(self.judge(exp=1001), ("joe", 1001))

    def test_a_token_that_is_not_active_is_refused(self) -> None:
        self.refused(active=False)

    def test_times_are_looked_at(self) -> None:
        self.refused(exp=1000)
        self.refused(exp=999.5)
        self.refused(nbf=1001)
        self.assertEqual(self.judge(nbf=1000)[0], "joe")

    def test_every_word_of_the_scope_is_needed(self) -> None:
        wanted = Wanted(scope="mail imap")
        self.assertEqual(self.judge(wanted, scope="imap other mail")[0], "joe")
        self.assertEqual(self.judge(wanted, scope=["imap", "mail"])[0], "joe")
        for scope in ("mail", "", None, 5, "imap-mail mail"):
            self.refused(wanted, scope=scope)

    def test_one_audience_is_enough(self) -> None:
        wanted = Wanted(audience=("imap.example.com", "mail"))
        for audience in ("mail", ["x", "imap.example.com"]):
            self.assertEqual(self.judge(wanted, aud=audience)[0], "joe")
        for audience in ("other", [], None, {"mail": 1}):
            self.refused(wanted, aud=audience)

    def test_the_user_is_in_the_field_that_was_asked_for(self) -> None:
        self.assertEqual(self.judge(Wanted(user_claim="sub"), sub="42")[0], "42")
        for user in (None, "", 42, ["joe"]):
            self.refused(username=user)

    def test_a_time_that_is_none_is_a_fault_of_the_server(self) -> None:
        for exp in ("soon", True, [1]):
            self.assertRaises(Unavailable, self.judge, exp=exp)

    @given(st.dictionaries(st.sampled_from(["username", "exp", "nbf", "aud", "scope"]), JSON))
    def test_any_answer_is_taken_or_refused(self, answer: dict[str, Any]) -> None:
        wanted = Wanted(scope="a", audience=("b",))
        with contextlib.suppress(UnauthorizedLogin, Unavailable):
            self.judge(wanted, **answer)


class AnswerTests(AuthTestCase):
    def test_json_with_a_verdict_is_an_answer(self) -> None:
        self.assertEqual(parse_answer(b'{"active": false}'), {"active": False})

    def test_anything_else_is_a_fault_of_the_server(self) -> None:
        deep = b"[" * 100_000
        for body in (b"", b"<html>", b"[]", b"{}", b'{"active": "yes"}', b"\xff", b"null", deep):
            self.assertRaises(Unavailable, parse_answer, body)

    @given(JSON)
    def test_any_json_is_an_answer_or_a_fault(self, value: Any) -> None:
        with contextlib.suppress(Unavailable):
            parse_answer(json.dumps(value).encode())
