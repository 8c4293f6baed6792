"""IMAP URLs (RFC 5092): parse, resolve, write, and make those that referrals carry.

Pure: no reactor, no policy, nothing of the house but its errors.
"""

from referrald.imapurl.hosts import canonical as canonical_host
from referrald.imapurl.parsing import parse, resolve
from referrald.imapurl.referral import (
    in_response_code,
    login_name,
    login_referral,
    mailbox_referral,
)
from referrald.imapurl.url import ImapUrl, Kind

__all__ = [
    "ImapUrl",
    "Kind",
    "canonical_host",
    "in_response_code",
    "login_name",
    "login_referral",
    "mailbox_referral",
    "parse",
    "resolve",
]
