"""All servers of a configuration looked at, some at a time, and how that is shown."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import DeferredSemaphore, gatherResults

from referrald.client.following import Credentials
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import Target
from referrald.config.settings import Config
from referrald.ctl.assembly import Assembled
from referrald.ctl.inventory import Inventory, take_inventory
from referrald.ctl.lookup import known_name
from referrald.ctl.output import columns, visible
from referrald.ctl.probing import FINE, Finding, Needs, Prober
from referrald.ctl.trace import MATTER, Tracer, read_trust, shortened
from referrald.imapurl import ImapUrl
from referrald.model import Login, Refer, Refuse, Security, Server

AT_ONCE: Final = 20
HEADINGS: Final = ("server", "security", "TLS", "ms", "offers", "named by", "verdict")
NAMES_SHOWN: Final = 3
HERE: Final = "at home here"
REFUSED: Final = "refused"

One = TypeVar("One")
Result = TypeVar("Result")


class Round:
    """One round of all servers. patience: seconds for each."""

    def __init__(self, reactor: Any, config: Config, assembly: Assembled, patience: float) -> None:
        self._reactor = reactor
        self._config = config
        self._assembly = assembly
        self._patience = patience
        relay = config.relay
        self._trust = read_trust(relay.ca or None, relay.certificate, relay.key)
        self._needs = Needs(
            policy=assembly.mailboxes.policy,
            relay=config.may_relay,
            master=bool(config.relay.master_user),
            proxy=config.relay.proxy,
        )

    async def go(self, credentials: Credentials | None = None) -> Live:
        """Look at every server, then log a user in at home."""
        assembly = self._assembly
        inventory = await take_inventory(self._config, assembly.backends)
        prober = Prober(self._reactor, self._needs, self._trust, self._patience)
        findings = await _some_at_a_time(prober.look_at, inventory.named)
        logins = () if credentials is None else await self._log_in(credentials)
        return Live(inventory=inventory, findings=findings, logins=logins)

    async def _log_in(self, credentials: Credentials) -> Sequence[Mapping[str, Any]]:
        """Log in at each server of the user's home; gives what may be shown of it."""
        user = known_name(self._assembly, credentials.user)
        decision = await self._assembly.router.route(Login(user=user, secure=True))
        if isinstance(decision, Refuse) and decision.instead is None:
            return [_without_server(user, REFUSED, decision.cause or decision.text)]
        away = decision.instead if isinstance(decision, Refuse) else decision
        if not isinstance(away, Refer):
            return [_without_server(user, HERE, "there is nowhere else to log in")]
        there = attrs.evolve(credentials, user=away.user or user)
        servers = away.servers or (away.server,)
        return await _some_at_a_time(lambda server: self._trace(server, there), servers)

    async def _trace(self, server: Server, credentials: Credentials) -> Mapping[str, Any]:
        section = self._config.referral
        # Routing has looked at this server already; an address has to be named in full.
        own = (server.host,) if server.security is Security.CLEAR else ()
        policy = CredentialPolicy(
            origin=server.host,
            allowed=section.allowed,
            allow_clear=(*section.allow_clear, *own),
        )
        tracer = Tracer(
            self._reactor,
            credentials,
            policy,
            self._trust,
            self._patience,
            announce=lambda target: self._needs.header(target.host),
        )
        trace = await tracer.trace(_target(server, credentials.user))
        shown = trace.document(credentials.words)
        return {"server": str(server), "user": credentials.user} | shown


def _target(server: Server, user: str) -> Target:
    return Target(
        host=server.host,
        port=server.port,
        user=user,
        implicit=server.security is Security.TLS,
        url=ImapUrl(host=server.host, port=server.port, user=user, auth="*"),
    )


def _without_server(user: str, verdict: str, reason: str) -> Mapping[str, Any]:
    return {
        "server": None,
        "user": user,
        "steps": [],
        "verdict": verdict,
        "reason": shortened(reason),
    }


async def _some_at_a_time(
    work: Callable[[One], Coroutine[Any, Any, Result]], each: Iterable[One]
) -> Sequence[Result]:
    """Do the work for each, a limited number of them at the same time."""
    tokens = DeferredSemaphore(AT_ONCE)

    results: Sequence[Result] = await gatherResults([tokens.run(work, it) for it in each])
    return results


@attrs.frozen(kw_only=True)
class Live:
    """What was found. logins: documents of traces, one for each server of the user's home."""

    inventory: Inventory
    findings: Sequence[Finding]
    logins: Sequence[Mapping[str, Any]] = ()

    @property
    def faults(self) -> int:
        """How much somebody has to do something about."""
        found = sum(finding.fault for finding in self.findings) + len(self.inventory.broken)
        return found + sum(login["verdict"] not in (FINE, HERE) for login in self.logins)

    def document(self) -> dict[str, Any]:
        """Give all of it as it may be shown."""
        broken = self.inventory.broken.items()
        return {
            "targets": [_shown(finding) for finding in self.findings],
            "unlisted": list(self.inventory.silent),
            "broken": [{"backend": name, "reason": shortened(why)} for name, why in broken],
            "logins": list(self.logins),
            "faults": self.faults,
        }

    def text(self) -> str:
        """Lay the rows out under their headings; what else there is stands below."""
        rows = [_row(finding) for finding in self.findings]
        table = columns([HEADINGS, *rows]) if rows else ""
        return table + "".join(f"{line}\n" for line in [*self._notes(), self._summary()])

    def _notes(self) -> Iterable[str]:
        for name in self.inventory.silent:
            yield f"backend {visible(name)}: cannot list its servers"
        for name, why in self.inventory.broken.items():
            yield f"backend {visible(name)}: {shortened(why)}"
        for login in self.logins:
            place = f" at {login['server']}" if login["server"] else ""
            yield f"login of {visible(login['user'])}{place}: {login['verdict']}: {login['reason']}"

    def _summary(self) -> str:
        count = len(self.findings)
        fine = sum(finding.verdict == FINE for finding in self.findings)
        servers = f"{count} server{'' if count == 1 else 's'}, {fine} fine"
        return f"{servers}; {self.faults or 'no'} fault{'' if self.faults == 1 else 's'}"


def _shown(finding: Finding) -> dict[str, Any]:
    server = finding.named.server
    return {
        "host": server.host,
        "port": server.port,
        "security": server.security.value,
        "named_by": list(finding.named.by),
        "verdict": finding.verdict,
        "reason": shortened(finding.reason),
        "fault": finding.fault,
        "tls": finding.tls,
        "greeting": None if finding.greeting is None else shortened(finding.greeting),
        "milliseconds": None if finding.seconds is None else round(finding.seconds * 1000),
        "capabilities": sorted(finding.capabilities),
    }


def _row(finding: Finding) -> tuple[str, ...]:
    shown = _shown(finding)
    offers = " ".join(name for name in MATTER if name in finding.capabilities)
    by = finding.named.by
    names = ", ".join(by[:NAMES_SHOWN]) + (", …" if len(by) > NAMES_SHOWN else "")
    reason = shown["reason"]
    return (
        f"{shown['host']}:{shown['port']}",
        shown["security"],
        shown["tls"] or "-",
        "-" if shown["milliseconds"] is None else str(shown["milliseconds"]),
        offers or "-",
        visible(names),
        f"{finding.verdict}: {reason}" if reason else finding.verdict,
    )
