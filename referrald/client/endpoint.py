"""An endpoint whose connections are logged in at the right home already, for any Twisted program.

client = await home_endpoint(reactor, url, credentials).connect(Factory.forProtocol(IMAP4Client))
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.mail.imap4 import IMAP4Client
from zope.interface import implementer

from referrald.client.following import Credentials, LoginFollower
from referrald.client.policy import CredentialPolicy
from referrald.client.transport import Trust
from referrald.imapurl import ImapUrl, parse


@implementer(IStreamClientEndpoint)
class HomeEndpoint:
    """Connects where an account is."""

    def __init__(self, follower: LoginFollower, url: ImapUrl) -> None:
        self._follower = follower
        self._url = url

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Give a protocol of the factory over a connection that is logged in.

        An `IMAP4Client` is in the authenticated state then. Fails with what `LoginFollower.open`
        raises.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        arrived = await self._follower.open(self._url)
        connection = arrived.connection
        protocol = factory.buildProtocol(connection.transport.getPeer())
        if isinstance(protocol, IMAP4Client):
            protocol.state = "AUTH"
        connection.hand_over(protocol)
        return protocol


def home_endpoint(
    reactor: Any,
    url: ImapUrl | str,
    credentials: Credentials,
    *,
    policy: CredentialPolicy | None = None,
    trust: Trust | None = None,
) -> HomeEndpoint:
    """Make an endpoint that starts at the server of ``url`` and follows login referrals.

    policy: which servers may get the credentials; None means the one of the URL and no other.
    trust: whose certificates are believed; None means the system's.
    """
    start = parse(url) if isinstance(url, str) else url
    policy = policy or CredentialPolicy(origin=start.host)
    return HomeEndpoint(LoginFollower(reactor, credentials, policy, trust=trust), start.server())
