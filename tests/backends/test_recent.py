"""What a check has built is used once more, unless the file is another one by then."""

from __future__ import annotations

from referrald.backends import recent
from referrald.backends.build import Job
from tests.backends.support import BackendTestCase, replace

GOOD = '[users]\nalice = "here"\n'


class Recent(BackendTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(recent, "_recent", {})
        self.path = self.file(GOOD)
        self.job = self.job_of("source")

    def job_of(self, name: str) -> Job:
        return Job(kind="table", options={"file": str(self.folder / name), "lowercase": True})

    def test_the_same_file_is_built_once(self) -> None:
        built = recent.checked(self.job)
        self.assertIs(recent.checked(self.job), built)
        self.assertIs(recent.take(self.job), built)
        self.assertIsNone(recent.take(self.job))

    def test_another_file_is_built_again(self) -> None:
        built = recent.checked(self.job)
        replace(self.path, "[users]\n")
        self.assertIsNot(recent.checked(self.job), built)
        replace(self.path, GOOD)
        self.assertIsNone(recent.take(self.job))

    def test_what_is_wrong_is_kept_as_well(self) -> None:
        replace(self.path, "users = 1")
        self.assertTrue(recent.checked(self.job).outcome.problems)
        self.assertTrue(recent.take(self.job).outcome.problems)
        recent.checked(self.job)
        replace(self.path, GOOD)
        self.assertIsNone(recent.take(self.job))

    def test_only_few_are_kept(self) -> None:
        jobs = []
        for number in range(recent.KEPT + 2):
            self.file(GOOD, f"file{number}")
            jobs.append(self.job_of(f"file{number}"))
            recent.checked(jobs[-1])
        self.assertIsNone(recent.take(jobs[0]))
        self.assertIsNotNone(recent.take(jobs[-1]))
