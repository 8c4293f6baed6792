from __future__ import annotations

import mailbox
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailfiles.maildir import MaildirWriter, count, folders_of, read_maildir
from referrald.mailfiles.maildirnames import (
    arrival_of,
    directory_of,
    flags_of,
    info_of,
    levels_of,
    read_keywords,
    write_keywords,
)
from referrald.mailfiles.messages import NotMail

DATE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
LEVEL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


class Names(SynchronousTestCase):
    def test_letters_are_flags(self) -> None:
        keywords = {"a": "$Work", "b": "Other"}
        for name, flags in (
            ("1.x:2,", set()), ("1.x", set()), ("1.x:2,S", {"\\Seen"}), ("1.x:1,S", set()),
            ("1.x:2,DFPRSTab", {"\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen",
                                "\\Deleted", "$Work", "Other"}),
            ("1.x!2,RS", {"\\Answered", "\\Seen"}), ("1.x;2,F", {"\\Flagged"}),
            ("1.x:2,Sz?", {"\\Seen"}), ("1.x,S=10,W=11:2,T", {"\\Deleted"}),
        ):  # fmt: skip
            self.assertEqual(set(flags_of(name, keywords)), flags, name)

    def test_they_tell_in_which_order_messages_came(self) -> None:
        names = [
            "cur", "99.x", "1700000000.9.host", "1700000000.M7P1.host,S=10:2,S",
            "1700000000.M99999P81Q2.host", "1700000000.V801I1a2bM100000.host",
            "1700000000.M123456P7Q9.host", "1700000000.M123456P7Q10.host",
            "1700000001.M1P1Q1.host",
        ]  # fmt: skip
        self.assertEqual(sorted(names, key=arrival_of), names)

    def test_flags_are_letters_in_their_order(self) -> None:
        flags = ("\\seen", "$Work", "\\Draft", "$None", "$forwarded", "\\Recent")
        self.assertEqual(info_of(flags, ["Other", "$work"]), ":2,DPSb")

    def test_keywords_have_numbers(self) -> None:
        self.assertEqual(read_keywords("0 $A\n1 b c\n99 $X\nnonsense\n"), {"a": "$A", "b": "b c"})
        self.assertEqual(read_keywords(write_keywords(["$A", "B"])), {"a": "$A", "b": "B"})

    def test_folders_are_levels(self) -> None:
        for directory, levels in (
            (".Work", ("Work",)), (".Work.2025", ("Work", "2025")), (".a..b.", ("a", "b")),
            (".Entw&APw-rfe", ("Entw\u00fcrfe",)), (".Entw\u00fcrfe", ("Entw\u00fcrfe",)),
            (".R&-D", ("R&D",)), (".R&D", ("R&D",)), (".&AC4-x", (".x",)), (".&bad", ("&bad",)),
            (".&zz-", ("&zz-",)), (".INBOX.low", ("INBOX", "low")),
        ):  # fmt: skip
            self.assertEqual(levels_of(directory), levels, directory)

    @given(st.lists(LEVEL, min_size=1, max_size=4))
    def test_levels_come_back_and_are_one_name(self, levels: list[str]) -> None:
        directory = directory_of(levels)
        self.assertEqual(levels_of(directory), tuple(levels))
        self.assertNotIn("/", directory)
        self.assertEqual(directory.count("."), len(levels))

    @given(st.text(max_size=40))
    def test_no_directory_makes_it_fail(self, directory: str) -> None:
        levels_of(directory)
        flags_of(directory, {})
        arrival_of(directory)


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(os.path.abspath(self.mktemp()))
        self.box = mailbox.Maildir(str(self.root), create=True)

    def put(self, text: str, flags: str = "", box: Any = None) -> None:
        message = mailbox.MaildirMessage(text)
        message.set_date(DATE.timestamp())
        if flags:
            message.set_subdir("cur")
            message.set_flags(flags)
        (self.box if box is None else box).add(message)

    def read(self, path: Path) -> list[tuple[bytes, tuple[str, ...], Any]]:
        return [(each.content.read(), each.flags, each.received) for each in read_maildir(path)]

    def test_new_and_old_messages_are_read(self) -> None:
        self.put("Subject: a\n\nb\n")
        self.put("Subject: c\n\nd\n", "SF")
        self.assertEqual(
            self.read(self.root),
            [
                (b"Subject: a\r\n\r\nb\r\n", (), DATE),
                (b"Subject: c\r\n\r\nd\r\n", ("\\Flagged", "\\Seen"), DATE),
            ],
        )
        self.assertEqual(count(self.root), 2)

    def test_folders_are_found_with_what_is_in_them(self) -> None:
        self.put("Subject: x\n\ny\n", "S", self.box.add_folder("Work.2025"))
        (self.root / ".notmail").mkdir()
        (self.root / "subscriptions").write_text("Work\n")
        found = folders_of(self.root)
        self.assertEqual([levels for levels, _path in found], [(), ("Work", "2025")])
        self.assertEqual([len(self.read(path)) for _levels, path in found], [0, 1])

    def test_directories_in_directories_are_folders_too(self) -> None:
        for part in ("Work/cur", "Work/new", "Work/a.b/cur", "Work/a.b/new", "only/x/cur",
                     "only/x/new", "&APw-/cur", "&APw-/new", "none"):  # fmt: skip
            (self.root / part).mkdir(parents=True)
        found = [levels for levels, _path in folders_of(self.root)]
        names = [("Work",), ("Work", "a.b"), ("only", "x"), ("\u00fc",)]
        self.assertEqual((found[0], sorted(found[1:])), ((), sorted(names)))

    def test_another_directory_is_refused(self) -> None:
        (self.root / "none").mkdir()
        self.assertRaises(NotMail, folders_of, self.root / "none")

    def test_keywords_of_dovecot_are_read(self) -> None:
        self.put("\nx\n", "S")
        (file,) = (self.root / "cur").iterdir()
        file.rename(str(file) + "ab")
        (self.root / "dovecot-keywords").write_text("0 $Work\n1 Other\n")
        self.assertEqual(self.read(self.root)[0][1], ("\\Seen", "$Work", "Other"))

    def test_what_is_renamed_or_removed_meanwhile_is_no_fault(self) -> None:
        for number in range(3):
            self.put(f"\n{number}\n")
        found = read_maildir(self.root)
        first = next(found)
        self.assertEqual(first.content.read(), b"\r\n0\r\n")
        second, third = sorted((self.root / "new").iterdir())[1:]
        second.rename(self.root / "cur" / (second.name + ":2,S"))
        third.unlink()
        self.assertEqual([(each.content.read(), each.flags) for each in found],
                         [(b"\r\n1\r\n", ("\\Seen",))])  # fmt: skip


