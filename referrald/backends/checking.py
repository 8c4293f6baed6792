"""What many factories check of their options before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from referrald.backends.authorities import read_authorities, read_own
from referrald.backends.servers import Wrong
from referrald.model import Options, Problem


def problem(key: str, error: Wrong) -> Problem:
    """Make a problem of what is wrong with an option."""
    return Problem(where="", key=key, wrong=error.wrong, right=error.right)


def library_faults(library: str, extra: str) -> Iterator[Problem]:
    """Tell when a library is not there, and how to get it."""
    if find_spec(library) is None:
        right = f"pip install 'referrald[{extra}]'"
        yield problem("type", Wrong(f"needs {library}, which is not there", right))


def authority_faults(options: Options) -> Iterator[Problem]:
    """Tell what is wrong with the authorities in ``ca``."""
    try:
        read_authorities(options["ca"])
    except Wrong as error:
        yield problem("ca", error)


def certificate_faults(options: Options) -> Iterator[Problem]:
    """Tell what is wrong with ``certificate`` and ``key``, by which servers know us."""
    try:
        read_own(options["certificate"], options["key"])
    except Wrong as error:
        yield problem("certificate", error)
