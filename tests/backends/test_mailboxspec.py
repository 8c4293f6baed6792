"""The section ``[[mailboxes]]``: what is right becomes notes, all that is wrong is told at once."""

from __future__ import annotations

from typing import Any

from referrald.backends.build import Built
from referrald.backends.changes import changes
from tests.backends.support import BackendTestCase, compiled, told
from tests.proves import proves

SERVERS = """\
[servers.b]
host = "imap-b.example.com"
[servers.c]
host = "imap-c.example.com"
port = 993
"""

BAD = """\
[servers.b]
host = "imap-b.example.com"
[[mailboxes]]
server = "b"
[[mailboxes]]
match = "INBOX"
server = "nowhere"
nmae = "x"
[[mailboxes]]
match = "#shared/"
server = "b"
name = "Public"
folders = ["Minutes", "Minutes", "/x", 3, { nam = "x" }, "a*", { name = "y", subscribed = 1 }]
attributes = ["Sent"]
ttl = -1
for = []
subscribed = "yes"
[[mailboxes]]
match = "Plans"
server = "here"
name = "x"
folders = ["a"]
subscribed = true
[[mailboxes]]
match = "Old"
name = "x"
[[mailboxes]]
match = "a%"
server = "::1"
name = "Archive"
attributes = ["\\\\HasChildren"]
[[mailboxes]]
match = "R"
replicas = [{ server = "b", ttl = 1 }, { name = "x" }, { server = "here" }, { server = "b", auth = "a b" }]
server = "b"
user = "x"
[[mailboxes]]
match = "T"
replicas = [{ server = "b" }, { server = "b" }]
[[mailboxes]]
match = "M"
moving = true
server = "here"
[[mailboxes]]
match = "N"
server = ["b", 1]
user = "%x"
selectable = false
name = "%m"
"""  # noqa: E501

WRONG = [
    "3 mailboxes #1.match: is missing",
    "6 mailboxes #2.match: INBOX cannot be elsewhere by itself",
    '7 mailboxes #2.server: there is no server "nowhere"',
    "8 mailboxes #2.nmae: there is no such key",
    '12 mailboxes #3.name: "Public" does not end in /',
    '13 mailboxes #3.folders: 2: "Minutes" is there twice',
    '13 mailboxes #3.folders: 3: "/x" has an empty level',
    "13 mailboxes #3.folders: 4: is not a folder",
    "13 mailboxes #3.folders: 5: nam: there is no such key",
    '13 mailboxes #3.folders: 6: "a*" is a pattern',
    "13 mailboxes #3.folders: 7: is neither true nor false",
    "14 mailboxes #3.attributes: is not a list of attributes",
    "15 mailboxes #3.ttl: is not a time",
    "16 mailboxes #3.for: is not a list of users",
    "17 mailboxes #3.subscribed: is neither true nor false",
    "21 mailboxes #4.name: means nothing without another server",
    "22 mailboxes #4.folders: means nothing for what is here",
    "22 mailboxes #4.folders: is for a subtree only",
    "23 mailboxes #4.subscribed: means nothing for what is here",
    "24 mailboxes #5.server: is missing",
    "26 mailboxes #5.name: means nothing without another server",
    '29 mailboxes #6.server: "::1" is an IPv6 address, which no referral can carry',
    "30 mailboxes #6.name: would be one name for all mailboxes",
    "31 mailboxes #6.attributes: \\HasChildren is found out by the server itself",
    "31 mailboxes #6.attributes: means nothing for a pattern",
    "34 mailboxes #7.replicas: 1.ttl: there is no such key",
    "34 mailboxes #7.replicas: 2.server: is no other server",
    "34 mailboxes #7.replicas: 3.server: is no other server",
    "34 mailboxes #7.replicas: 4.auth: is not a SASL mechanism",
    "34 mailboxes #7.replicas: and server are both there",
    "36 mailboxes #7.user: means nothing beside replicas",
    "39 mailboxes #8.replicas: has a place twice",
    "42 mailboxes #9.moving: means nothing for what is here",
    "46 mailboxes #10.server: is not a server",
    '47 mailboxes #10.user: "%x" is not a variable',
    "48 mailboxes #10.selectable: is for a subtree only",
    "49 mailboxes #10.name: %m is for patterns only",
]