class Writing(SynchronousTestCase):
    def write(self, levels: Sequence[str], *flags: Sequence[str]) -> MaildirWriter:
        self.root = Path(os.path.abspath(self.mktemp()))
        writer = MaildirWriter(self.root, levels)
        for given_flags in flags:
            writer.write([b"Subject: a\r\n", b"\r\n", b"b"], DATE, given_flags)
        return writer

    def test_others_can_read_what_is_written(self) -> None:
        self.write((), ["\\Seen", "\\Answered"], [])
        box = mailbox.Maildir(str(self.root), create=False)
        found = [(m["Subject"], m.get_flags(), m.get_date()) for m in box]
        self.assertEqual(
            sorted(found), [("a", "", DATE.timestamp()), ("a", "RS", DATE.timestamp())]
        )
        self.assertEqual(os.listdir(self.root / "tmp"), [])
        (one, _two) = (self.root / "cur").iterdir()
        self.assertEqual(one.read_bytes(), b"Subject: a\n\nb")

    def test_keywords_come_back_while_there_are_letters(self) -> None:
        many = [f"$K{number}" for number in range(30)]
        writer = self.write(("Box",), ["\\Seen", *many[:2]], many)
        read = [set(each.flags) for each in read_maildir(self.root / ".Box")]
        self.assertEqual(read, [{"\\Seen", "$K0", "$K1"}, set(many[:26])])
        self.assertEqual(writer.lost, set(many[26:]))
