"""Options that say how to connect to Redis, checked and made use of."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from importlib.util import find_spec

from referrald.backends.authorities import read_authorities
from referrald.backends.redis.access import Access, read_password
from referrald.backends.redis.places import read_place
from referrald.backends.servers import Wrong
from referrald.model import Options, Problem


def access_of(options: Options) -> Access:
    """Make what is needed to get in, of options of that name."""
    names = (
        "database", "username", "password", "password_file", "ca", "certificate", "key", "timeout",
    )  # fmt: skip
    return Access(**{name: options[name] for name in names})


def connecting_faults(options: Options) -> Iterator[Problem]:
    """List what is wrong; ``where`` is left empty. Nothing is connected to."""
    yield from _wrong_servers(options)
    yield from _wrong_access(options)


def library_fault(key: str) -> Problem | None:
    """Say that the library is missing, if it is."""
    if find_spec("redis") is not None:
        return None
    return problem(
        key, Wrong("needs redis-py, which is not there", "pip install 'referrald[redis]'")
    )


def _wrong_servers(options: Options) -> Iterator[Problem]:
    if not options["servers"]:
        yield problem("servers", Wrong("names none", "at least one"))
    for text in options["servers"]:
        try:
            read_place(text)
        except Wrong as error:
            yield problem("servers", error)


def _wrong_access(options: Options) -> Iterator[Problem]:
    if options["password"] and options["password_file"]:
        yield problem("password", Wrong("stands beside password_file", "keep one of them"))
    if options["username"] and not (options["password"] or options["password_file"]):
        yield problem("username", Wrong("stands alone", "give password_file too"))
    for key, read in (("password_file", read_password), ("ca", read_authorities)):
        try:
            if options[key]:
                read(options[key])
        except Wrong as error:
            yield problem(key, error)
    yield from _wrong_certificate(options["certificate"], options["key"])


def _wrong_certificate(certificate: str | None, key: str | None) -> Iterator[Problem]:
    if key and not certificate:
        yield problem("key", Wrong("is of no use without a certificate", "set certificate"))
    if not certificate:
        return
    try:
        ssl.create_default_context().load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        yield problem("certificate", Wrong(f"cannot be used with its key: {text}"))


def problem(key: str, error: Wrong) -> Problem:
    """Make a problem of what is wrong with an option."""
    return Problem(where="", key=key, wrong=error.wrong, right=error.right)
