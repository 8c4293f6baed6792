"""What one key alone cannot show: sections against each other and against the world."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence, Sized
from typing import Any
from urllib.parse import urlsplit

import attrs

from referrald import imapurl
from referrald.backends.redis.connecting import connecting_faults, library_fault
from referrald.config.endpoints import endpoint_fault, endpoint_secures
from referrald.config.report import Place, Report, show_key
from referrald.config.settings import (
    ListenerSettings,
    ReferralSection,
    RelaySection,
    ServerSettings,
    ServeSection,
    SharedSection,
    folded_host,
)
from referrald.config.values import Wrong, display
from referrald.errors import UrlError
from referrald.model import IMAP_PORT, Server
from referrald.networks import Network, parse_network, within

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
_HOST_AND_PORT = re.compile(r"([^:/@;\[\]]+)(?::(\d{1,5}))?", re.ASCII)

LOOPBACK = ("localhost", "127.0.0.1", "::1")

Addresses = frozenset[tuple[str, int]]


def is_host(text: str) -> bool:
    """Tell whether ``text`` is a host name or an IPv4 address."""
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def leads_home(server: Server, own: Addresses) -> bool:
    """Tell whether ``server`` is one of our own addresses."""
    return (folded_host(server.host), server.port) in own


def check_server(place: Place, settings: ServerSettings) -> None:
    """Note names that are none."""
    for key, names in (("name", (settings.name,)), ("own_names", settings.own_names)):
        for name in filter(None, names):
            if not is_host(name) and not _is_address(name):
                place.wrong(key, f'"{name}" is not a host name', 'such as "imap.example.org"')
    for text in settings.trusted:
        _network(place, "trusted", text)


def _network(place: Place, key: str, text: str) -> Network | None:
    """Read a network; None, with the problem noted, when it is none."""
    try:
        return parse_network(text)
    except ValueError as error:
        place.wrong(key, f"{display(text)} {error}", 'such as "192.0.2.0/28" or "2001:db8::/64"')
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_identity(place: Place, fields: dict[str, Any]) -> None:
    """Note what the ID command cannot say (RFC 2971 section 3.3)."""
    if len(fields) > 30:
        place.report.add(
            place.section.name, "has more than 30 fields", "30 is what RFC 2971 allows"
        )
    for name, value in fields.items():
        key = show_key(name)
        if not isinstance(value, str):
            place.wrong(key, "is not text", "put it in quotes")
        elif not (name + value).isprintable() or not name.isascii():
            place.wrong(key, "has characters that cannot be sent", "printable text")
        elif not 0 < len(name) <= 30 or len(value.encode()) > 1024:
            place.wrong(key, "is too long", "30 characters for a name, 1024 bytes for a value")


def check_distinct(values: Iterable[tuple[Place, str, str | None]]) -> None:
    """Note every (place, key, value) whose value an earlier place has; None never counts."""
    seen: dict[str, Place] = {}
    for place, key, value in values:
        if value is None:
            continue
        first = seen.setdefault(value, place)
        if first is not place:
            place.wrong(
                key,
                f'"{value}" is taken by {first.section.heading} #{first.number}',
                "choose another",
            )


def check_any(report: Report, tables: Sized, heading: str) -> None:
    """Note when there is not one entry in an array that needs one."""
    if not tables:
        report.add(heading, "there is none", f"at least one {heading} section is needed")


def check_listener(place: Place, settings: ListenerSettings, has_tls: bool) -> None:
    """Note a way in that cannot be opened, or through which nobody could come."""
    fault = endpoint_fault(settings.endpoint)
    if fault:
        place.wrong("endpoint", f'"{settings.endpoint}": {fault}', 'such as "tcp:143"')
    if settings.secured_by_endpoint and settings.tls != "none":
        place.wrong(
            "tls",
            f'"{settings.tls}" on an endpoint that does TLS by itself',
            "leave tls out, or use a tcp: endpoint",
        )
    elif settings.tls != "none" and not has_tls:
        place.wrong("tls", f'"{settings.tls}" needs a certificate', "add a [tls] section")
    if _is_shut(settings):
        place.wrong(
            "tls",
            '"none" without allow_cleartext: nobody could log in here',
            'tls = "starttls" or "implicit", or allow_cleartext = true on a network you trust',
        )


def _is_shut(settings: ListenerSettings) -> bool:
    open_ = settings.allow_cleartext or settings.secured_by_endpoint or settings.drain
    return settings.tls == "none" and not open_


def default_tls(endpoint: str) -> str:
    """Choose what a listener does when it does not say."""
    return "none" if endpoint_secures(endpoint) else "starttls"


def drain_url(text: str) -> str:
    """Turn ``drain`` into the URL that is sent (RFC 2221 section 4.2); raises `Wrong`."""
    right = 'such as "imap://;AUTH=*@imap2.example.org/" or "imap2.example.org"'
    try:
        url = imapurl.parse(text) if "://" in text else _url_of_host(text)
    except UrlError as error:
        raise Wrong(f'"{text}": {error.reason}', right) from error
    fault = ""
    if url.kind != "server":
        fault = "names more than a server"
    elif ":" in url.host:
        fault = "has an IPv6 address, which no referral can carry"
    elif url.user is not None:
        fault = "names a user, for everyone"
    elif url.auth is None:
        fault = "has no ;AUTH=, so that clients would log in as anonymous"
    if fault:
        raise Wrong(f'"{text}" {fault}', right)
    return str(url)


def _url_of_host(text: str) -> imapurl.ImapUrl:
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or not is_host(match[1]):
        raise UrlError("neither a URL nor a host")
    return imapurl.ImapUrl(host=match[1], port=int(match[2]) if match[2] else None, auth="*")


def check_drain(place: Place, settings: ListenerSettings, own: Addresses) -> None:
    """Note a listener that would send everyone back to this server."""
    try:
        url = imapurl.parse(settings.drain)
    except UrlError:
        return  # none, or noted already
    if leads_home(Server(host=url.host, port=url.port or IMAP_PORT), own):
        place.wrong("drain", f'"{url}" leads back to this server', "name another server")


def check_networks(entries: Iterable[tuple[Place, Sequence[str]]]) -> None:
    """Note networks that are none, and those that an earlier entry leaves nothing of."""
    before: list[tuple[Network, Place]] = []
    for place, texts in entries:
        if not texts:
            place.wrong("networks", "is empty", 'such as ["10.0.0.0/8"]')
        for text in texts:
            network = _network(place, "networks", text)
            if network is None:
                continue
            for other, first in before:
                if first is not place and within(network, other):
                    place.wrong(
                        "networks",
                        f'"{text}" lies within "{other}" of {first.section.heading} '
                        f"#{first.number}, so that it never counts",
                        "put the smaller network first, or leave it out",
                    )
                    break
            before.append((network, place))


def check_programs(place: Place, settings: ReferralSection) -> None:
    """Note programs without a name."""
    for key, entries in (("follow", settings.follow), ("one_url", settings.one_url)):
        for entry in entries:
            name, slash, version = entry.partition("/")
            if not name.strip() or (slash and not version.strip()):
                place.wrong(key, f"{display(entry)} is not a program", '"alpine" or "alpine/2.2*"')


def check_relay(place: Place, settings: RelaySection) -> None:
    """Note authorities that cannot be read, and a master user without a password."""
    if settings.ca:
        try:
            with open(settings.ca, encoding="ascii") as file:
                usable = "-----BEGIN CERTIFICATE-----" in file.read()
            wrong = "" if usable else "there is no certificate in it"
        except (OSError, ValueError) as error:
            wrong = f"cannot be read: {getattr(error, 'strerror', None) or 'not PEM'}"
        if wrong:
            place.wrong("ca", f"{settings.ca}: {wrong}", "a file of PEM certificates")
    if settings.key and not settings.certificate:
        place.wrong("certificate", "is missing", "the certificate that the key is for")
    if bool(settings.master_user) != bool(settings.master_password):
        missing = "master_password" if settings.master_user else "master_user"
        place.wrong(missing, "is missing", "both, or neither of the two")


def check_serve(place: Place, settings: ServeSection) -> None:
    """Note a place for mail that is none, and levels for shared names that cannot be such."""
    if settings.store == "maildir":
        _check_root(place, settings.root)
        _check_shared_files(place, settings)
    for key, right in (("public", '"Public"'), ("others", '"Other Users"')):
        level = getattr(settings, key)
        if level:
            _check_level(place, key, level, right)
            if settings.store == "none":
                right = f'store = "maildir", or leave {key} out'
                place.wrong(key, "there is no store to keep it in", right)
    if settings.public and settings.public == settings.others:
        place.wrong("others", "is the same as public", '"Other Users"')


def _check_level(place: Place, key: str, level: str, right: str) -> None:
    if "/" in level or level != level.strip() or not level.isprintable():
        place.wrong(key, f'"{level}" is not one level of names', right)
    elif level.upper() == "INBOX":
        place.wrong(key, "INBOX is everyone's own", right)


def _check_shared_files(place: Place, settings: ServeSection) -> None:
    """Note what shared mailboxes need, and what would be taken for a user's mail."""
    wanted = {
        "public_root": (settings.public, '"/var/mail-public" or the like'),
        "rights": (settings.public or settings.others, '"/var/lib/referrald/rights" or the like'),
    }
    for key, (needed, right) in wanted.items():
        path = getattr(settings, key)
        if needed and not path:
            place.wrong(key, "is missing", right)
        elif needed and _may_be_a_user(settings.root, path):
            place.wrong(key, f"{path} would be the mail of a user as well", right)
        elif needed and not os.path.isdir(os.path.dirname(path)):
            place.wrong(key, f"there is no directory {os.path.dirname(path)}", "make it first")


