"""Reads Dovecot's passwd-file: ``user:password:uid:gid:gecos:home:shell:extra_fields``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from referrald.backends.draft import Draft, checked_name
from referrald.backends.image import USER
from referrald.backends.passwdfields import Extra, ExtraReader
from referrald.backends.servers import Wrong

EXTRA_FIELD = 7
EXTRAS_KEPT = 10_000
LONGEST_PASSWORD = 4_096

_SCHEME = re.compile(rb"\{([A-Za-z0-9.-]+)\}(.*)", re.DOTALL)
_SUFFIX = re.compile(rb"([^{$].*)\[([0-9]{2})\]", re.DOTALL)
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_NO_PASSWORD = re.compile(
    r"[^:]*|\w+:protected|\[?(?:[0-9a-f]{0,4}:){2,8}(?:[0-9a-f]{0,4}|[0-9.]{7,15})\]?",
    re.IGNORECASE | re.ASCII,
)
_PAM_SCHEMES = {b"34": b"PLAIN-MD5", b"56": b"DIGEST-MD5"}


def compile_passwd(options: Mapping[str, Any], draft: Draft) -> None:
    """Turn the file into records, and keep a sample of every password scheme in the notes."""
    path = options["file"]
    reader = PasswdReader(options, draft)
    for number, line in draft.lines(path, path, "file"):
        reader.line(f"{path}:{number}", number, line)
    draft.finish({"samples": reader.samples()}, path)


class PasswdReader:
    """Reads line after line; notes everything that is wrong, never with a password in it."""

    def __init__(self, options: Mapping[str, Any], draft: Draft) -> None:
        self._draft = draft
        self._scheme = options["scheme"].upper().encode()
        self._extras = ExtraReader(options)
        self._known: dict[str, tuple[Extra, int, bytes | None]] = {}
        self._counts: Counter[bytes] = Counter()
        self._examples: dict[bytes, bytes] = {}

    def line(self, where: str, number: int, line: bytes) -> None:
        """Read one line and keep its record."""
        user = ""
        fields = line.split(b":", EXTRA_FIELD)
        try:
            user = _decoded(fields[0], "the user name is")
            key = checked_name(user)
            text = _decoded(fields[EXTRA_FIELD], "an extra field is") if len(fields) > 7 else ""
            extra, home, name = self._extra(text, user)
            password = self._password(fields[1]) if len(fields) > 1 else None
        except Wrong as error:
            self._draft.wrong(where, user or "line", discreet(error.wrong), error.right)
            return
        if extra.absent:
            return
        if password is not None:
            scheme = password.partition(b"\0")[0]
            self._counts[scheme] += 1
            self._examples.setdefault(scheme, password)
        self._draft.writer.add(
            USER,
            key,
            home,
            line=number,
            user=name,
            is_template=extra.is_template,
            password=password,
        )

    def samples(self) -> list[list[str]]:
        """Give scheme and hash of one password for each scheme, the most used scheme first."""
        examples = [self._examples[scheme] for scheme, _ in self._counts.most_common()]
        return [list(split_password(example)) for example in examples]

    def _extra(self, text: str, user: str) -> tuple[Extra, int, bytes | None]:
        """Read extra fields; most lines have some that have been read before."""
        known = self._known.get(text)
        if known is not None:
            return known
        # An empty first field is an old format, where a mail location follows.
        extra = self._extras.read("" if text.startswith(":") else text, user)
        name = None if extra.user is None else extra.user.encode()
        found = extra, self._draft.writer.home(extra.home), name
        if extra.shared:
            if len(self._known) >= EXTRAS_KEPT:
                self._known.clear()
            self._known[text] = found
        return found

    def _password(self, field: bytes) -> bytes | None:
        """Give scheme and hash with a NUL between them; None when nobody can log in."""
        return read_password(field, self._scheme)


def read_password(field: bytes, usual: bytes) -> bytes | None:
    """Read ``{SCHEME}hash``; gives scheme and hash with a NUL between them, None without a hash.

    usual: the scheme of a hash that does not say. Raises `Wrong`.
    """
    if len(field) > LONGEST_PASSWORD or b"\0" in field:
        raise Wrong("the password field is too long or has a NUL in it")
    match = _SCHEME.fullmatch(field)
    scheme, encoded = (match[1].upper(), match[2]) if match else (usual, field)
    if not match and (old := _SUFFIX.fullmatch(field)):
        scheme, encoded = _PAM_SCHEMES.get(old[2], b"CRYPT"), old[1]
    return scheme + b"\0" + encoded if encoded else None


def discreet(wrong: str) -> str:
    """Leave out what a message quotes when that may be a password.

    Where the end of a line is lost, the next user and his password become a part of the last field,
    behind a colon.
    """
    return _QUOTED.sub(
        lambda match: match[0] if _NO_PASSWORD.fullmatch(match[1]) else "what stands there", wrong
    )


def split_password(password: bytes) -> tuple[str, str]:
    """Take scheme and hash apart again; bytes that are not UTF-8 become surrogates."""
    scheme, _, encoded = password.partition(b"\0")
    return scheme.decode("ascii"), encoded.decode("utf-8", "surrogateescape")


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Wrong(f"{what} not UTF-8", "save the file as UTF-8") from None
