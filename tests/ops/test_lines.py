from __future__ import annotations

import json
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import LoginEvent
from referrald.ops import lines
from referrald.ops.lines import bare, json_line, shown, text_line
from tests.proves import proves

EVENT = LoginEvent(
    session="K3F9",
    peer="192.0.2.1:5555",
    user="alice",
    mechanism="PLAIN",
    secure=True,
    listener="imaps",
    result="referred",
    target="imap-a.example.com",
    source="users",
    seconds=0.0012,
)
ANY = st.text(alphabet=st.characters(exclude_categories=()))


def changed(**fields: Any) -> LoginEvent:
    return attrs.evolve(EVENT, **fields)


class TextTests(SynchronousTestCase):
    def test_a_login_reads_from_left_to_right(self) -> None:
        self.assertEqual(
            text_line(EVENT),
            'login s=K3F9 peer=192.0.2.1:5555 user="alice" mech=PLAIN tls=yes result=referred'
            " target=imap-a.example.com source=users listener=imaps 1.2ms",
        )

    def test_what_is_empty_is_left_out(self) -> None:
        event = changed(target="", source="", listener="", secure=False, cause="", seconds=2.5)
        self.assertEqual(
            text_line(event),
            'login s=K3F9 peer=192.0.2.1:5555 user="alice" mech=PLAIN tls=no result=referred'
            " 2500.0ms",
        )

    def test_a_cause_in_words_stands_in_quotes(self) -> None:
        self.assertIn(' cause="backend is down" ', text_line(changed(cause="backend is down")))

    @proves("S2")
    def test_a_name_cannot_end_its_quotes_or_its_line(self) -> None:
        line = text_line(changed(user='x" result=served user="y\r\nlogin s=fake\x1b[2J\\'))
        self.assertIn(
            'user="x\\" result=served user=\\"y\\x0d\\x0alogin s=fake\\x1b[2J\\\\" mech=', line
        )

    def test_letters_of_any_script_stay_as_they_are(self) -> None:
        self.assertIn('user="jürgen"', text_line(changed(user="jürgen")))

    def test_marks_that_turn_the_direction_are_escaped(self) -> None:
        self.assertIn('user="a\\u202eb"', text_line(changed(user="a\u202eb")))
        self.assertIn('user="a\\U000e0001b"', text_line(changed(user="a\U000e0001b")))

    def test_a_long_name_is_cut(self) -> None:
        line = text_line(changed(user="x" * 5000))
        self.assertIn('user="' + "x" * lines.LONGEST_NAME + '..."', line)
        self.assertLess(len(line), 400)

    def test_the_name_of_a_unix_socket_cannot_forge_a_field(self) -> None:
        line = text_line(changed(peer='a result=served\n"'))
        self.assertIn('peer="a result=served\\x0a\\"" user=', line)

    def test_an_odd_mechanism_is_quoted(self) -> None:
        self.assertIn(' mech="X Y" ', text_line(changed(mechanism="X Y")))
        self.assertEqual(bare(""), '""')
        self.assertEqual(bare("a=b"), '"a=b"')

    @given(ANY, ANY, ANY)
    def test_nothing_makes_a_second_line(self, user: str, cause: str, mechanism: str) -> None:
        line = text_line(changed(user=user, cause=cause, mechanism=mechanism))
        self.assertEqual(len(line.splitlines()), 1)
        self.assertTrue(line.isprintable())
        line.encode("utf-8")

    @given(ANY)
    def test_shown_text_has_no_bare_quote(self, text: str) -> None:
        inside = shown(text).replace("\\\\", "").replace('\\"', "")
        self.assertNotIn('"', inside)

    def test_what_is_remembered_is_bounded(self) -> None:
        for number in range(3 * lines._Memo.MOST):
            text_line(changed(mechanism=f"X{number}"))
        self.assertLessEqual(len(lines._bare), lines._Memo.MOST)
        text_line(changed(mechanism="Y" * 10_000))
        self.assertNotIn("Y" * 10_000, lines._bare)


class JsonTests(SynchronousTestCase):
    def test_a_login_is_one_object(self) -> None:
        self.assertEqual(
            json.loads(json_line(EVENT, "2026-11-25T10:00:00+0000")),
            {
                "time": "2026-11-25T10:00:00+0000",
                "event": "login",
                "session": "K3F9",
                "peer": "192.0.2.1:5555",
                "user": "alice",
                "mechanism": "PLAIN",
                "tls": True,
                "result": "referred",
                "target": "imap-a.example.com",
                "source": "users",
                "listener": "imaps",
                "ms": 1.2,
            },
        )

    @given(ANY, ANY)
    def test_every_name_comes_back_as_it_was(self, user: str, cause: str) -> None:
        line = json_line(changed(user=user, cause=cause))
        self.assertEqual(len(line.splitlines()), 1)
        read = json.loads(line)
        self.assertTrue(len(user) > lines.LONGEST_NAME or read["user"] == user)
        self.assertNotIn("time", read)

    def test_long_fields_are_cut(self) -> None:
        line = json_line(changed(user="x" * 5000, cause="y" * 5000))
        self.assertLess(len(line), 1000)
