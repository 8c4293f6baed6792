"""Types, style, layers and docs are tests like all others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).parents[1]


class Quality(TestCase):
    def check(self, *command: str) -> None:
        """Run a tool at the root of the checkout; its output is the failure's text."""
        programs = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}")

    def test_types_are_right_under_mypy_strict(self) -> None:
        self.check(sys.executable, "-m", "mypy")

    def test_ruff_finds_nothing(self) -> None:
        self.check(sys.executable, "-m", "ruff", "check", ".")

    def test_everything_is_formatted(self) -> None:
        self.check(sys.executable, "-m", "ruff", "format", "--check", ".")

    def test_nobody_imports_what_is_above_them(self) -> None:
        self.check("lint-imports")

    def test_the_docs_build_without_a_warning(self) -> None:
        target = self.mktemp()
        self.check(sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "docs", target)