def _may_be_a_user(root: str, path: str) -> bool:
    """Say whether a path is, or is in, a directory that can be that of a user."""
    levels = [re.escape(level) for level in root.split("/")]
    pattern = "/".join(re.sub("%[und]", "[^/]+", level) for level in levels)
    return re.match(f"{pattern}(/|$)", path) is not None


def _check_root(place: Place, root: str) -> None:
    right = '"/var/mail/%d/%n" or the like'
    fields = re.findall("%(.?)", root)
    if not root:
        place.wrong("root", "is missing", right)
    elif unknown := [field for field in fields if field not in ("u", "n", "d")]:
        place.wrong("root", f'"%{unknown[0]}" stands for nothing', right)
    elif not {"u", "n"}.intersection(fields):
        place.wrong("root", "is the same for all users", right)
    else:
        fixed = os.path.dirname(root[: root.index("%")])
        if not os.path.isdir(fixed):
            place.wrong("root", f"there is no directory {fixed}", "make it first")


def check_shared(place: Place, settings: SharedSection) -> None:
    """Note a server that cannot be used, and settings for one that is not named."""
    given = attrs.asdict(settings)
    if not settings.servers:
        usual = attrs.asdict(SharedSection())
        for key in sorted(key for key in given if given[key] != usual[key]):
            place.wrong(key, "is of no use without servers", "name one, or leave it out")
        return
    missing = library_fault("servers")
    for fault in [missing] if missing else connecting_faults(given):
        place.wrong(fault.key, fault.wrong, fault.right)


def check_introspection(place: Place, url: str) -> None:
    """Note a URL that is none, or over which tokens would travel in the clear."""
    scheme, host = _web_address(url)
    if not host:
        place.wrong("url", "is not a web address", '"https://HOST/…", without a user or password')
    elif scheme == "http" and host not in LOOPBACK:
        place.wrong("url", "tokens would travel in the clear", "https://…")


def _web_address(url: str) -> tuple[str, str]:
    """Give scheme and host of a URL for HTTP; empty when it is none."""
    try:
        parts = urlsplit(url)
        usable = url.isascii() and parts.username is None and parts.port != 0
    except ValueError:
        return "", ""
    if not usable or parts.scheme not in ("http", "https"):
        return "", ""
    return parts.scheme, parts.hostname or ""


def check_log_file(place: Place, path: str) -> None:
    """Note a log file whose directory is not there."""
    directory = os.path.dirname(path)
    if directory and not os.path.isdir(directory):
        place.wrong("logins", f"there is no directory {directory}", "make it first")
