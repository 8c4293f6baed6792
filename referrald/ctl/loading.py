"""The configuration that a verb works with."""

from __future__ import annotations

from argparse import Namespace

from referrald.config.load import load
from referrald.config.settings import Config
from referrald.ctl.output import visible
from referrald.ctl.terminal import Refused, Terminal


def load_config(arguments: Namespace, terminal: Terminal) -> Config:
    """Load the file that the command line names; raises `Refused` after listing its problems."""
    loaded = load(arguments.file)
    if loaded.config is None:
        for problem in loaded.problems:
            terminal.output.error_out.write(visible(str(problem)) + "\n")
        raise Refused(f"{arguments.file} cannot be used")
    return loaded.config
