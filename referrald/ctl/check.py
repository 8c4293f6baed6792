"""Check the configuration.

Prints every problem of the configuration file and of the files that it points to, one on a line:
where it is, what is wrong, and what would be right. Nothing is started and nothing is changed, so
it can be run beside the server, before a reload.

Exits with 1 when there is any problem.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from referrald.config.load import load
from referrald.ctl.terminal import Terminal


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: the file is enough."""


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print the problems."""
    problems = load(arguments.file).problems
    terminal.output.problems(arguments.file, problems)
    return 1 if problems else 0
