"""From the command line to figures: what the benchmarks of servers have in common."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any


def run(
    parser: ArgumentParser,
    measure: Callable[[Namespace, Path], dict[str, Any]],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Read the command line, measure in a folder that the servers may read, and report."""
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        found = measure(options, Path(folder))
        if options.json:
            Path(options.json).write_text(json.dumps(found, indent=2) + "\n", encoding="ascii")
        # Before the folder goes: with many files in it that takes a while.
        report(found)
