"""Show the effective configuration.

Prints the configuration with every default filled in and every path made absolute, in the form of
the file itself. Secrets are shown as three asterisks.
"""

from __future__ import annotations

import tomllib
from argparse import ArgumentParser, Namespace

from referrald.config.render import render
from referrald.ctl.loading import load_config
from referrald.ctl.terminal import Terminal


def add_arguments(parser: ArgumentParser) -> None:
    """Add the choice to leave out defaults."""
    parser.add_argument(
        "-n", "--non-default", action="store_true", help="only what differs from the defaults"
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print the configuration."""
    config = load_config(arguments, terminal)
    text = render(config, differences_only=arguments.non_default)
    terminal.output.document(text, tomllib.loads(text))
    return 0
