"""An IMAP client for Twisted that follows login and mailbox referrals, and only where it may."""

from referrald.client.chain import Loop, TooManyHops
from referrald.client.connection import ImapConnection
from referrald.client.endpoint import HomeEndpoint, home_endpoint
from referrald.client.following import (
    Arrived,
    Credentials,
    Forbidden,
    LoginFollower,
    Step,
    TurnedAway,
)
from referrald.client.mail import Found, Listed, NotCopied, ReferralClient
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import RefusedReferral
from referrald.client.replies import ConnectionEnded, NotAccepted, Reply
from referrald.client.transport import NotReached, Trust

__all__ = [
    "Arrived",
    "ConnectionEnded",
    "CredentialPolicy",
    "Credentials",
    "Forbidden",
    "Found",
    "HomeEndpoint",
    "ImapConnection",
    "Listed",
    "LoginFollower",
    "Loop",
    "NotAccepted",
    "NotCopied",
    "NotReached",
    "ReferralClient",
    "RefusedReferral",
    "Reply",
    "Step",
    "TooManyHops",
    "Trust",
    "TurnedAway",
    "home_endpoint",
]
