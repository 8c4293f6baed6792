from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from typing import Any

from referrald import __version__
from referrald.config import plugins
from referrald.ctl import check, main
from referrald.ctl.main import make_parser, reference
from referrald.errors import Unavailable
from tests.ctl.fakes import CtlTestCase


class TheCommandLine(CtlTestCase):
    def exit_code(self, *words: str) -> Any:
        with self.assertRaises(SystemExit) as caught:
            make_parser().parse_args(words)
        return caught.exception.code

    def test_a_wrong_command_line_ends_with_2(self) -> None:
        for words in ([], ["chek"], ["lookup"], ["--format", "xml", "check"], ["check", "-x"]):
            self.assertEqual(self.exit_code(*words), 2, words)

    def test_help_and_version_end_with_0(self) -> None:
        for words in (["--help"], ["--version"], ["check", "--help"]):
            self.assertEqual(self.exit_code(*words), 0, words)

    def test_the_file_comes_from_the_environment_or_from_etc(self) -> None:
        self.patch(os, "environ", {})
        self.assertEqual(make_parser().parse_args(["check"]).file, "/etc/referrald/referrald.toml")
        self.patch(os, "environ", {"REFERRALD_CONFIG": "other.toml"})
        self.assertEqual(make_parser().parse_args(["check"]).file, "other.toml")
        self.assertEqual(make_parser().parse_args(["-c", "f", "check"]).file, "f")


class Errors(CtlTestCase):
    def failing(self, error: BaseException) -> tuple[int, str, str]:
        def fail(arguments: Namespace, terminal: Any) -> int:
            raise error

        self.patch(check, "run", fail)
        return self.run_ctl("check")

    def test_an_error_is_one_line(self) -> None:
        self.assertEqual(
            self.failing(Unavailable("users: refused")), (1, "", "referralctl: users: refused\n")
        )
        code, _, err = self.failing(PermissionError(13, "Permission denied", "/etc/x"))
        self.assertEqual(code, 1)
        self.assertEqual(err, "referralctl: [Errno 13] Permission denied: '/etc/x'\n")

    def test_an_error_that_nobody_expected_is_one_line_too(self) -> None:
        self.assertEqual(
            self.failing(KeyError("x")),
            (1, "", "referralctl: KeyError: 'x' (--traceback shows where it came from)\n"),
        )

    def test_a_traceback_is_shown_when_asked_for(self) -> None:
        self.assembly.fault = KeyError("x")
        with self.assertRaises(KeyError):
            self.run_ctl("--traceback", "lookup", "alice")
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_an_interrupt_ends_quietly(self) -> None:
        self.assertEqual(self.failing(KeyboardInterrupt()), (130, "", ""))

    def test_a_reader_that_left_is_no_traceback(self) -> None:
        self.patch(main, "_reader_left", lambda: 1)
        self.assertEqual(self.failing(BrokenPipeError()), (1, "", ""))


class TheReference(CtlTestCase):
    def test_every_verb_is_in_it(self) -> None:
        text = reference()
        for verb in ("check", "config", "lookup", "auth", "trace", "url", "pw"):
            self.assertIn(f"\n## `referralctl {verb}`\n", text)
            self.assertIn(f"\nusage: referralctl {verb} [-h]", text)
        self.assertIn("Prints every problem of the configuration file", text)
        self.assertIn("The exit code is 0", text)

    def test_it_does_not_depend_on_where_it_is_made(self) -> None:
        before = reference()
        self.patch(os, "environ", {"COLUMNS": "40", "REFERRALD_CONFIG": "/elsewhere"})
        self.assertEqual(reference(), before)


class AsAProgram(CtlTestCase):
    """What only a process of its own shows."""

    def start(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        code = "import sys; from referrald.ctl.main import main; sys.exit(main())"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, **more,
        )  # fmt: skip
        self.addCleanup(process.wait)
        return process

    def test_the_version_is_that_of_the_package(self) -> None:
        out, err = self.start("--version").communicate()
        self.assertEqual((out, err), (f"referralctl {__version__}\n".encode(), b""))

    def test_a_pipe_that_is_closed_is_no_traceback(self) -> None:
        process = self.start("pw", "--list")
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual((process.wait(), err), (1, b""))

    def test_a_plugin_that_cannot_be_imported_leaves_no_traceback(self) -> None:
        self.assertIn("fake", plugins.BUILT_IN)
        out, err = self.start("-c", self.file, "check").communicate()
        self.assertEqual(err, b"")
        self.assertIn(b'there is no backend type "fake"', out)
