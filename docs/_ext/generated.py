"""Writes the parts of the reference that the code knows best, before Sphinx reads the pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage_table

from referrald.auth.schemes import SCHEMES, can_scram
from referrald.config.render import reference as configuration
from referrald.ctl.main import reference as referralctl
from referrald.model import LoginEvent
from referrald.ops.lines import json_line, text_line

FOLDER = Path(__file__).parents[1] / "reference" / "generated"

CRYPT = "the C library's `crypt`, if it has it"
OPENSSL = "`cryptography` with OpenSSL 3.2 or newer"
NEEDS = {
    "BLF-CRYPT": "the C library's `crypt`, or the `bcrypt` package (`referrald[bcrypt]`)",
    "ARGON2I": OPENSSL,
    "ARGON2ID": OPENSSL,
    **dict.fromkeys(("CRYPT", "DES-CRYPT", "MD5", "MD5-CRYPT"), CRYPT),
    **dict.fromkeys(("SHA256-CRYPT", "SHA512-CRYPT"), CRYPT),
}

REFERRED = LoginEvent(
    session="9c4e2f",
    peer="192.0.2.7:52114",
    user="alice",
    mechanism="PLAIN",
    secure=True,
    listener="tcp:993",
    result="referred",
    target="imap1.example.org",
    source="passwd-file",
    seconds=0.0004,
)
FAILED = LoginEvent(
    session="9c4e30",
    peer="[2001:db8::7]:40022",
    user="bob",
    mechanism="LOGIN",
    secure=True,
    listener="tcp:143",
    result="failed",
    cause="wrong credentials or unknown user",
    seconds=0.0021,
)


def password_schemes() -> str:
    """List the password schemes."""
    lines = [
        "| Scheme | `referralctl pw` makes it | Logs in with SCRAM | Needs |",
        "|---|---|---|---|",
    ]
    for name, scheme in SCHEMES.items():
        made, scram = (_yes(scheme.make is not None), _yes(can_scram(name)))
        lines.append(f"| `{name}` | {made} | {scram} | {NEEDS.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def login_lines() -> str:
    """Show two logins in both forms."""
    events = (REFERRED, FAILED)
    forms: dict[str, Callable[[LoginEvent], str]] = {"text": text_line, "json": json_line}
    parts = []
    for form, write_line in forms.items():
        lines = "\n".join(write_line(event) for event in events)
        parts.append(f'With `format = "{form}"`:\n\n```{form}\n{lines}\n```\n')
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "referralctl.md": referralctl,
    "coverage.md": coverage_table.page,
    "password-schemes.md": password_schemes,
    "login-lines.md": login_lines,
}


def write(app: Any) -> None:
    """Write every page that has changed."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = FOLDER / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
