"""Every requirement has a test that names it, and no test names one that does not exist."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from docs._ext.coverage_table import Proof, Requirement, match, page, read_list, read_proofs


class Requirements(SynchronousTestCase):
    def setUp(self) -> None:
        self.groups, self.requirements = read_list()
        self.proven, self.unknown = match(self.requirements, read_proofs())

    def test_no_id_stands_twice_and_each_is_in_a_group(self) -> None:
        spellings = [name for row in self.requirements for name in (row.id, *row.also)]
        self.assertEqual([name for name, count in Counter(spellings).items() if count > 1], [])
        prefixes = tuple(group.prefix for group in self.groups)
        self.assertEqual([row.id for row in self.requirements if row.id[:1] not in "LUSMbK"], [])
        self.assertTrue(all(row.id.startswith(prefixes) for row in self.requirements))

    def test_every_one_that_is_not_for_later_is_proven(self) -> None:
        missing = [row.id for row in self.requirements if not row.later and not self.proven[row.id]]
        self.assertEqual(missing, [], f"no test says @proves(…) of {missing}")

    def test_what_tests_prove_is_asked_for(self) -> None:
        places = [f"{proof.file}: {proof.test}: {proof.id}" for proof in self.unknown]
        self.assertFalse(places, "not in requirements.toml:\n" + "\n".join(places))

    def test_the_page_shows_every_one(self) -> None:
        text = page()
        self.assertEqual([row.id for row in self.requirements if row.text not in text], [])


SAMPLE = """
from tests.proves import proves

@proves("L1")
class First:
    @proves("L2", "L1")
    def test_one(self): ...
    def test_two(self): ...
    @proves("L3")
    def helper(self): ...

@proves("other")
def test_alone(): ...
"""


class Marks(SynchronousTestCase):
    def test_marks_of_a_class_hold_for_all_of_its_tests(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
        found = [(proof.id, proof.test) for proof in read_proofs(folder)]
        expected = [
            ("L1", "test_one"), ("L2", "test_one"), ("L1", "test_two"), ("other", "test_alone"),
        ]  # fmt: skip
        self.assertEqual(found, expected)

    def test_another_spelling_counts_for_the_same_requirement(self) -> None:
        row = Requirement(id="base:ID", also=["base:the ID"], source="", text="")
        proofs = [Proof(id=name, file="f", test=name) for name in ("base:the ID", "base:I D")]
        proven, unknown = match([row], proofs)
        self.assertEqual((proven, unknown), ({"base:ID": proofs[:1]}, proofs[1:]))
