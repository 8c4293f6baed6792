"""The ``dns`` backend: a domain's SRV records say where its users live (RFC 6186, RFC 8314).

``_imaps._tcp`` and ``_imap._tcp`` of the domain are asked for. Servers come by priority, those with
TLS from the first byte before those with STARTTLS at the same one; among equals each user has an
order of their own by the weights (RFC 2782), always the same. Nothing is learnt of single users:
all of a domain are known, unless signed records tell them apart (`referrald.backends.dns.signed`).

That there is no record means that the domain is unknown; that nobody answers is an error. DNS
without signatures can be forged on its way: with ``validated`` only answers count whose signatures
the name server has checked, and ``[referral] allowed`` bounds what a forged one may do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
import dns.exception
import dns.flags
import dns.nameserver
import dns.resolver
from twisted.internet.abstract import isIPAddress
from zope.interface import implementer

from referrald.backends.dns import signed
from referrald.backends.patterns import Pattern
from referrald.backends.servers import Wrong, host_name
from referrald.backends.variables import expand
from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle, IReferralBackend
from referrald.model import Home, Login, Options, Security, Server
from referrald.spreading import order_for
from referrald.workers import Pool

SERVICES: Final = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))
PAYLOAD: Final = 1232
"""Bytes that an answer by UDP may have, so that no packet is cut in pieces on its way."""

LONGEST: Final = 253
"""Characters that a name in DNS may have."""

ROOM: Final = max(len(service) + 1 for service, _ in SERVICES)

Rank = tuple[int, int]
"""Priority, and place among `SERVICES`: what comes first is tried first."""


@attrs.frozen(kw_only=True)
class Offer:
    """The servers of a domain by rank, and how many seconds that may be kept."""

    ranks: tuple[tuple[Rank, tuple[Server, ...]], ...]
    ttl: float


@implementer(IReferralBackend, ILifecycle)
class DnsBackend:
    """Asks a resolver (as dnspython has it), which blocks, in the threads of a pool.

    key: with which records of single users are signed, None where there are none.
    clock: gives the seconds since 1970.
    """

    def __init__(
        self, resolver: Any, options: Options, pool: Pool, key: Any = None, clock: Any = time.time
    ) -> None:
        self._resolver = resolver
        self._pool = pool
        self._domains = tuple(Pattern(each.lower()) for each in options["domains"])
        self._user: str | None = None if options["user"] == "%u" else options["user"]
        self._longest: float = options["ttl_max"]
        self._validated: bool = options["validated"]
        self._key = key
        self._clock = clock

    async def start(self) -> None:
        """Be ready for questions."""
        if ILifecycle.providedBy(self._pool):
            await self._pool.start()

    async def stop(self) -> None:
        """End the threads."""
        if ILifecycle.providedBy(self._pool):
            await self._pool.stop()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user, by the user's own record or by the domain."""
        domain = _domain(login.user)
        if domain is None or not any(each.matches(domain) for each in self._domains):
            return None
        return await self._pool.run(self._look_up, login.user, domain)

    def _look_up(self, user: str, domain: str) -> Home | None:
        own = None if self._key is None else self._own(user)
        if own is not None:
            return own
        offer = self._offer(domain)
        if offer is None:
            return None
        chosen = [each for _, group in offer.ranks for each in order_for(user, group)]
        servers = [attrs.evolve(each, weight=1) for each in dict.fromkeys(chosen)]
        return Home(servers=tuple(servers), user=self._name(user), ttl=offer.ttl)

    def _name(self, user: str) -> str | None:
        return None if self._user is None else expand(self._user, user)

    # -- the records of a domain -------------------------------------------------------------

    def _offer(self, domain: str) -> Offer | None:
        ranks: dict[Rank, list[Server]] = {}
        ttl = self._longest
        for place, (service, security) in enumerate(SERVICES):
            records, its_ttl = self._ask(f"{service}.{domain}", "SRV")
            ttl = min(ttl, its_ttl)
            for record in records:
                server = _server(record, security)
                if server is not None:
                    ranks.setdefault((record.priority, place), []).append(server)
        if not ranks:
            return None
        ordered = sorted((rank, tuple(servers)) for rank, servers in ranks.items())
        return Offer(ranks=tuple(ordered), ttl=float(ttl))

    def _ask(self, name: str, kind: str) -> tuple[Iterable[Any], float]:
        """Give records and how many seconds they may be kept; raises `Unavailable`."""
        try:
            answer = self._resolver.resolve(name + ".", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            self._check(name, error.kwargs["responses"].values())
            return (), self._longest
        except (dns.exception.DNSException, OSError) as error:
            raise Unavailable(f"DNS, {name}: {_why(error)}") from error
        self._check(name, [answer.response])
        return answer.rrset or (), answer.rrset.ttl if answer.rrset else self._longest

    def _check(self, name: str, responses: Iterable[Any]) -> None:
        """Raise `Unavailable` for an answer that nobody has validated, where that is asked for."""
        if self._validated and not all(each.flags & dns.flags.AD for each in responses):
            raise Unavailable(f"DNS, {name}: the answer has not been validated")

    # -- the record of a user ----------------------------------------------------------------

    def _own(self, user: str) -> Home | None:
        name = signed.record_name(user)
        if len(name) > LONGEST:
            return None
        records, ttl = self._ask(name, "TXT")
        for record in records:
            text = b"".join(record.strings).decode("latin-1")
            if signed.is_record(text):
                return self._signed(user, text, ttl)
        return None

    def _signed(self, user: str, text: str, ttl: float) -> Home:
        try:
            found = signed.verify(self._key, user, text)
        except Wrong as error:
            raise Unavailable(f"the signed record of {user!r} {error.wrong}") from None
        left = found.until - self._clock()
        if left <= 0:
            raise Unavailable(f"the signed record of {user!r} has ended")
        ttl = min(ttl, self._longest, left)
        return Home(servers=found.servers, user=self._name(user), ttl=float(ttl))


def _domain(user: str) -> str | None:
    """Give the domain of a user; None for one that has none, or one that DNS cannot have."""
    local, _, domain = user.rpartition("@")
    if not local or len(domain) + ROOM > LONGEST:
        return None
    try:
        name = host_name(domain)
    except Wrong:
        return None
    return None if isIPAddress(name) else name.lower()


def _server(record: Any, security: Security) -> Server | None:
    """Make a server of an SRV record; None for one that no referral could name.

    The target ``.`` says that there is none (RFC 6186 section 3.4).
    """
    target = record.target.to_text(omit_final_dot=True)
    if target in ("", ".", "@") or not record.port:
        return None
    try:
        host = host_name(target)
    except Wrong:
        return None
    # A weight of 0 is next to nothing beside others (RFC 2782).
    return Server(host=host, port=record.port, security=security, weight=10 * record.weight or 1)


def _why(error: Exception) -> str:
    """Say shortly why there is no answer."""
    if isinstance(error, dns.exception.Timeout):
        return "nobody answers"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the name servers cannot say"
    return type(error).__name__


def resolver(servers: Sequence[tuple[str, int]], resolv: str, options: Options) -> Any:
    """Make a resolver that keeps nothing: answers are cached by those who ask us.

    servers: addresses and ports; those in the file ``resolv`` where there are none.
    """
    made = dns.resolver.Resolver(resolv, configure=not servers)
    if servers:
        made.nameservers = [dns.nameserver.Do53Nameserver(*each) for each in servers]
    made.timeout, made.lifetime = options["timeout"] / 3, options["timeout"]
    made.use_edns(0, dns.flags.DO if options["validated"] else 0, PAYLOAD)
    return made
