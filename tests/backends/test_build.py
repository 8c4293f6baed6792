"""Building images: here or in another process, with the same result."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import build as module
from referrald.backends.build import BuildFailed, Job, build, build_apart, build_here
from referrald.backends.draft import Large
from referrald.backends.image import USER, Image
from tests.backends.support import BackendTestCase, record, replace, write

USERS = "alice:{PLAIN}pw::::::host=a.example\nbob:{PLAIN}pw::::::host=b.example\n"


class Building(BackendTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.file(USERS).absolute()
        options = {"scheme": "CRYPT", "username_format": "%u", "security": "starttls"}
        lists = {"own_hosts": [], "ignore": [], "suggest": False, "obey": False}
        self.job = Job(kind="passwd-file", options={"file": str(self.path), **options, **lists})

    def test_another_process_gives_what_this_one_gives(self) -> None:
        here, apart = build_here(self.job), build_apart(self.job)
        self.assertEqual(here.outcome, apart.outcome)
        for user in ("alice", "bob"):
            self.assertEqual(record(here, user), record(apart, user))
        replace(self.path, USERS + "carol:pw:\n bad:pw\n")
        here, apart = build_here(self.job), build_apart(self.job)
        self.assertEqual(here.outcome, apart.outcome)
        self.assertEqual((here.image, apart.image), (None, None))

    def test_both_say_who_has_changed(self) -> None:
        old = build_here(self.job).image
        replace(self.path, USERS.replace("b.example", "c.example") + "carol:pw\n")
        for make in (build_here, build_apart):
            self.assertEqual(make(self.job, old).outcome.changed, ("bob", "carol"))
        replace(self.path, USERS.replace("\n", "\n\n"))
        for make in (build_here, build_apart):
            self.assertEqual(make(self.job, old).outcome.changed, ())

    def test_a_small_source_is_built_here_and_a_large_one_apart(self) -> None:
        self.patch(module, "build_apart", lambda job, old: "apart")
        self.assertIsInstance(build(self.job).image, Image)
        write(self.path, "# x\n" * module.SMALL)
        self.assertEqual(build(self.job), "apart")

    def test_a_limit_is_kept(self) -> None:
        self.assertRaises(Large, build_here, self.job, None, 10)

    def test_a_process_that_fails_is_told(self) -> None:
        error = self.assertRaises(BuildFailed, build_apart, attrs.evolve(self.job, kind="nosuch"))
        self.assertIn("KeyError", str(error))

    def test_a_process_that_is_ended_is_told(self) -> None:
        error = self.assertRaises(BuildFailed, build_apart, self.job, None, subprocess.Popen.kill)
        self.assertIn("-9", str(error))

    def test_without_a_process_it_is_built_here(self) -> None:
        self.patch(sys, "executable", "/nonexistent")
        self.assertEqual(record(build_apart(self.job), "bob").line, 2)

    def test_an_image_that_cannot_be_written_is_told(self) -> None:
        def full(*args: object, **kwargs: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(tempfile, "TemporaryFile", full)
        for make in (build_here, build_apart):
            error = self.assertRaises(BuildFailed, make, self.job)
            self.assertIn("No space left", str(error))

    def test_the_image_has_no_name(self) -> None:
        before = set(os.listdir(tempfile.gettempdir()))
        built = build_apart(self.job)
        left = set(os.listdir(tempfile.gettempdir())) - before
        self.assertEqual([name for name in left if name.startswith("referrald-")], [])
        self.assertEqual(os.fstat(built.image.file.fileno()).st_nlink, 0)

    def test_a_file_that_changes_meanwhile_gives_no_image(self) -> None:
        def compile_(options: dict, draft: object) -> None:
            module.compile_passwd(options, draft)
            write(self.path, "other")

        self.patch(module, "COMPILERS", {"passwd-file": compile_})
        built = build_here(self.job)
        self.assertEqual((built.image, built.outcome.steady), (None, False))

    def test_equal_jobs_have_equal_keys(self) -> None:
        other = Job(kind=self.job.kind, options=dict(reversed(self.job.options.items())))
        self.assertEqual(self.job.key, other.key)
        other.options["scheme"] = "PLAIN"
        self.assertNotEqual(self.job.key, other.key)


class Process(SynchronousTestCase):
    def test_it_answers_on_standard_output(self) -> None:
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write('[users]\nalice = "here"\n')
        with tempfile.TemporaryFile("w+b") as image:
            request = {
                "kind": "table",
                "options": {"file": path, "lowercase": True},
                "image": os.dup(image.fileno()),
                "old": None,
            }
            self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(request).encode())))
            self.patch(sys, "stdout", io.StringIO())
            self.patch(os, "nice", lambda by: self.assertEqual(by, module.NICE))
            module.main()
            answer = json.loads(sys.stdout.getvalue())
            self.assertEqual((answer["problems"], answer["steady"]), ([], True))
            self.assertEqual(Image(image).find(USER, "alice").line, 0)