class Section(BackendTestCase):
    def built(self, text: str) -> Built:
        return compiled("table", self.file(SERVERS + text))

    def said(self, text: str) -> list[dict[str, Any]]:
        built = self.built(text)
        assert built.image is not None, built.outcome.problems
        found: list[dict[str, Any]] = built.image.notes["rules"]["mailboxes"]
        return found

    def wrong(self, text: str) -> list[str]:
        """Give what is wrong with a text, without the lines."""
        problems = told(self.built(text).outcome.problems, self.folder / "source")
        return [problem.partition(" ")[2] for problem in problems]

    @proves("U4")
    def test_everything_that_is_wrong_is_told_at_once_with_its_line(self) -> None:
        path = self.file(BAD)
        problems = compiled("table", path).outcome.problems
        self.assertEqual(told(problems, path), WRONG)
        self.assertEqual(problems[3].right, 'did you mean "name"?')

    def test_what_is_right_becomes_notes_without_the_defaults(self) -> None:
        said = self.said('[[mailboxes]]\nmatch = "a"\nserver = "b"\nsubscribed = false\n')
        server = ["imap-b.example.com", 143, "starttls"]
        replica = [server, None, None, False, "*"]
        self.assertEqual(said, [{"kind": "name", "at": "a", "replicas": [replica]}])

    def test_everything_there_is_can_be_said(self) -> None:
        (said,) = self.said(
            '[[mailboxes]]\nmatch = "#s/"\nserver = ["b", "c"]\nname = "P/Q/"\nuser = "%n"\n'
            'auth = "plain"\nfor = ["Alice", "*@Example.org"]\nattributes = "\\\\Sent"\n'
            "subscribed = true\nmoving = true\nselectable = false\nttl = 60\n"
            'folders = ["a", { name = "a/b", attributes = ["\\\\Junk"], subscribed = true }]\n'
        )
        there = ["P/Q/", "%n", True, "PLAIN"]
        self.assertEqual(
            said,
            {
                "kind": "subtree",
                "at": "#s",
                "replicas": [
                    [["imap-b.example.com", 143, "starttls"], *there],
                    [["imap-c.example.com", 993, "tls"], *there],
                ],
                "for": ["*@example.org", "alice"],
                "attributes": ["\\Sent", "\\Noselect"],
                "subscribed": True,
                "moving": True,
                "ttl": 60.0,
                "folders": [["a", [], False], ["a/b", ["\\Junk"], True]],
            },
        )

    def test_two_entries_for_the_same_are_told_unless_they_are_for_others(self) -> None:
        entry = '[[mailboxes]]\nserver = "b"\n'
        for one, other, message in (
            ('match = "a"', 'match = "a"', '"a" is in #1 already'),
            ('match = "a/"', 'match = "a/*"', '"a" is in #1 already'),
            ('match = "a/"', 'match = "a"', '"a" is in #1 already'),
            ('match = "a*"', 'match = "a*"', '"a*" is in #1 already'),
            (
                'match = "a"\nfor = ["x", "y"]',
                'match = "a"\nfor = ["z", "Y"]',
                '"a" is in #1 already for y',
            ),
        ):
            found = self.wrong(f"{entry}{one}\n{entry}{other}\n")
            self.assertEqual(found, [f"mailboxes #2.match: {message}"])
        for one, other in (
            ('match = "a"', 'match = "a"\nfor = ["x"]'),
            ('match = "a"\nfor = "x"', 'match = "a"\nfor = "y"'),
            ('match = "a"', 'match = "A"'),
            ('match = "a/"', 'match = "a/b/"'),
        ):
            self.assertEqual(self.wrong(f"{entry}{one}\n{entry}{other}\n"), [], (one, other))

    def test_a_section_of_another_kind_is_told(self) -> None:
        for text in ("mailboxes = 1", "mailboxes = {}", "mailboxes = [1]"):
            path = self.file(text)
            problems = compiled("table", path).outcome.problems
            self.assertEqual(told(problems, path), ["1 mailboxes: is not a list of tables"])
        for value in ("[]", "1", '"x"', "[1]", "{}"):
            found = self.wrong(f'[[mailboxes]]\nmatch = "a"\nreplicas = {value}\n')
            self.assertEqual(found, ["mailboxes #1.replicas: is not a list of tables"])
        found = self.wrong('[[mailboxes]]\nmatch = 1\nserver = "b"\nfolders = "x"\n')
        self.assertEqual(
            found, ["mailboxes #1.match: is not text", "mailboxes #1.folders: is not a list"]
        )

    def test_a_folder_must_have_room_below_its_subtree(self) -> None:
        text = f'[[mailboxes]]\nmatch = "{"x" * 600}/"\nserver = "b"\nfolders = ["{"y" * 600}"]\n'
        found = self.wrong(text)
        self.assertEqual(found, ["mailboxes #1.folders: 1: is longer than 1000 bytes"])

    def test_a_delimiter_is_one_character_that_is_in_no_level(self) -> None:
        entry = '[[mailboxes]]\nmatch = "a.b/"\nserver = "b"\n'
        for value in ('""', '"ab"', "1", '"*"', '"\u00e9"'):
            self.assertEqual(
                self.wrong(f"{entry}delimiter = {value}\n"),
                ["mailboxes #1.delimiter: is not a delimiter"],
            )
        self.assertEqual(
            self.wrong(f'{entry}delimiter = "."\nfolders = ["v1.0", "x"]\n'),
            [
                'mailboxes #1.match: "a.b" has . in it, which divides levels there',
                'mailboxes #1.folders: "v1.0" has . in it, which divides levels there',
            ],
        )
        self.assertEqual(self.wrong(f'{entry}delimiter = "."\nname = "P."\nfolders = ["x"]\n'), [])
        self.assertEqual(
            self.wrong(f'{entry}delimiter = "."\nname = "P/"\n'),
            ['mailboxes #1.name: "P/" does not end in .'],
        )
        self.assertEqual(
            self.wrong('[[mailboxes]]\nmatch = "a"\nserver = "here"\ndelimiter = "."\n'),
            ["mailboxes #1.delimiter: means nothing without another server"],
        )

    def test_an_attribute_stands_once_and_a_folder_has_a_name(self) -> None:
        entry = '[[mailboxes]]\nmatch = "a/"\nserver = "b"\n'
        found = self.wrong(entry + 'attributes = ["\\\\Sent", "\\\\sent"]\nfolders = [{}]\n')
        self.assertEqual(
            found,
            [
                "mailboxes #1.attributes: \\sent is there twice",
                "mailboxes #1.folders: 1: has no name",
            ],
        )

    def test_other_mailboxes_may_concern_anybody(self) -> None:
        images = [
            self.built(text).image
            for text in (
                "",
                '[[mailboxes]]\nmatch = "a"\nserver = "b"\n',
                '# Moved.\n\n[[mailboxes]]\nserver = "b"\nmatch = "a"\n',
                '[[mailboxes]]\nmatch = "a"\nserver = "c"\n',
            )
        ]
        none, one, same, other = images
        assert none and one and same and other
        self.assertIsNone(changes(none, one))
        self.assertIsNone(changes(one, none))
        self.assertIsNone(changes(one, other))
        self.assertEqual(changes(one, same), ())
