"""The command line of referralctl: finds the verb, and turns what happens into an exit code.

Exit codes: 0 all is well, 1 a problem was found or something was denied, 2 the command line is
wrong.
"""

from __future__ import annotations

import inspect
import os
import sys
from argparse import (
    ArgumentParser,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from twisted.logger import globalLogBeginner

from referrald import __version__
from referrald.ctl import (
    auth,
    check,
    config,
    convert,
    home,
    lookup,
    mailboxes,
    pw,
    store,
    trace,
    url,
)
from referrald.ctl.output import Output
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import ReferraldError

DEFAULT_FILE = "/etc/referrald/referrald.toml"
VERBS: Sequence[ModuleType] = (
    check,
    config,
    lookup,
    home,
    convert,
    mailboxes,
    store,
    auth,
    trace,
    url,
    pw,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A name may have characters that the locale has not.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Parts of the server log what goes wrong; here it is said in one line instead.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    arguments = make_parser().parse_args(argv)
    output = Output(out=sys.stdout, error_out=sys.stderr, json=arguments.format == "json")
    code = run(arguments, Terminal(output=output))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    return code


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Run the verb that was asked for; every error becomes one line."""
    verb: ModuleType = arguments.verb
    try:
        code: int = verb.run(arguments, terminal)
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        return 130
    except (Refused, ReferraldError, OSError, UnicodeError) as error:
        terminal.output.error(str(error))
        return 1
    except Exception as error:
        if arguments.traceback:
            raise
        kind = type(error).__name__
        terminal.output.error(f"{kind}: {error} (--traceback shows where it came from)")
        return 1
    return code


def _reader_left() -> int:
    """Whoever read our output has gone: say no more, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


class _Formatter(RawDescriptionHelpFormatter):
    """Keeps the paragraphs of a docstring; one width everywhere, so that the docs stay the same."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, **more | {"width": 88})


def make_parser() -> ArgumentParser:
    """Make the parser of the whole command line."""
    return _make_parsers()[0]


def _make_parsers() -> tuple[ArgumentParser, dict[ModuleType, ArgumentParser]]:
    """Make the parser of the whole command line, and that of each verb."""
    parser = ArgumentParser(
        prog="referralctl",
        description="Look into referrald and its configuration.",
        formatter_class=_Formatter,
    )
    _add_common(parser)
    group = parser.add_subparsers(metavar="VERB", required=True)
    verbs = {}
    for module in VERBS:
        text = _text(module)
        verbs[module] = group.add_parser(
            _name(module),
            help=text.splitlines()[0].rstrip("."),
            description=text,
            formatter_class=_Formatter,
        )
        module.add_arguments(verbs[module])
        verbs[module].set_defaults(verb=module)
    return parser, verbs


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        dest="file",
        default=os.environ.get("REFERRALD_CONFIG") or DEFAULT_FILE,
        help=f"the configuration (default: $REFERRALD_CONFIG, else {DEFAULT_FILE})",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json"),
        default="table",
        help="how results are printed (default: table)",
    )
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    parser.add_argument("--version", action="version", version=f"referralctl {__version__}")


def reference() -> str:
    """Give the reference of all verbs as MyST text, from the parsers and docstrings themselves."""
    parser, verbs = _make_parsers()
    parts = [
        "# referralctl",
        str(parser.description),
        _help_block(parser),
        "The exit code is 0 when all is well, 1 when a problem was found or something was denied, "
        "and 2 when the command line is wrong.",
    ]
    for module, sub in verbs.items():
        name = _name(module)
        parts.append(f"(referralctl-{name})=\n## `referralctl {name}`\n\n{_text(module)}")
        parts.append(_help_block(sub))
        parts += [_help_block(each) for each in _parsers_below(sub)]
    return "\n\n".join(parts) + "\n"


def _help_block(parser: ArgumentParser) -> str:
    """Show usage and options; the description stands above."""
    parser.description = None
    return f"```text\n{parser.format_help().rstrip()}\n```"


def _parsers_below(parser: ArgumentParser) -> list[ArgumentParser]:
    """Give the parsers of what a verb can do, where it can do several things."""
    groups: list[Any] = parser._subparsers._group_actions if parser._subparsers else []
    return [each for group in groups for each in group.choices.values()]


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _text(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").strip()


if __name__ == "__main__":
    raise SystemExit(main())
