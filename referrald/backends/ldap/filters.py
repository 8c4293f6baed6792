"""Search filters with variables in them (RFC 4515): read once, filled in for each user.

A name is put into the filter that has been read, not into its text, so nothing in a name can be
taken for a part of the filter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

from ldaptor.ldapfilter import InvalidLDAPFilter, parseFilter
from ldaptor.protocols import pureber, pureldap

from referrald.backends.servers import Wrong, show
from referrald.backends.variables import expand, is_template

VALUES: Final = (
    pureldap.LDAPAssertionValue,
    pureldap.LDAPFilter_substrings_initial,
    pureldap.LDAPFilter_substrings_any,
    pureldap.LDAPFilter_substrings_final,
    pureldap.LDAPMatchingRuleAssertion_matchValue,
)
"""What of a filter can have variables in it."""


class Filter:
    """A filter such as ``(&(objectClass=mailUser)(mail=%u))``; raises `Wrong`."""

    def __init__(self, text: str) -> None:
        try:
            self._parsed = parseFilter(text)
        except InvalidLDAPFilter:
            raise Wrong(f'"{show(text)}" is not a filter', 'such as "(mail=%u)"') from None
        self.depends = any([*map(is_template, map(_text, _values(self._parsed)))])
        """Whether it is another one for another user."""
        self._equal = [
            (_text(each.attributeDesc), _text(each.assertionValue))
            for each in _parts(self._parsed)
            if isinstance(each, pureldap.LDAPFilter_equalityMatch)
            and is_template(_text(each.assertionValue))
        ]

    @property
    def attributes(self) -> list[str]:
        """Name the attributes that `names` looks at."""
        return [name for name, _ in self._equal]

    def names(self, user: str, values: Callable[[str], Sequence[str]]) -> bool:
        """Say whether an entry is really about ``user``; ``values`` gives those of an attribute.

        To a directory many names are the same: with more or fewer spaces, with characters in them
        that nobody sees, in another width (RFC 4518). Here only upper and lower case are.
        """
        return not self._equal or any(
            expand(text, user).lower() in (value.lower() for value in values(name))
            for name, text in self._equal
        )

    def for_user(self, user: str) -> Any:
        """Give the filter for a user, ready to be sent; raises UnicodeError for no text."""
        filled = copy.deepcopy(self._parsed)
        for value in _values(filled):
            text = _text(value)
            if "%" in text:
                value.value = expand(text, user).encode("utf-8")
        return filled


def _values(part: Any) -> list[Any]:
    """Find the values in a filter."""
    return [each for each in _parts(part) if isinstance(each, VALUES)]


def _parts(part: Any) -> list[Any]:
    """Give a filter and all that is in it."""
    if isinstance(part, pureldap.LDAPFilterSet):
        inner = list(part)
    elif isinstance(part, pureldap.LDAPFilter_substrings):
        inner = list(part.substrings)
    else:
        named = (getattr(part, name, None) for name in ("value", "assertionValue", "matchValue"))
        inner = [each for each in named if isinstance(each, pureber.BERBase)]
    return [part, *(found for each in inner for found in _parts(each))]


def _text(value: Any) -> str:
    raw = value.value
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
