"""Finds what can be plugged in: backend types and protocol extensions.

Both come as entry points or as Twisted plugins, and are the same objects either way.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.plugin import getPlugins
from zope.interface import Interface, implementer

from referrald.config.values import Wrong, did_you_mean, one_line
from referrald.interfaces import IProtocolExtension, IReferralBackendFactory

# The types that come with the package; a checkout that is not installed has no entry points.
BUILT_IN = {
    "table": "referrald.backends.table:factory",
    "passwd-file": "referrald.backends.passwdfile:factory",
    "dns": "referrald.backends.dns.factory:factory",
    "sqlite": "referrald.backends.sql.sqlite:factory",
    "postgresql": "referrald.backends.sql.postgresql:factory",
    "ring": "referrald.backends.ring:factory",
    "ldap": "referrald.backends.ldap.factory:factory",
    "http": "referrald.backends.http.factory:factory",
    "redis": "referrald.backends.redis.factory:factory",
    "etcd": "referrald.backends.keyvalue.factory:etcd",
    "consul": "referrald.backends.keyvalue.factory:consul",
}


def backend_factory(name: str) -> Any:
    """Give the `IReferralBackendFactory` called ``name``; raises `Wrong`."""
    return _find("referrald.backends", IReferralBackendFactory, name, BUILT_IN, "backend type")


def extension(name: str) -> Any:
    """Give the `IProtocolExtension` called ``name``; raises `Wrong`."""
    return _find("referrald.extensions", IProtocolExtension, name, {}, "extension")


def backend_names() -> list[str]:
    """Name every backend type that can be found."""
    plugins, _ = _twisted_plugins(IReferralBackendFactory)
    return sorted({*BUILT_IN, *_entries("referrald.backends"), *plugins})


def _find(
    group: str, interface: type[Interface], name: str, built_in: dict[str, str], what: str
) -> Any:
    references = built_in | _entries(group)
    if name in references:
        return _load(references[name], interface, what)
    plugins, faults = _twisted_plugins(interface)
    if name in plugins:
        return plugins[name]
    failed = f"; a Twisted plugin failed: {faults[0]}" if faults else ""
    raise Wrong(f'there is no {what} "{name}"{failed}', did_you_mean(name, [*references, *plugins]))


def _entries(group: str) -> dict[str, str]:
    """Give name and ``module:attribute`` of the entry points in a group; loads nothing."""
    return {
        entry.name: f"{entry.module}:{entry.attr}" if entry.attr else entry.module
        for entry in entry_points(group=group)
    }


def _load(reference: str, interface: type[Interface], what: str) -> Any:
    try:
        found = pkgutil.resolve_name(reference)
    except Exception as error:  # a boundary: importing runs others' code, which may raise anything
        raise Wrong(
            f"{reference} cannot be imported: {type(error).__name__}: {one_line(error)}",
            "install what it needs",
        ) from error
    adapted = interface(found, None)
    if adapted is None:
        raise Wrong(f"{reference} is no {what}", f"it must provide {interface.__name__}")
    return adapted


def _twisted_plugins(interface: type[Interface]) -> tuple[dict[str, Any], list[str]]:
    """Give the Twisted plugins for ``interface`` by name, and what failed to load."""
    with _failures() as faults:
        found = {str(getattr(plugin, "name", "")): plugin for plugin in getPlugins(interface)}
    return found, faults


@contextmanager
def _failures() -> Iterator[list[str]]:
    """Collect what is logged as failed: the plugin system logs errors and goes on."""
    faults: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            faults.append(f"{failure.type.__name__}: {one_line(failure.value)}")

    globalLogPublisher.addObserver(observe)
    try:
        yield faults
    finally:
        globalLogPublisher.removeObserver(observe)
