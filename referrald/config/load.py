"""Load a configuration: everything that is wrong with it, or the finished `Config`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from referrald.config import checks
from referrald.config.certificates import check_files, check_pair, utc_now
from referrald.config.document import Table, read_file, read_sections
from referrald.config.parts import (
    check_asked,
    check_asked_in_the_clear,
    check_checkers,
    check_extensions,
    check_targets,
    read_backend,
)
from referrald.config.report import Report
from referrald.config.settings import (
    AuthSection,
    BackendSettings,
    Config,
    DirectorySection,
    IntrospectionSettings,
    ListenerSettings,
    LogSection,
    NetworkSettings,
    ReferralSection,
    RelaySection,
    ServerSettings,
    ServeSection,
    SharedSection,
    TlsSettings,
)
from referrald.config.values import Wrong, did_you_mean
from referrald.interfaces import IBearerToken
from referrald.model import Limits, Problem

Tables = dict[str, list[Table]]


@attrs.frozen(kw_only=True)
class Loaded:
    """What came of loading: ``config`` is None when there is any problem."""

    config: Config | None
    problems: list[Problem]


def load(path: str | os.PathLike[str], *, now: datetime | None = None) -> Loaded:
    """Read and check the configuration file at ``path``; never raises for what is in it.

    ``now`` is the time that certificates are checked against.
    """
    file = os.fspath(path)
    report = Report(file)
    document = read_file(report, file)
    if document is None:
        return Loaded(config=None, problems=report.problems)
    return load_document(document, file, now=now)


def load_document(
    document: Mapping[str, Any],
    file: str,
    *,
    now: datetime | None = None,
    backends: Sequence[BackendSettings] = (),
) -> Loaded:
    """Check a parsed document as though it had been read from ``file``.

    ``backends`` come behind those of the document: a program may bring its own.
    """
    report = Report(file)
    base = os.path.dirname(os.path.abspath(file))
    tables = read_sections(report, dict(document), base)
    listeners = _listeners(report, tables)
    found = _backends(report, tables, base, wanted=not backends)
    config = _assemble(tables, listeners, found, backends, now or utc_now())
    if report.problems:
        return Loaded(config=None, problems=report.problems)
    return Loaded(config=attrs.evolve(config, path=os.path.abspath(file)), problems=[])


def _assemble(
    tables: Tables,
    listeners: list[tuple[Table, ListenerSettings]],
    backends: list[tuple[Table, BackendSettings]],
    more: Sequence[BackendSettings],
    now: datetime,
) -> Config:
    """Build the typed configuration and check its parts against each other.

    After a problem the result is for further checks only.
    """
    config = Config(
        server=_server(tables),
        listeners=tuple(listener for _, listener in listeners),
        backends=(*(backend for _, backend in backends), *more),
        tls=_tls(tables, now),
        directory=DirectorySection(**_one(tables, "directory")),
        referral=ReferralSection(**_one(tables, "referral")),
        networks=_networks(tables),
        relay=RelaySection(**_one(tables, "relay")),
        auth=_auth(tables),
        serve=ServeSection(**_one(tables, "serve")),
        limits=Limits(**_one(tables, "limits")),
        log=LogSection(**_one(tables, "log")),
        shared=SharedSection(**_one(tables, "shared")),
        extensions=_one(tables, "extensions")["use"],
    )
    own = config.own_addresses
    for table, listener in listeners:
        checks.check_drain(table.place, listener, own)
    for table, backend in backends:
        check_targets(table.place, backend, own)
        if config.auth.home:
            check_asked_in_the_clear(table.place, backend, config.referral.allow_clear)
    checks.check_programs(tables["referral"][0].place, config.referral)
    _check_relay(tables, config.relay, now)
    checks.check_serve(tables["serve"][0].place, config.serve)
    checks.check_shared(tables["shared"][0].place, config.shared)
    if config.auth.home and backends and not more:
        check_asked(tables["auth"][0].place, [(table.place, each) for table, each in backends])
    _check_auth(tables, config)
    check_extensions(tables["extensions"][0].place, config.extensions)
    if config.log.logins not in ("twisted", "-"):
        checks.check_log_file(tables["log"][0].place, config.log.logins)
    return config


def _check_relay(tables: Tables, settings: RelaySection, now: datetime) -> None:
    place = tables["relay"][0].place
    checks.check_relay(place, settings)
    if settings.certificate:
        check_pair(place, settings.certificate, settings.key or settings.certificate, now)


def _one(tables: Tables, name: str) -> dict[str, Any]:
    """Give the values of a section that is there once."""
    return tables[name][0].values


def _server(tables: Tables) -> ServerSettings:
    table, identity = tables["server"][0], tables["server.id"][0]
    checks.check_identity(identity.place, identity.more)
    settings = ServerSettings(**{"name": ""} | table.values, id=identity.more)
    checks.check_server(table.place, settings)
    return settings


def _listeners(report: Report, tables: Tables) -> list[tuple[Table, ListenerSettings]]:
    """Build every listener that has an endpoint."""
    checks.check_any(report, tables["listener"], "[[listener]]")
    for key in ("name", "endpoint"):
        checks.check_distinct(
            (table.place, key, table.values.get(key)) for table in tables["listener"]
        )
    found = []
    for table in tables["listener"]:
        if "endpoint" in table.values:
            settings = _listener(table)
            checks.check_listener(table.place, settings, bool(tables["tls"]))
            found.append((table, settings))
    return found


def _listener(table: Table) -> ListenerSettings:
    values = dict(table.values)
    values["name"] = values["name"] or values["endpoint"]
    values["tls"] = values["tls"] or checks.default_tls(values["endpoint"])
    if values["drain"]:
        try:
            values["drain"] = checks.drain_url(values["drain"])
        except Wrong as error:
            table.place.wrong("drain", error.wrong, error.right)
    return ListenerSettings(**values)


def _tls(tables: Tables, now: datetime) -> TlsSettings | None:
    for table in tables["tls"]:
        if "certificate" in table.values:
            values = table.values | {"key": table.values["key"] or table.values["certificate"]}
            settings = TlsSettings(**values)
            check_files(table.place, settings, now)
            return settings
    return None


def _backends(
    report: Report, tables: Tables, base: str, *, wanted: bool
) -> list[tuple[Table, BackendSettings]]:
    """Build every backend whose type is known; ``wanted``: there must be one."""
    if wanted:
        checks.check_any(report, tables["backend"], "[[backend]]")
    found = []
    for table in tables["backend"]:
        backend = read_backend(table, base)
        if backend is not None:
            found.append((table, backend))
    checks.check_distinct(
        (table.place, "name", table.values["name"] or table.values.get("type"))
        for table in tables["backend"]
    )
    return found


def _networks(tables: Tables) -> tuple[NetworkSettings, ...]:
    """Build the words about networks; they are checked one by one and against each other."""
    checks.check_networks(
        (table.place, table.values["networks"])
        for table in tables["network"]
        if "networks" in table.values
    )
    return tuple(
        NetworkSettings(**table.values)
        for table in tables["network"]
        if {"networks", "login"} <= table.values.keys()
    )


def _auth(tables: Tables) -> AuthSection:
    introspection = None
    for table in tables["auth.introspection"]:
        if "url" in table.values:
            introspection = IntrospectionSettings(**table.values)
            checks.check_introspection(table.place, introspection.url)
    return AuthSection(**_one(tables, "auth"), introspection=introspection)


def _check_auth(tables: Tables, config: Config) -> None:
    """Check that those who may log in are known, and that somebody may."""
    place, auth = tables["auth"][0].place, config.auth
    names = [table.values["name"] or table.values.get("type", "") for table in tables["backend"]]
    names += [backend.name for backend in config.backends]
    for name in auth.backends or ():
        if name not in names:
            place.wrong("backends", f'there is no backend "{name}"', did_you_mean(name, names))
    if "@" in auth.default_domain:
        place.wrong("default_domain", "has an @ in it", 'such as "example.org"')
    kinds = check_checkers(place, auth.checkers)
    tokens = auth.introspection is not None or IBearerToken in kinds or auth.home
    certificates = config.tls is not None and bool(config.tls.client_ca)
    for mechanism in auth.mechanisms:
        if mechanism in ("OAUTHBEARER", "XOAUTH2") and not tokens:
            place.wrong(
                "mechanisms", f'"{mechanism}" has nobody to ask', "add [auth.introspection]"
            )
        if mechanism == "EXTERNAL" and not certificates:
            place.wrong("mechanisms", '"EXTERNAL" needs client certificates', "set tls.client_ca")
    if auth.home_cache and not auth.home:
        place.wrong("home_cache", "is of no use where no home is asked", "set home = true")
    if auth.mechanisms and not auth.sasl:
        place.wrong("mechanisms", "are of no use with sasl = false", "leave one of the two out")
    draining = all(listener.drain for listener in config.listeners)
    if auth.backends == () and not (auth.checkers or tokens or certificates or draining):
        place.wrong(
            "backends",
            "is empty, and there is no checker: nobody could log in",
            "leave it out to use every backend that keeps passwords",
        )
