"""What can be known of an endpoint string without listening on it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from OpenSSL import SSL, crypto
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins

# The endpoint types that Twisted ships: their parsers only keep the reactor for later. A parser of
# anyone else's may use it at once, so of those we check that they exist and no more.
SHIPPED = ("tcp", "tcp6", "unix", "ssl", "tls", "systemd", "stdio", "haproxy")

# Where the port stands among the positional arguments, and its default.
_PORTS = {"tcp": (0, ""), "tcp6": (0, ""), "ssl": (0, ""), "tls": (1, "443")}
_INTERFACES = {"tcp": 1, "ssl": 4, "tcp6": 2, "tls": 3}
_EVERYWHERE = ("", "0.0.0.0", "::")


class _NoReactor:
    """Stands where a parser wants a reactor; any use of it is an AttributeError."""


def split_endpoint(text: str) -> tuple[str, list[str], dict[str, str]]:
    """Split an endpoint string into type, positional and named arguments.

    The type is that of the inner endpoint when it is wrapped in ``haproxy:``.
    """
    positional: list[str] = []
    named: dict[str, str] = {}
    for field in _split(text, ":"):
        key, *value = _split(field, "=", 1)
        if value:
            named[_plain(key)] = _plain(value[0])
        else:
            positional.append(_plain(key))
    kind = positional.pop(0).lower() if positional else ""
    if kind == "haproxy" and positional:
        kind = positional.pop(0).lower()
    return kind, positional, named


def _split(text: str, mark: str, most: int = -1) -> Iterator[str]:
    """Split ``text`` at every ``mark`` that no backslash stands before."""
    start = place = 0
    while place < len(text) and most != 0:
        if text[place] == "\\":
            place += 1
        elif text[place] == mark:
            yield text[start:place]
            start = place + 1
            most -= 1
        place += 1
    yield text[start:]


def _plain(text: str) -> str:
    """Take the escaping backslashes out."""
    out, characters = [], iter(text)
    for character in characters:
        out.append(next(characters, "") if character == "\\" else character)
    return "".join(out)


def endpoint_secures(text: str) -> bool:
    """Tell whether an endpoint of this type does TLS by itself."""
    return split_endpoint(text)[0] in ("ssl", "tls")


def endpoint_port(text: str) -> int | None:
    """Give the port number in an endpoint string, None where there is none."""
    kind, positional, named = split_endpoint(text)
    if kind not in _PORTS:
        return None
    index, default = _PORTS[kind]
    port = positional[index] if index < len(positional) else named.get("port", default)
    return int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None


def endpoint_address(text: str) -> tuple[str, int] | None:
    """Give (interface, port) where the string binds one interface only."""
    kind, positional, named = split_endpoint(text)
    port = endpoint_port(text)
    index = _INTERFACES.get(kind)
    if index is None or port is None:
        return None
    host = positional[index] if index < len(positional) else named.get("interface", "")
    return None if host in _EVERYWHERE else (host.lower(), port)


def endpoint_fault(text: str) -> str:
    """Say what is wrong with an endpoint string, or nothing.

    ``ssl:`` and ``tls:`` read their certificates here. The descriptors of ``systemd:`` are known
    only in a process that systemd started, so elsewhere a missing one is not a fault.
    """
    kind = split_endpoint(text)[0]
    if kind not in SHIPPED:
        return "" if kind in _other_kinds() else f'there is no endpoint type "{kind}"'
    port = endpoint_port(text)
    if kind in _PORTS and (port is None or port > 65535):
        return "the port is not a number from 0 to 65535"
    return _parse_fault(kind, text)


def _parse_fault(kind: str, text: str) -> str:
    """Let Twisted parse an endpoint string, and say what it did not like."""
    try:
        serverFromString(_NoReactor(), text)  # type: ignore[no-untyped-call]
        fault = ""
    except (SSL.Error, crypto.Error):
        fault = "its certificate or key is not usable PEM"
    except OSError as error:
        fault = f"cannot read {error.filename}: {error.strerror}"
    except LookupError:
        known = kind != "systemd" or "LISTEN_FDS" in os.environ
        fault = "systemd gave no such descriptor" if known else ""
    except TypeError:
        fault = f'it has an argument that "{kind}" does not know, or lacks one'
    except (ValueError, AttributeError, RuntimeError) as error:
        fault = f"its arguments are not good ({error})"
    return fault


def _other_kinds() -> set[str]:
    """Name the endpoint types that plugins add."""
    return {plugin.prefix.lower() for plugin in getPlugins(IStreamServerEndpointStringParser)}
