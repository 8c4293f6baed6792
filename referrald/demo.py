"""``--demo``: a front door and a home server in one process, on loopback, without any files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from referrald.config.load import load_document
from referrald.config.settings import BackendSettings, Config
from referrald.errors import ConfigurationError
from referrald.interfaces import IMailboxReferralBackend, IPasswordStore, IReferralBackend
from referrald.mailmodel import MailboxLocation, NewMessage, RemoteMailbox, Replica
from referrald.model import Home, Login, Security, Server, StoredPassword
from referrald.service import FrontDoor

FRONT = 1143
HOME = 2143
HOST = "127.0.0.1"
PASSWORD = "wonderland"

GUIDE = """\

  A front door at {host}:{front} and a home server at {host}:{home}, until Ctrl-C.
  alice's mailbox is on the home server, bob's is at the front door. Both have the
  password "{password}". In another terminal type, word for word:

    python3 -c 'import imaplib; imaplib.IMAP4("{host}", {front}).login("alice", "{password}")'

  The front door authenticates alice and refers her client to her home. imaplib does
  not follow referrals, so its error shows the line that the front door sent:

    {referral}

  The same login at the home server shows her mailbox, and so does bob's here:

    curl -v --user alice:{password} 'imap://{host}:{home}/INBOX;MAILINDEX=1'
    curl -v --user bob:{password} 'imap://{host}:{front}/INBOX;MAILINDEX=1'

  A client that follows referrals does it by itself:

    alpine -inbox-path='{{{host}:{front}/user=alice/notls}}INBOX'

  bob has a folder "{folder}" too, which is shared, and on the home server. For most
  clients it is like any other: the front door reads it there for them.

    curl --user bob:{password} 'imap://{host}:{front}/' -X 'LIST "" *'
    curl --user bob:{password} 'imap://{host}:{front}/{folder};MAILINDEX=1'

  A client that asks for folders on other servers, as Alpine does, is sent there:

    curl --user bob:{password} 'imap://{host}:{front}/' -X 'RLIST "" *' --next \\
      -v --user bob:{password} 'imap://{host}:{front}/' -X 'SELECT {folder}'

    {folder_referral}

  There he can read it:

    curl --user bob:{password} 'imap://{host}:{home}/{folder};MAILINDEX=1'
"""

FOLDER = "Shared"
NOTICE = b"""\
From: referrald <postmaster@localhost>\r
To: everyone <everyone@localhost>\r
Subject: For everyone\r
Message-ID: <shared@localhost>\r
Content-Type: text/plain; charset=us-ascii\r
\r
Everyone reads this message, and it is on the home server only.\r
"""


@implementer(IReferralBackend, IMailboxReferralBackend, IPasswordStore)
class DemoUsers:
    """Two users with one password, and what they share that is elsewhere."""

    def __init__(self, homes: dict[str, Home], shared: tuple[RemoteMailbox, ...]) -> None:
        self.homes = homes
        self.shared = shared

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        return self.homes.get(login.user)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Give the place of a shared folder."""
        return next((each.location for each in self.shared if each.name == name), None)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name the shared folders."""
        return self.shared

    async def password(self, user: str) -> StoredPassword | None:
        """Give the one password, for the users that there are."""
        if user not in self.homes:
            return None
        return StoredPassword(scheme="PLAIN", encoded=PASSWORD.encode("ascii"))


@attrs.frozen(kw_only=True)
class DemoFactory:
    """Builds the backend of one of the two servers."""

    homes: dict[str, Home]
    shared: tuple[RemoteMailbox, ...] = ()
    name: str = "demo"
    help: str = "The users of --demo."
    options: tuple[()] = ()

    def build(self, options: Any, reactor: Any) -> DemoUsers:
        """Build it."""
        return DemoUsers(self.homes, self.shared)


def configuration(name: str, port: int, factory: DemoFactory, public: str = "") -> Config:
    """Make the configuration of one of the two servers."""
    document = {
        "server": {"name": name},
        "listener": [
            {
                "name": name,
                "endpoint": f"tcp:{port}:interface={HOST}",
                "tls": "none",
                "allow_cleartext": True,
            }
        ],
        "referral": {"allow_clear": [HOST]},
        "auth": {"sasl": False},
        "serve": {"store": "memory", "public": public},
    }
    backend = BackendSettings(name="demo", type="demo", options={}, factory=factory)
    loaded = load_document(document, "--demo", backends=(backend,))
    if loaded.config is None:
        raise ConfigurationError(loaded.problems)
    return loaded.config


class Demo(MultiService):
    """Both servers."""

    log = Logger(namespace="referrald")

    def __init__(self, reactor: Any, front: int = FRONT, home: int = HOME) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        there = Server(host=HOST, port=home, security=Security.CLEAR)
        self.ports = (front, home)
        self.servers = [
            FrontDoor(configuration("front.example", front, _front(there)), reactor, name="front"),
            FrontDoor(
                configuration("home.example", home, _home(), public=FOLDER), reactor, name="home"
            ),
        ]
        for server in self.servers:
            server.setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Start both, then say what to type."""
        super().startService()  # type: ignore[no-untyped-call]
        last: Deferred[None] = self.servers[-1].ready
        last.addCallback(lambda _: Deferred.fromCoroutine(self._furnish()))

    async def _furnish(self) -> None:
        """Put a message into the shared folder, and say what to type."""
        account = await self.servers[-1].lasting.store.account("bob")
        await account.append(FOLDER, [NewMessage(content=NOTICE)])
        self.log.info("{guide}", guide=guide(*self.ports))


def _front(there: Server) -> DemoFactory:
    replica = Replica(server=there, name=FOLDER)
    shared = RemoteMailbox(name=FOLDER, location=MailboxLocation(replicas=(replica,)))
    homes = {"alice": Home(servers=(there,)), "bob": Home()}
    return DemoFactory(homes=homes, shared=(shared,))


def _home() -> DemoFactory:
    return DemoFactory(homes={"alice": Home(), "bob": Home()})


def guide(front: int, home: int) -> str:
    """Say what to type and what will be seen."""
    url = f"imap://alice;AUTH=*@{HOST}:{home}/"
    return GUIDE.format(
        host=HOST,
        front=front,
        home=home,
        password=PASSWORD,
        referral=f"[REFERRAL {url}] Your mailbox is on another server.",
        folder=FOLDER,
        folder_referral=f"NO [REFERRAL imap://bob;AUTH=*@{HOST}:{home}/{FOLDER}] "
        f"That mailbox is on another server: {HOST}:{home}.",
    )
