"""Show where a user or a mailbox lives and what a client would get.

Asks the backends as the server does and prints the decision, the URL that the client would be sent,
the backend that said so, and how long the answer is kept. The user need not log in. The backends
are asked anew by this process: what the running server has in its cache is not seen, and the age
that is shown is that of the answer in this process.

Of a user who lives elsewhere it shows as well what is done about the client ("how": refer, relay or
auto) and who said so ("said by"): the backend, a network, the listener, or "[referral] login". That
may depend on where the client comes in (--listener), from where (--from) and which program it is
(--program, as it says with ID before it logs in): without them it is a program that is not known,
from no network, at the first listener that takes logins.

With --mailbox it is about one mailbox of that user: what is decided about the login and about the
name, all URLs in order of preference with their servers and the name there ("personal" when it is
there because all of the user's mail is), and the servers that were left out and why. Of a mailbox
that is elsewhere it shows as well, word for word, what SELECT answers: to a client that has asked
for remote names ("asked", with RLIST, RLSUB or LIST (REMOTE)), to one that never has ("unasked",
after the value of "[referral] mailboxes"), and what STATUS answers to the one that has asked (after
the value of "[referral] status"). A name that is served here is not looked for in the store: no
backend need speak of it, and there need not be such a mailbox.

Exits with 1 when the login, or the mailbox, would be refused.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from typing import Any

import attrs

from referrald.choices import choosing_for
from referrald.config.settings import Config, ListenerSettings
from referrald.ctl.assembly import Assembled, Found, Mailboxes, running
from referrald.ctl.loading import load_config
from referrald.ctl.output import Seconds
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import MailboxReferral, Unavailable
from referrald.mailmodel import MailboxDecision, MailboxLocation, ReferMailbox
from referrald.model import Decision, Home, Login, Refer, Refuse, Server
from referrald.networks import parse_address
from referrald.session.audience import Audience
from referrald.wire.names import encode_utf7
from referrald.wire.response import Status, body

FOLLOWS = "referred: the program is one of those in referral.follow"
RELAYED = "relayed: the client is logged in there and stays here"
WITHOUT_PASSWORD = "; referred where its password is not known here"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the user and how the user would come."""
    parser.add_argument("user", metavar="USER", help="the name as a client would send it")
    secure = parser.add_mutually_exclusive_group()
    secure.add_argument(
        "--secure",
        dest="secure",
        action="store_true",
        default=True,
        help="as for a client that came with TLS (the default)",
    )
    secure.add_argument(
        "--clear",
        dest="secure",
        action="store_false",
        help="as for a client that came without TLS",
    )
    parser.add_argument("--listener", metavar="NAME", help="as for a client at this listener")
    parser.add_argument(
        "--from",
        dest="address",
        metavar="ADDRESS",
        type=_address,
        help="as for a client at this address",
    )
    parser.add_argument(
        "--program",
        metavar="NAME[/VERSION]",
        default="",
        help="as for a client that says with ID that it is this program",
    )
    parser.add_argument(
        "--mailbox",
        metavar="NAME",
        help="show where this mailbox is; the name as people write it, levels divided by /",
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print what a login would get, or a client that opens the mailbox."""
    config = load_config(arguments, terminal)
    client = Client(
        listener=_listener(config, arguments.listener),
        address=arguments.address or "",
        program=arguments.program,
    )
    mailbox = None if arguments.mailbox is None else mailbox_name(arguments.mailbox)

    async def work(reactor: Any) -> tuple[bool, dict[str, Any]]:
        async with running(config, reactor) as assembly:
            login = Login(
                user=known_name(assembly, arguments.user),
                secure=arguments.secure,
                peer=client.address,
                listener=client.listener.name,
            )
            if mailbox is None:
                return await look_up(config, assembly, login, client)
            return await look_up_mailbox(config, assembly, login, mailbox)

    refused, fields = terminal.run(work)
    terminal.output.record(fields)
    return 1 if refused else 0


@attrs.frozen(kw_only=True)
class Client:
    """How a client comes, as far as it counts whether it is referred or relayed."""

    listener: ListenerSettings
    address: str = ""
    program: str = ""

    @property
    def ident(self) -> dict[str, str | None]:
        """What it says with ID."""
        name, _, version = self.program.partition("/")
        return {"name": name, "version": version}


def _address(text: str) -> str:
    """Take an address from the command line."""
    if parse_address(text) is None:
        raise ArgumentTypeError(f"{text!r} is not an address")
    return text


def _listener(config: Config, name: str | None) -> ListenerSettings:
    """Find a listener by its name; raises `Refused`."""
    if name is None:
        return min(config.listeners, key=lambda listener: bool(listener.drain))
    for listener in config.listeners:
        if listener.name == name:
            return listener
    known = ", ".join(listener.name for listener in config.listeners)
    raise Refused(f'there is no listener "{name}"; there are: {known}')


def known_name(assembly: Assembled, user: str) -> str:
    """Give the name under which a user is known; raises `Refused` for an impossible one."""
    try:
        return assembly.authenticator.normalise(user)
    except ValueError as error:
        raise Refused(f"no user can have that name: {error}") from error


def mailbox_name(text: str) -> str:
    """Give the name of a mailbox as the server knows it; raises `Refused` where a client cannot."""
    try:
        encode_utf7(text)
    except ValueError as error:
        raise Refused(f"no mailbox can have that name: {error}") from error
    if not text:
        raise Refused("no mailbox can have that name: it is empty")
    return "INBOX" if text.upper() == "INBOX" else text


async def look_up(
    config: Config, assembly: Assembled, login: Login, client: Client
) -> tuple[bool, dict[str, Any]]:
    """Ask the backends; says whether the login is refused, and gives what there is to show."""
    try:
        source = _source(await assembly.directory.explain(login))
    except Unavailable:
        source = {}  # the decision will say why
    decision = await assembly.router.route(login)
    fields = {"user": login.user, **_decision(config, decision, client), **source}
    return isinstance(decision, Refuse), fields


def _decision(config: Config, decision: Decision, client: Client) -> dict[str, Any]:
    """Show an outcome."""
    fields: dict[str, Any] = {"decision": decision.outcome}
    if isinstance(decision, Refer):
        fields |= _choice(config, decision, client)
        fields["url"] = decision.url
        fields["authenticated"] = decision.authenticated or None
    elif isinstance(decision, Refuse):
        fields |= {"code": decision.code, "text": decision.text, "cause": decision.cause or None}
    return fields


def _choice(config: Config, decision: Refer, client: Client) -> dict[str, Any]:
    """Show what becomes of a referral, and by whose word."""
    choosing = choosing_for(config, client.listener)
    choice = choosing.explain(decision.how, client.address)
    if choice.how == "refer":
        said = None
    elif choice.how == "auto" and choosing.follow.include(client.ident):
        said = FOLLOWS
    else:
        said = RELAYED + ("" if config.relay.master_user else WITHOUT_PASSWORD)
    return {"how": choice.how, "said by": choice.said_by, "carried out": said}


def _source(found: Found) -> dict[str, Any]:
    """Show who knew the user, and since when."""
    return {
        "backend": found.source or None,
        **_home(found.home),
        "cached": found.cached,
        "age": None if found.age is None else Seconds(found.age),
        "stale": found.stale or None,
        "ttl": Seconds(found.kept),
    }


def _home(home: Home | None) -> dict[str, Any]:
    """Show what the backend said."""
    if home is None:
        return {"home": "unknown"}
    servers = [_server(server) for server in home.servers]
    return {
        "home": servers or "here",
        "user there": home.user,
        "closed": home.closed,
        "held": home.held or None,
    }


# -- one mailbox -----------------------------------------------------------------------------


async def look_up_mailbox(
    config: Config, assembly: Assembled, login: Login, name: str
) -> tuple[bool, dict[str, Any]]:
    """Ask about a mailbox; says whether it or the login is refused, and gives what to show."""
    admitted = await assembly.router.route(login)
    decision = await assembly.mailboxes.locate(login.user, name)
    try:
        location = await assembly.mailboxes.locations.locate(login.user, name)
    except Unavailable:
        location = None  # the decision says why
    return isinstance(decision, Refuse) or isinstance(admitted, Refuse), {
        "user": login.user,
        "mailbox": name,
        "login": _login(admitted),
        **_mailbox_decision(decision),
        **_location(config, assembly.mailboxes, location),
        **_answers(config, decision),
    }


def _login(decision: Decision) -> str:
    """Show in short what comes before all mailboxes."""
    if isinstance(decision, Refuse):
        return f"refuse: {decision.cause or decision.text}"
    if isinstance(decision, Refer) and decision.authenticated:
        return "refer, and serve what is public here"
    return decision.outcome


def _mailbox_decision(decision: MailboxDecision) -> dict[str, Any]:
    fields: dict[str, Any] = {"decision": decision.outcome}
    if isinstance(decision, ReferMailbox):
        replicas = decision.replicas
        fields |= {
            "urls": decision.urls,
            "servers": [_server(replica.server) for replica in replicas],
            "name there": _each(replica.name for replica in replicas),
            "user there": _each(replica.user for replica in replicas if replica.user),
            "personal": decision.personal or None,
        }
    elif isinstance(decision, Refuse):
        fields |= {"code": decision.code, "text": decision.text, "cause": decision.cause or None}
    return {**fields, "backend": decision.source or None}


def _each(values: Iterable[str]) -> tuple[str, ...]:
    """Give each value once, in order."""
    return tuple(dict.fromkeys(values))


def _server(server: Server) -> str:
    return f"{server} ({server.security.value})"


def _location(
    config: Config, mailboxes: Mailboxes, location: MailboxLocation | None
) -> dict[str, Any]:
    """Show what a backend said that the decision does not tell."""
    if location is None:
        return {}
    objections = [
        (replica.server, mailboxes.policy.objection(replica.server))
        for replica in location.replicas
    ]
    return {
        "left out": _each(f"{_server(server)}: {why}" for server, why in objections if why),
        "moving": location.moving or None,
        "ttl": Seconds(_kept(config, location)),
    }


def _answers(config: Config, decision: MailboxDecision) -> dict[str, str]:
    """Show what clients are told of a mailbox that is elsewhere, by the session's own rules."""
    if not isinstance(decision, ReferMailbox):
        return {}
    section = config.referral
    error = MailboxReferral(decision.urls, personal=decision.personal)
    asked, unasked = (
        Audience(asks=asks, unasked=section.mailboxes, refer_status=section.status)
        for asks in (True, False)
    )
    switch = "true" if section.status else "false"
    return {
        "asked": _line(asked.answer(error)),
        "unasked": f"{section.mailboxes}: {_unasked(section.mailboxes, unasked.answer(error))}",
        "STATUS": f"{switch}: {_line(asked.answer_to_status(error))}",
    }


def _unasked(policy: str, answer: Status) -> str:
    """Show what a client gets that has never asked for remote names."""
    if policy != "relay":
        return _line(answer)
    return f"served through this connection; without a password or token {_line(answer)}"


def _line(status: Status) -> str:
    return body(status).decode("ascii").rstrip("\r\n")


def _kept(config: Config, location: MailboxLocation) -> float:
    """Say for how long what a backend says of a mailbox is kept at most."""
    own = [each.cache_found for each in config.backends if each.name == location.source]
    for seconds in (location.ttl, *own):
        if seconds is not None:
            return seconds
    return config.directory.cache_found
