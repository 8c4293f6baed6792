"""Judges what a token server says about a token (RFC 7662 section 2.2), without IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.cred.error import UnauthorizedLogin

from referrald.errors import Unavailable


@attrs.frozen(kw_only=True)
class Wanted:
    """What a token must be.

    user_claim: the field that names the user. scope: words that its scope must have, all of them.
    audience: it must be for one of these; empty for any.
    """

    user_claim: str = "username"
    scope: str = ""
    audience: tuple[str, ...] = ()


def parse_answer(body: bytes) -> Mapping[str, Any]:
    """Read the server's JSON; raises `Unavailable` when it is not what it should be."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("active"), bool):
        raise Unavailable("the token server did not answer as RFC 7662 says")
    return answer


def judge(answer: Mapping[str, Any], wanted: Wanted, now: float) -> tuple[str, float | None]:
    """Give the token's user and the time of day until which it is good, None when not told.

    Raises `UnauthorizedLogin`, whose text is for the log, when the token is not good for us.
    """
    if not answer["active"]:
        raise UnauthorizedLogin("the token is not active")
    until, since = _time(answer, "exp"), _time(answer, "nbf")
    if (until is not None and until <= now) or (since is not None and since > now):
        raise UnauthorizedLogin("the token is not valid at this time")
    if not set(wanted.scope.split()) <= set(_words(answer.get("scope"))):
        raise UnauthorizedLogin("the token has not the scope that is asked for")
    if wanted.audience and not set(wanted.audience) & set(_words(answer.get("aud"))):
        raise UnauthorizedLogin("the token is for somebody else")
    user = answer.get(wanted.user_claim)
    if not isinstance(user, str) or not user:
        raise UnauthorizedLogin("the token speaks for no user")
    return user, until


def _time(answer: Mapping[str, Any], name: str) -> float | None:
    value = answer.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unavailable(f"the token server sent an {name} that is no time")
    return value


def _words(value: object) -> list[str]:
    """Take a list of strings, or words in one string."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [word for word in value if isinstance(word, str)]
    return []
