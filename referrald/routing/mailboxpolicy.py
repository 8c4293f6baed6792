"""What is done about a mailbox when it is known where it is: a pure function."""

from __future__ import annotations

from referrald.errors import MailboxInUse, Unavailable, UrlError
from referrald.imapurl import mailbox_referral
from referrald.mailmodel import MailboxDecision, MailboxLocation, ReferMailbox, Replica
from referrald.model import Home, Refuse, Serve
from referrald.routing.policy import PolicySettings, refuse_closed


def decide_mailbox(
    user: str,
    name: str,
    location: MailboxLocation | None,
    home: Home | None,
    policy: PolicySettings,
    public: str,
    *,
    delimiter: str = "/",
) -> MailboxDecision:
    """Decide what is done about a mailbox.

    location: what the backends say of it; it wins over all else. home: that of the user, which
    counts where they say nothing. public: the first level of the mailboxes that are here whatever
    the home is; empty for none.
    """
    if location is not None:
        return _by_location(user, name, location, policy)
    if home is None:
        return Serve()
    if home.closed is not None:
        return refuse_closed(home)
    if serves_unlisted(name, home, public, delimiter):
        return Serve(source=home.source)
    return _refer(user, name, at_home(name, home), policy, personal=True)


def serves_unlisted(name: str, home: Home | None, public: str, delimiter: str) -> bool:
    """Tell whether a mailbox that no backend speaks of is here."""
    if home is None:
        return True
    if home.closed is not None:
        return False
    return home.here or (public != "" and (name == public or name.startswith(public + delimiter)))


def at_home(name: str, home: Home) -> MailboxLocation:
    """Give the place of a mailbox that is on the home servers, under the same name."""
    replicas = tuple(
        Replica(server=server, name=name, user=home.user, auth=home.auth) for server in home.servers
    )
    return MailboxLocation(replicas=replicas, source=home.source)


def _by_location(
    user: str, name: str, location: MailboxLocation, policy: PolicySettings
) -> MailboxDecision:
    if location.here:
        return Serve(source=location.source)
    if location.nowhere:
        return Refuse(
            code="CANNOT",
            text="No mailbox can have that name.",
            cause=f"no server can have a mailbox called {name}",
            source=location.source,
        )
    if not location.replicas:
        return Refuse(
            code=MailboxInUse.code,
            text=MailboxInUse.public,
            cause=f"mailbox {name} is being moved",
            source=location.source,
        )
    return _refer(user, name, location, policy, personal=False)


def _refer(
    user: str, name: str, location: MailboxLocation, policy: PolicySettings, *, personal: bool
) -> MailboxDecision:
    """Refer to all replicas that there is no objection to, each place once."""
    places: dict[str, Replica] = {}
    objections = []
    for replica in location.replicas:
        objection, url = policy.objection(replica.server), ""
        if not objection:
            objection, url = _url(user, replica)
        if objection:
            objections.append(f"{replica.server}: {objection}")
        else:
            places.setdefault(url, replica)
    if not places:
        return Refuse(
            code=Unavailable.code,
            text=Unavailable.public,
            cause=f"no server to refer to for mailbox {name}: {'; '.join(objections)}",
            source=location.source,
        )
    return ReferMailbox(
        urls=tuple(places),
        replicas=tuple(places.values()),
        personal=personal,
        source=location.source,
    )


def _url(user: str, replica: Replica) -> tuple[str, str]:
    """Give an objection or a URL."""
    server = replica.server
    try:
        url = mailbox_referral(
            server.host, server.port, replica.user or user, replica.name, replica.auth
        )
    except UrlError as error:
        return error.reason, ""
    return "", url
