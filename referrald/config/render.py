"""The effective configuration as a file that can be loaded again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from referrald.config.checks import default_tls
from referrald.config.reference import reference
from referrald.config.schema import (
    BACKEND,
    EXTENSIONS,
    HALF_SECRET,
    LISTENER,
    SECTIONS,
    SERVER_ID,
    TLS,
)
from referrald.config.schema_auth import INTROSPECTION
from referrald.config.schema_referral import NETWORK
from referrald.config.section import Section
from referrald.config.settings import Config
from referrald.config.writing import format_duration, format_size, toml_key, toml_value
from referrald.model import Option

__all__ = ["reference", "render"]

MASK = "***"


@attrs.frozen(kw_only=True)
class _Table:
    """One table to write: its options, their values, and the defaults that hold for it."""

    section: Section
    options: tuple[Option, ...]
    values: Mapping[str, Any]
    defaults: Mapping[str, Any] = attrs.field(factory=dict)


def render(config: Config, *, differences_only: bool = False, mask: bool = True) -> str:
    """Write ``config`` as TOML: every key, or only those that differ from their defaults.

    With ``mask`` secrets are replaced by ``***``; without it the text loads to an equal `Config`.
    """
    blocks = []
    for table in _tables(config):
        lines = list(_lines(table, differences_only, mask))
        if lines:
            blocks.append("\n".join([table.section.heading, *lines]))
    return "\n\n".join(blocks) + "\n"


def _lines(table: _Table, differences_only: bool, mask: bool) -> Iterator[str]:
    """Write the keys of a table; a key without any value is left out."""
    for option in table.options:
        value = table.values[option.name]
        default = table.defaults.get(option.name, option.default)
        if value is None or (differences_only and value == default):
            continue
        if mask:
            value = _masked(table.section, option, value)
        note = "  # default" if value == default and not option.required else ""
        yield f"{toml_key(option.name)} = {_in_kind(option, value)}{note}"


def _tables(config: Config) -> Iterator[_Table]:
    """Give the tables of a configuration in the order of the schema."""
    for section in SECTIONS:
        if section in _SPECIAL:
            yield from _SPECIAL[section](config)
        else:
            yield _plain(section, getattr(config, section.name))


def _plain(section: Section, settings: Any, **defaults: Any) -> _Table:
    """Give a table whose values are attributes of ``settings``."""
    values = {option.name: getattr(settings, option.name) for option in section.options}
    return _Table(section=section, options=section.options, values=values, defaults=defaults)


def _listeners(config: Config) -> Iterator[_Table]:
    for listener in config.listeners:
        tls = default_tls(listener.endpoint)
        yield _plain(LISTENER, listener, name=listener.endpoint, tls=tls)


def _backends(config: Config) -> Iterator[_Table]:
    for backend in config.backends:
        own = {option.name: getattr(backend, option.name) for option in BACKEND.options}
        yield _Table(
            section=BACKEND,
            options=(*BACKEND.options, *backend.factory.options),
            values={**own, **backend.options},
            defaults={"name": backend.type},
        )


def _networks(config: Config) -> Iterator[_Table]:
    return (_plain(NETWORK, settings) for settings in config.networks)


def _tls(config: Config) -> Iterator[_Table]:
    if config.tls is not None:
        yield _plain(TLS, config.tls, key=config.tls.certificate)


def _introspection(config: Config) -> Iterator[_Table]:
    if config.auth.introspection is not None:
        yield _plain(INTROSPECTION, config.auth.introspection)


def _identity(config: Config) -> Iterator[_Table]:
    options = tuple(Option(name=name, kind="string", help="") for name in config.server.id)
    yield _Table(section=SERVER_ID, options=options, values=config.server.id)


def _extensions(config: Config) -> Iterator[_Table]:
    yield _Table(section=EXTENSIONS, options=EXTENSIONS.options, values={"use": config.extensions})


# The sections whose values do not simply lie under the section's name.
_SPECIAL: dict[Section, Callable[[Config], Iterator[_Table]]] = {
    SERVER_ID: _identity,
    LISTENER: _listeners,
    TLS: _tls,
    BACKEND: _backends,
    NETWORK: _networks,
    INTROSPECTION: _introspection,
    EXTENSIONS: _extensions,
}


def _masked(section: Section, option: Option, value: Any) -> Any:
    if option.kind == "secret":
        return MASK if value else value
    if (section.name, option.name) in HALF_SECRET:
        return tuple(_half_masked(entry) for entry in value)
    return value


def _half_masked(entry: str) -> str:
    kind, colon, rest = entry.partition(":")
    return f"{kind}:{MASK}" if rest else kind + colon


def _in_kind(option: Option, value: Any) -> str:
    if option.kind == "duration":
        return format_duration(value)
    if option.kind == "size":
        return format_size(value)
    return toml_value(value)
