"""Makes ``etcd`` and ``consul`` backends, whose library is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from zope.interface import implementer

from referrald.backends.checking import library_faults, problem
from referrald.backends.http.connecting import (
    CONNECTING,
    PRIVATE,
    connecting_faults,
    is_private,
    make_client,
)
from referrald.backends.keyvalue.keys import check_prefix
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem
from referrald.workers import WorkerPool

FEW = 2
"""Questions at a time for the watch."""

SERVERS: Final = Option(
    name="servers", kind="strings", required=True,
    help="`https://HOST:PORT` of each, or `http://` on the loopback address; any may be asked.",
)  # fmt: skip
KEYS: Final = (
    Option(
        name="prefix", kind="string", default="referrald/homes/",
        help="What stands in front of users' names in their keys; ends with a slash.",
    ),
    Option(
        name="history", kind="string", default="referrald/history/",
        help="The same for the keys of the history that `referralctl home` keeps.",
    ),
)  # fmt: skip
MAILBOXES: Final = Option(
    name="mailboxes", kind="boolean", default=False,
    help="Values say of single mailboxes as well that they are on other servers.",
)  # fmt: skip
IN_PARTS: Final = Option(
    name="in_parts", kind="boolean", default=False,
    help="Let `referralctl home` make a change of more users than a transaction has room for in "
    "several; what was made is undone when one of them fails.",
)  # fmt: skip


class KeyValueFactory:
    """What both kinds have in common."""

    options: Sequence[Option]

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; it connects when it is started."""
        client, close = make_client(options, reactor)
        return self.make(options, client, close, reactor)

    def make(self, options: Options, client: Any, close: Callable[[], Any], reactor: Any) -> Any:
        """Make a backend that asks by an `HTTPClient` of treq; ``close`` ends its connections."""
        from referrald.backends.http.asking import Questions
        from referrald.backends.keyvalue.backend import KeyValueBackend
        from referrald.backends.keyvalue.keys import Values
        from referrald.backends.keyvalue.servers import Servers
        from referrald.backends.keyvalue.writing import Writer

        def servers(at_once: int) -> Servers:
            timeout = options["timeout"]
            asking = Questions(client, reactor, timeout=timeout, at_once=at_once)
            return Servers(asking, options["servers"])

        pool = WorkerPool(reactor, workers=1, name="keyvalue")
        store = self.store(options, servers(options["connections"]), servers(FEW), pool, reactor)
        writer = Writer(
            store=store,
            pool=pool,
            values=Values(),
            prefix=options["prefix"],
            history=options["history"],
            most=options["transaction"],
            in_parts=options["in_parts"],
        )
        return KeyValueBackend(writer, pool, reactor, close, options["mailboxes"])

    def store(self, options: Options, servers: Any, watching: Any, pool: Any, reactor: Any) -> Any:
        """Make the store."""
        raise NotImplementedError

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        missing = [*library_faults("treq", "http")]
        return missing or [*_faults(options), *self.faults(options)]

    def faults(self, options: Options) -> Iterator[Problem]:
        """List what is wrong with those of this kind."""
        raise NotImplementedError


@implementer(IReferralBackendFactory, ICheckingFactory)
class EtcdFactory(KeyValueFactory):
    """Makes backends over etcd."""

    name = "etcd"
    help = "A key for each user in etcd. Needs `referrald[http]`."
    options = (
        SERVERS,
        *KEYS,
        MAILBOXES,
        Option(
            name="user", kind="string", default="",
            help="Whom to log in as, where etcd has users.",
        ),
        Option(name="password", kind="secret", default="", help="The password."),
        *CONNECTING,
        Option(
            name="transaction", kind="integer", default=128, minimum=2, maximum=100_000,
            help="How many operations etcd takes at once: its own `--max-txn-ops`.",
        ),
        IN_PARTS,
    )  # fmt: skip

    def store(self, options: Options, servers: Any, watching: Any, pool: Any, reactor: Any) -> Any:
        """Make the store."""
        from referrald.backends.keyvalue.etcd import EtcdStore

        return EtcdStore(
            servers, watching, pool, prefix=options["prefix"], most=options["transaction"],
            seconds=reactor.seconds, user=options["user"], password=options["password"],
        )  # fmt: skip

    def faults(self, options: Options) -> Iterator[Problem]:
        """Tell of a user without a password, and the other way round."""
        if bool(options["user"]) != bool(options["password"]):
            key = "user" if options["user"] else "password"
            yield problem(key, Wrong("is of no use alone", "give both user and password"))


@implementer(IReferralBackendFactory, ICheckingFactory)
class ConsulFactory(KeyValueFactory):
    """Makes backends over Consul."""

    name = "consul"
    help = "A key for each user in Consul. Needs `referrald[http]`."
    options = (
        SERVERS,
        *KEYS,
        MAILBOXES,
        Option(name="token", kind="secret", default="", help="The token for Consul's ACLs."),
        Option(
            name="datacenter", kind="string", default="",
            help="Whose keys and values, where that is not the agent's own datacenter.",
        ),
        *CONNECTING,
        Option(
            name="transaction", kind="integer", default=64, minimum=2, maximum=128,
            help="How many operations Consul takes at once: 64, or 128 from version 1.14 on.",
        ),
        IN_PARTS,
    )  # fmt: skip

    def store(self, options: Options, servers: Any, watching: Any, pool: Any, reactor: Any) -> Any:
        """Make the store."""
        from referrald.backends.keyvalue.consul import ConsulStore

        return ConsulStore(
            servers, watching, pool, prefix=options["prefix"],
            most=options["transaction"], token=options["token"],
            datacenter=options["datacenter"],
        )  # fmt: skip

    def faults(self, options: Options) -> Iterator[Problem]:
        """Tell of keys with a slash in front, and of a token that is none."""
        for key in ("prefix", "history"):
            if options[key].startswith("/"):
                wrong = Wrong("begins with a slash, as no key does in Consul", "leave it out")
                yield problem(key, wrong)
        if any(not " " < char < "\x7f" for char in options["token"]):
            yield problem("token", Wrong("has something in it that no token has"))


def _faults(options: Options) -> Iterator[Problem]:
    for server in options["servers"]:
        if not _is_server(server):
            yield problem("servers", Wrong(f'"{server}" is not usable', PRIVATE))
    if not options["servers"]:
        yield problem("servers", Wrong("is empty", PRIVATE))
    for key in ("prefix", "history"):
        try:
            check_prefix(options[key])
        except Wrong as error:
            yield problem(key, error)
    prefix, history = options["prefix"], options["history"]
    if prefix.startswith(history) or history.startswith(prefix):
        yield problem("history", Wrong("is not apart from prefix", 'such as "referrald/history/"'))
    yield from connecting_faults(options)


def _is_server(url: str) -> bool:
    if not is_private(url):
        return False
    parts = urlsplit(url)
    return not parts.query and not parts.fragment


etcd = EtcdFactory()
consul = ConsulFactory()
