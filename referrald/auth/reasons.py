"""What the log may say about an error that a plugin raised."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from twisted.internet.error import ConnectError, ConnectionClosed

from referrald.errors import ReferraldError

LONGEST = 200


def reason(error: BaseException, *secrets: bytes) -> str:
    """Say what went wrong and where, without anything that could quote a credential.

    Text is taken only from errors that are made by the operating system or for our log; of any
    other only the type and the place are told. Nothing that contains one of ``secrets`` is.
    """
    text = _text_of(error)
    if any(secret and secret.decode("utf-8", "replace") in text for secret in secrets):
        text = ""
    if text and isinstance(error, ReferraldError):
        return text[:LONGEST]
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{said[:LONGEST]}{_place_of(error)}"


def _text_of(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, ReferraldError | ConnectError | ConnectionClosed):
        return str(error)
    return ""


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f" (in {PurePath(frames[-1].filename).name}:{frames[-1].lineno})"
