"""Makes ``redis`` backends (`referrald.backends.redis.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from zope.interface import implementer

from referrald.backends.mailboxrows import is_for_many
from referrald.backends.passwdfields import WHOLE_NAME, ExtraReader
from referrald.backends.redis.connecting import access_of, connecting_faults, library_fault, problem
from referrald.backends.redis.dictionary import Dictionary, Template
from referrald.backends.redis.keys import USUAL_PREFIX, Keys, events_of, key_of
from referrald.backends.redis.options import CONNECTING, DOVECOT, DOVECOT_ONLY, READING
from referrald.backends.redis.places import read_place
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Security


@implementer(IReferralBackendFactory, ICheckingFactory)
class RedisFactory:
    """Makes backends over Redis and Valkey."""

    name = "redis"
    help = (
        "Redis or Valkey: a hash for each user, or the values of Dovecot's dict driver. Needs "
        "`referrald[redis]`."
    )
    options: Sequence[Option] = (*CONNECTING, *READING)

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; it connects when it is started."""
        from referrald.backends.redis.homes import DictBackend, KeptBackend
        from referrald.backends.redis.mailboxes import RedisMailboxes
        from referrald.backends.redis.rows import Reading

        lowercase, scheme = options["lowercase"], options["scheme"]
        if options["layout"] == DOVECOT:
            dictionary = _dictionary(options)
            source = _source(options, reactor, _told_of_values(options, dictionary.template))
            return DictBackend(source, lowercase, dictionary)
        keys = Keys(_prefix(options))
        security = options["security"]
        reading = Reading(
            security=None if security == "auto" else Security(security),
            nowhere_is_here=options["without_host"] == "here",
        )
        source = _source(options, reactor, _told_of_hashes(options, keys))
        elsewhere = RedisMailboxes(keys, reading.security) if options["mailboxes"] else None
        return KeptBackend(
            source, lowercase, keys=keys, reading=reading, scheme=scheme, mailboxes=elsewhere
        )

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong without connecting: a reload must not wait for a server."""
        missing = library_fault("type")
        if missing is not None:
            return [missing]
        return [*connecting_faults(options), *_wrong_layout(options)]


def _source(options: Options, reactor: Any, subscription: Any) -> Any:
    from referrald.backends.redis.servers import Servers
    from referrald.backends.redis.source import RedisSource

    servers = Servers([read_place(each) for each in options["servers"]], access_of(options))
    return RedisSource(servers, subscription, reactor, options["connections"])


def _prefix(options: Options) -> str:
    prefix: str | None = options["prefix"]
    if prefix is not None:
        return prefix
    return "" if options["layout"] == DOVECOT else USUAL_PREFIX


def _dictionary(options: Options) -> Dictionary:
    """Make the dictionary; raises `Wrong`."""
    security = options["security"]
    fields = {name: options[name] for name in DOVECOT_ONLY}
    fields |= {"security": Security.STARTTLS.value if security == "auto" else security}
    return Dictionary(
        template=Template(_prefix(options), options["dovecot_key"]),
        extras=ExtraReader({**fields, "username_format": WHOLE_NAME}),
        scheme=options["scheme"],
    )


def _told(options: Options) -> Callable[[bytes], str]:
    """Give what reads the name of a user that somebody tells, in whatever case."""

    def told(message: bytes) -> str:
        name = message.decode("utf-8", "replace")
        if is_for_many(name):
            return ""
        return name.lower() if options["lowercase"] else name

    return told


def _told_of_hashes(options: Options, keys: Keys) -> Any:
    from referrald.backends.redis.listening import Subscription

    kinds = ("home", "password", "mailboxes") if options["mailboxes"] else ("home", "password")
    beginnings = [f"{keys.prefix}{kind}:" for kind in kinds]
    told = _told(options)

    def user(channel: bytes, message: bytes) -> str:
        if not channel.startswith(b"__keyspace@"):
            return told(message)
        key = key_of(channel)
        name = next((key[len(each) :] for each in beginnings if key.startswith(each)), "")
        return "" if is_for_many(name) else name

    events = events_of(options["database"], beginnings) if options["keyspace_events"] else []
    channels = [each for each in dict.fromkeys((keys.changes, options["channel"])) if each]
    return Subscription(channels=channels, patterns=events, user=user)


def _told_of_values(options: Options, template: Template) -> Any:
    from referrald.backends.redis.listening import Subscription

    told = _told(options)

    def user(channel: bytes, message: bytes) -> str:
        if channel.startswith(b"__keyspace@"):
            return template.user(key_of(channel))
        return told(message)

    wanted = [template.beginning] if options["keyspace_events"] else []
    channels = [options["channel"]] if options["channel"] else []
    patterns = events_of(options["database"], wanted)
    return Subscription(channels=channels, patterns=patterns, user=user)


def _wrong_layout(options: Options) -> Iterator[Problem]:
    if not options["scheme"] or not options["scheme"].isascii():
        yield problem("scheme", Wrong("cannot be used", 'such as "SHA512-CRYPT"'))
    if options["layout"] == DOVECOT:
        try:
            _dictionary(options)
        except Wrong as error:
            yield problem("dovecot_key", error)
        if options["mailboxes"]:
            yield problem("mailboxes", Wrong("are for our own layout", "leave it out"))
        return
    for name in DOVECOT_ONLY:
        if options[name]:
            yield problem(name, Wrong("is for Dovecot's layout", 'set layout = "dovecot"'))


factory = RedisFactory()
