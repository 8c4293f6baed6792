"""A terminal in memory, and an assembly whose answers the test chooses."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from referrald.config import plugins
from referrald.config.settings import Config
from referrald.ctl import assembly
from referrald.ctl.main import make_parser, run
from referrald.ctl.output import Output
from referrald.ctl.terminal import Terminal
from referrald.errors import Unavailable
from referrald.mailmodel import MailboxDecision, MailboxEntry, MailboxLocation, RemoteMailbox
from referrald.model import Decision, Home, Login, Serve
from referrald.routing.policy import PolicySettings

CONFIG = """
[server]
name = "imap.example.org"

[[listener]]
endpoint = "tcp:143"
tls = "none"
allow_cleartext = true

[auth]
checkers = ["memory:alice:hush"]

[log]
logins = "logins.log"

[[backend]]
name = "users"
"""


@attrs.frozen(kw_only=True)
class Found:
    """What `Directory.explain` gives."""

    home: Home | None = None
    source: str = ""
    age: float | None = 0.0
    kept: float = 60.0
    stale: bool = False
    cached: bool = False


class FakeLocations:
    """What backends say of single mailboxes."""

    def __init__(self) -> None:
        self.known: dict[str, MailboxLocation] = {}
        self.down: Exception | None = None
        self.asked: list[tuple[str, str]] = []

    async def locate(self, user: str, name: str) -> MailboxLocation | None:
        self.asked.append((user, name))
        if self.down is not None:
            raise self.down
        return self.known.get(name)


class FakeMailboxes:
    """Stands for the router of mailboxes; what is not decided about is served."""

    def __init__(self) -> None:
        self.locations = FakeLocations()
        self.policy = PolicySettings()
        self.decisions: dict[str, MailboxDecision] = {}
        self.listed: list[RemoteMailbox] = []
        self.down: Exception | None = None

    async def locate(self, user: str, name: str) -> MailboxDecision:
        return self.decisions.get(name, Serve())

    async def remote(self, user: str) -> Sequence[RemoteMailbox]:
        if self.down is not None:
            raise self.down
        return self.listed


class FakeAccount:
    """A user's own mailboxes."""

    delimiter = "/"

    def __init__(self) -> None:
        self.local = [MailboxEntry(name="INBOX")]
        self.subscribed: frozenset[str] = frozenset()

    async def entries(self) -> Sequence[MailboxEntry]:
        return self.local

    async def subscriptions(self) -> frozenset[str]:
        return self.subscribed


class FakeAssembly:
    """Stands for the server's assembly and all of its parts."""

    def __init__(self) -> None:
        self.decision: Decision = Serve()
        self.found = Found()
        self.answer = b""
        self.fault: Exception | None = None
        self.down: Exception | None = None
        self.steps: list[str] = []
        self.logins: list[Login] = []
        self.lines: list[bytes] = []
        self.config: Config | None = None
        self.authenticator = self.directory = self.router = self
        self.mailboxes = FakeMailboxes()
        self.mail: FakeAccount | None = FakeAccount()
        self.accounts: list[str] = []
        self.backends: list[tuple[str, Any]] = []

    def assemble(self, config: Config, reactor: Any) -> FakeAssembly:
        self.config = config
        return self

    def normalise(self, user: str) -> str:
        if not user:
            raise ValueError("empty or too long")
        return user.lower()

    async def start(self) -> None:
        self.steps.append("start")

    async def stop(self) -> None:
        self.steps.append("stop")

    async def route(self, login: Login) -> Decision:
        self.logins.append(login)
        if self.fault is not None:
            raise self.fault
        return self.decision

    async def explain(self, login: Login) -> Found:
        if self.down is not None:
            raise self.down
        return self.found

    async def account(self, user: str) -> FakeAccount:
        self.accounts.append(user)
        if self.mail is None:
            raise Unavailable("this server keeps no mailboxes")
        return self.mail

    async def transcript(self, lines: Sequence[bytes]) -> bytes:
        self.lines += lines
        return self.answer


class TypedIn(io.StringIO):
    """Input from a person; what ``ask`` gives is listed apart."""

    def isatty(self) -> bool:
        return True


class CtlTestCase(SynchronousTestCase):
    """Runs referralctl in memory, with a configuration whose backend type is a fake."""

    def setUp(self) -> None:
        self.patch(plugins, "BUILT_IN", {"fake": "tests.config.fakes:factory"})
        self.patch(plugins, "entry_points", lambda group: ())
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.write("r.toml", CONFIG + 'type = "fake"\n')
        self.assembly = FakeAssembly()
        self.patch(assembly, "assemble", self.assembly.assemble)
        self.typed: list[str] = []
        self.prompts: list[str] = []

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self.typed:
            raise EOFError
        return self.typed.pop(0)

    def wait(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def doing() -> Any:
            return await work(MemoryReactorClock())

        outcome: list[Any] = []
        ensureDeferred(doing()).addBoth(outcome.append)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    def run_ctl(self, *words: str, piped: str | None = None) -> tuple[int, str, str]:
        """Run a command; gives exit code, output and errors."""
        arguments = make_parser().parse_args(["-c", self.file, *words])
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(
            output=Output(out=out, error_out=err, json=arguments.format == "json"),
            input=TypedIn() if piped is None else io.StringIO(piped),
            ask=self.ask,
            run=self.wait,
        )
        code = run(arguments, terminal)
        return code, out.getvalue(), err.getvalue()

    def run_json(self, *words: str, piped: str | None = None) -> tuple[int, Any]:
        """Run a command that prints JSON; gives exit code and value."""
        code, out, err = self.run_ctl("--format", "json", *words, piped=piped)
        self.assertEqual(err, "")
        return code, json.loads(out)
