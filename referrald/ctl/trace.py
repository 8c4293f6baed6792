"""Follow a user's login referrals from server to server.

Logs in at the server that is named and goes on wherever a referral leads (RFC 2221), as a mail
program would. Prints a row for each server: where it is, as whom the client comes, whether TLS
protects the connection, how it ended ("here", "referred", "refused", "unreachable", "forbidden", or
"ended" for a connection that broke off), how long it took, which capabilities there are that matter
to referrals, and what the server said. JSON has all capabilities, as they were before the login.

The password is asked for (or one line is read when the input is no terminal) and sent to the first
host, and to others that --allow names, always by TLS unless --allow-clear names the host. A host
that is neither is not connected to: the trace ends there. Of a URL only the server, the user and
the mechanism count. Nothing is opened or read, and the client logs out in the end. The password is
not shown, even where a server repeats it; a user name that is the same word is. No configuration is
needed, and none is read.

The last line is the verdict: "fine"; "loop" when a server comes again; "too many referrals" after
ten; "weaker TLS" when a server has no TLS and may not be used without; "refused target" for a host
that may not have the credentials; "login refused"; "cannot be reached", also for a connection that
broke off or a certificate that is not believed; or "the referral cannot be followed".

Exits with 0 when all is fine, and with 1 otherwise.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import attrs
from OpenSSL.crypto import Error as OpenSslError

from referrald.client import transport
from referrald.client.chain import Loop, TooManyHops
from referrald.client.connection import ImapConnection
from referrald.client.following import (
    Arrived,
    Credentials,
    Forbidden,
    LoginFollower,
    Step,
    TurnedAway,
)
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import RefusedReferral, Target
from referrald.client.replies import ConnectionEnded
from referrald.client.secretwords import SecretWords
from referrald.client.transport import NotReached, Opened, Trust, WithoutTls
from referrald.ctl.output import columns, visible
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import AuthenticationFailed, ReferraldError, UrlError
from referrald.imapurl import ImapUrl, parse

HEADINGS: Final = ("no", "server", "user", "TLS", "outcome", "ms", "offers", "said")
MATTER: Final = ("LOGIN-REFERRALS", "MAILBOX-REFERRALS", "STARTTLS", "LOGINDISABLED")
LONGEST: Final = 200
FINE: Final = "fine"
LOGIN_REFUSED: Final = "login refused"
OWN_WORDS: Final = (FINE, "loop", "too many referrals", "refused target")


def add_arguments(parser: ArgumentParser) -> None:
    """Add where to begin, as whom, and whom to trust; never the password."""
    parser.add_argument(
        "start", metavar="URL|HOST", help="where to begin: an imap:// URL, HOST or HOST:PORT"
    )
    parser.add_argument("--user", metavar="USER", help="who logs in; needed unless the URL says it")
    parser.add_argument(
        "--token", action="store_true", help="ask for a bearer token instead of a password"
    )
    parser.add_argument(
        "--allow",
        metavar="PATTERN",
        action="append",
        default=[],
        help="a host that may get the credentials besides the first, such as *.example.org; may be "
        'repeated (default: none; a referral to any other host ends with "refused target")',
    )
    parser.add_argument(
        "--allow-clear",
        metavar="PATTERN",
        action="append",
        default=[],
        help="an allowed host that may get the credentials without TLS where it offers none; may "
        "be repeated",
    )
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="believe the authorities in this file of PEM certificates, not those of the system",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive_seconds,
        default=10.0,
        help="how long to wait for each answer (default: 10)",
    )


def positive_seconds(text: str) -> float:
    """Read a number of seconds from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not isfinite(value) or value <= 0:
        raise ArgumentTypeError("a number of seconds, more than 0")
    return value


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Ask for the password, follow, and print what happened."""
    url = start_url(arguments.start, arguments.user)
    trust = read_trust(arguments.ca)
    policy = CredentialPolicy(
        origin=url.host, allowed=arguments.allow, allow_clear=arguments.allow_clear
    )
    credentials = ask_credentials(terminal, url.user or "", token=arguments.token)

    async def work(reactor: Any) -> Trace:
        follow = Tracer(reactor, credentials, policy, trust, arguments.timeout)
        return await follow.trace(url)

    trace: Trace = terminal.run(work)
    shown = trace.document(credentials.words)
    terminal.output.document(as_text(shown), shown)
    return 0 if trace.verdict == FINE else 1


def start_url(text: str, user: str | None) -> ImapUrl:
    """Give the server to begin at, and the user there; raises `Refused` where one is missing."""
    try:
        url = _parsed(text)
        named = url.user if user is None else user
        if not named:
            raise Refused("which user? --user says it, or the URL")
        if url.user not in (None, named):
            raise Refused("the URL names another user than --user")
        return attrs.evolve(url.server(), user=named)
    except UrlError as error:
        # Without the text: there may be a password in it.
        raise Refused(f"that is no server to begin at: {error.reason}") from None


def _parsed(text: str) -> ImapUrl:
    _, mark, rest = text.partition("://")
    if not mark:
        if re.search("[/@;?#%]", text):
            raise Refused("that is no server to begin at: neither an imap:// URL nor a host")
        bare = text.count(":") > 1 and not text.startswith("[")
        return parse(f"imap://[{text}]/" if bare else f"imap://{text}/")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in user:
        raise Refused("no password belongs in a URL (a : in a user is written %3A)")
    return parse(text)


def read_trust(path: str | None, certificate: str = "", key: str = "") -> Trust:
    """Read the authorities now: later, a bad file would look like a server's fault.

    Without a path they are those of the system. certificate, key: what to show to servers that ask
    for one, if anything. Raises `Refused`.
    """
    try:
        trust = Trust.from_files(ca=path or "", certificate=certificate, key=key)
        if trust != Trust():
            trust.options("localhost")
    except (ValueError, OpenSslError):
        raise Refused(f"{path or certificate}: not a file of PEM certificates") from None
    return trust


def ask_credentials(terminal: Terminal, user: str, *, token: bool = False) -> Credentials:
    """Ask for the password or token of a user; raises `Refused` for one that cannot be sent."""
    what = "token" if token else "password"
    secret = terminal.password(f"{what.capitalize()} of {user}: ")
    try:
        text = secret.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"the {what} is not UTF-8") from None
    return Credentials(user=user, token=text) if token else Credentials(user=user, password=text)


# -- on the way ------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class Seen:
    """What was found of a server before its login. secure: None until that is certain."""

    host: str
    port: int
    began: float
    secure: bool | None = None
    preauth: bool = False
    capabilities: frozenset[str] = frozenset()
    connection: ImapConnection | None = None
    step: Step | None = None


class Tracer:
    """Follows, and keeps what was seen on the way."""

    def __init__(
        self,
        reactor: Any,
        credentials: Credentials,
        policy: CredentialPolicy,
        trust: Trust,
        patience: float,
        *,
        announce: Callable[[Target], bytes] = lambda target: b"",
    ) -> None:
        self._reactor = reactor
        self._seen: list[Seen] = []
        self._follower = LoginFollower(
            reactor,
            credentials,
            policy,
            trust=trust,
            patience=patience,
            on_step=self._told,
            dial=self._dial,
            announce=announce,
        )

    async def trace(self, start: ImapUrl | Target) -> Trace:
        """Go as far as it goes; no connection is left open."""
        follower = self._follower
        try:
            if isinstance(start, Target):
                arrived = await follower.go(start)
            else:
                arrived = await follower.open(start)
        except ReferraldError as error:
            self._complete(str(error))
            verdict, reason = _verdict(error), str(error)
        else:
            await arrived.connection.logout()
            verdict, reason = FINE, _remark(arrived, self._seen[-1])
        finally:
            for seen in self._seen:
                if seen.connection is not None:
                    seen.connection.close()
        return Trace(seen=tuple(self._seen), verdict=verdict, reason=reason)

    async def _dial(
        self, reactor: Any, host: str, port: int, *, clear: bool, **more: Any
    ) -> Opened:
        """Connect, and see what is offered: the login makes the connection forget it."""
        seen = Seen(host=host, port=port, began=reactor.seconds())
        self._seen.append(seen)
        opened: Opened = await transport.connect(reactor, host, port, clear=True, **more)
        connection = seen.connection = opened.connection
        seen.preauth = opened.greeting.kind == "PREAUTH"
        seen.capabilities = connection.capabilities
        if opened.greeting.kind != "BYE":
            # With the first answer it is certain as well that the certificate is believed.
            seen.capabilities = await connection.ask_capabilities()
            if not connection.secure and not clear:
                seen.secure = False
                await connection.logout()
                raise WithoutTls(f"{_place(host, port)}: the server offers no TLS")
        seen.secure = connection.secure
        return opened

    def _told(self, step: Step) -> None:
        self._seen[-1].step = step

    def _complete(self, why: str) -> None:
        """Tell of a login that broke off: the follower does not."""
        if not self._seen or self._seen[-1].step is not None:
            return
        seen = self._seen[-1]
        seen.step = Step(
            host=seen.host,
            port=seen.port,
            user="",
            secure=bool(seen.secure),
            capabilities=seen.capabilities,
            said=why,
            outcome="ended",
            seconds=self._reactor.seconds() - seen.began,
        )


_VERDICTS: Final[Sequence[tuple[type[ReferraldError], str]]] = (
    (Loop, "loop"),
    (TooManyHops, "too many referrals"),
    (WithoutTls, "weaker TLS"),
    (NotReached, "cannot be reached"),
    (ConnectionEnded, "cannot be reached"),
    (Forbidden, "refused target"),
    (RefusedReferral, "the referral cannot be followed"),
    (AuthenticationFailed, LOGIN_REFUSED),
    (TurnedAway, LOGIN_REFUSED),
)


def _verdict(error: ReferraldError) -> str:
    for kind, verdict in _VERDICTS:
        if isinstance(error, kind):
            return verdict
    raise error


def _remark(arrived: Arrived, last: Seen) -> str:
    """Say where the client got to."""
    place = _place(last.host, last.port)
    if last.preauth:
        return f"let in at {place} without a login"
    reason = f"logged in at {place} as {arrived.target.user}"
    if arrived.elsewhere is not None:
        urls = " ".join(map(str, arrived.elsewhere.urls))
        reason += f"; the user's own mail is elsewhere: {urls}"
    return reason


# -- what is shown ---------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Trace:
    """The way that was gone, and how it ended."""

    seen: tuple[Seen, ...]
    verdict: str
    reason: str

    def document(self, secret: SecretWords) -> dict[str, Any]:
        """Give all of it as it may be shown."""
        steps = [
            _shown(number, seen, seen.step, secret)
            for number, seen in enumerate(self.seen, 1)
            if seen.step is not None
        ]
        if self.verdict == LOGIN_REFUSED:
            # The error's own words are cut, and half a password would not be found in them.
            reason = f"{steps[-1]['host']}: {steps[-1]['said']}"
        elif self.verdict in OWN_WORDS:
            reason = visible(self.reason)
        else:
            reason = shortened(secret.hide(self.reason))
        return {"steps": steps, "verdict": self.verdict, "reason": reason}


def _shown(number: int, seen: Seen, step: Step, secret: SecretWords) -> dict[str, Any]:
    return {
        "number": number,
        "host": step.host,
        "port": step.port,
        "user": step.user or None,
        "tls": seen.secure,
        "outcome": step.outcome,
        "said": shortened(secret.hide(step.said)),
        "milliseconds": round(step.seconds * 1000),
        "capabilities": sorted(map(secret.hide, seen.capabilities)),
    }


def shortened(text: str) -> str:
    """Make one line of a server's words that cannot steer the terminal."""
    line = visible(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def as_text(shown: Mapping[str, Any]) -> str:
    """Lay the rows out under their headings, and the verdict below."""
    table = columns([HEADINGS, *map(_row, shown["steps"])])
    return f"{table}\n{shown['verdict']}: {shown['reason']}\n"


def _row(step: Mapping[str, Any]) -> tuple[str, ...]:
    offers = " ".join(name for name in MATTER if name in step["capabilities"])
    return (
        str(step["number"]),
        _place(step["host"], step["port"]),
        visible(step["user"] or "-"),
        {True: "yes", False: "no", None: "-"}[step["tls"]],
        step["outcome"],
        str(step["milliseconds"]),
        offers or "-",
        step["said"] or "-",
    )
