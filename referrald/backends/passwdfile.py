"""The ``passwd-file`` backend: Dovecot's file of users, as it is.

Each line is ``user:password:uid:gid:gecos:home:shell:extra_fields``, and may end early.
Empty lines and lines that begin with ``#`` do not count. The password is a hash, or ``{SCHEME}``
and a hash. Extra fields are separated by spaces; those that Dovecot's passdb knows are read as it
reads them:

``host``
    The home server, a name or an IPv4 address; ``port`` its port. ``ssl=yes`` or ``any-cert`` means
    TLS, on port 993 unless ``port`` says otherwise, ``starttls=yes`` or ``any-cert`` STARTTLS. With
    neither, ``security`` of the backend counts.
``destuser``, ``user``
    The name to use there. The variables ``%u``, ``%n`` and ``%d`` are filled in.
``nologin``
    Without ``host`` nobody gets in: the login is refused with ``reason``. (Dovecot answers the
    same.) With ``host`` the user's home is there; with ``obey`` his clients are referred.
``proxy``, ``proxy_maybe``
    The user's home is ``host``; with ``obey`` his clients are relayed, as Dovecot would do it. With
    ``proxy_maybe`` a user whose ``host`` is one of ``own_hosts`` is at home here.
``host`` with none of these
    Dovecot logs the user in and suggests the other server. Here the client is referred, unless
    ``suggest`` is on.
``fail``
    The line does not count.

A user without ``host`` is at home here. Fields that only steer Dovecot's proxy, ``userdb_…`` and
``forward_…`` are passed over; ``nopassword`` too, so that it lets nobody in. ``allow_nets`` and
whatever else keeps people out is refused, as is any field that is not known, unless ``ignore``
names it. So is a user who stands in the file twice: Dovecot would take the first and complain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from referrald.backends.build import Job
from referrald.backends.filebacked import FILE, POLL, FileBackend, FileFactory
from referrald.backends.image import USER, Image
from referrald.backends.passwdfields import WHOLE_NAME
from referrald.backends.passwdformat import split_password
from referrald.backends.servers import Wrong
from referrald.backends.variables import expand, is_template
from referrald.interfaces import (
    ICheckingFactory,
    IPasswordSamples,
    IPasswordStore,
    IReferralBackend,
    IReferralBackendFactory,
)
from referrald.model import Home, Login, Option, Options, Problem, Security, StoredPassword


@implementer(IReferralBackend, IPasswordStore, IPasswordSamples)
class PasswdFileBackend(FileBackend):
    """Answers from an image of the file."""

    def __init__(self, job: Job, reactor: Any, poll: float) -> None:
        super().__init__(job, reactor, poll)
        format_ = job.options["username_format"]
        self._format = None if format_ == WHOLE_NAME else format_
        self._samples: tuple[StoredPassword, ...] = ()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user, None for one who is not in the file."""
        image = self._source.image
        place = image.seek(USER, self._name(login.user))
        return None if place is None else self._home_at(image, place, login.user)

    async def password(self, user: str) -> StoredPassword | None:
        """Give the password of a user, None when there is no such user or an empty one."""
        record = self._source.image.find(USER, self._name(user))
        if record is None or record.password is None:
            return None
        return _stored(*split_password(record.password))

    def password_samples(self) -> Sequence[StoredPassword]:
        """Give one password of each scheme in the file, the most used first."""
        return self._samples

    def watch(self, changed: Any) -> Any:
        """Have changes told, user by user when they are few and stand there with whole names."""
        if self._format is None:
            return super().watch(changed)
        return super().watch(lambda user: changed(None))

    def _name(self, user: str) -> str:
        """Give the name by which a user stands in the file."""
        return user if self._format is None else expand(self._format, user)

    def _adopt(self, image: Image) -> None:
        self._samples = tuple(_stored(*sample) for sample in image.notes["samples"])


def _stored(scheme: str, encoded: str) -> StoredPassword:
    return StoredPassword(scheme=scheme, encoded=encoded.encode("utf-8", "surrogateescape"))


@implementer(IReferralBackendFactory, ICheckingFactory)
class PasswdFileFactory(FileFactory):
    """Makes `PasswdFileBackend` objects."""

    name = "passwd-file"
    help = "Dovecot's passwd-file, with its passdb extra fields; also checks passwords."
    options = (
        FILE,
        Option(
            name="scheme",
            kind="string",
            default="CRYPT",
            help="The password scheme of hashes without a `{SCHEME}` in front.",
        ),
        Option(
            name="username_format",
            kind="string",
            default=WHOLE_NAME,
            help="How users are written in the file: `%u` with their whole names, `%n` without "
            "the domain.",
        ),
        Option(
            name="security",
            kind="choice",
            default="starttls",
            choices=tuple(security.value for security in Security),
            help="How to reach a host whose line has neither `ssl` nor `starttls`. Dovecot's proxy "
            "would go there in the clear.",
        ),
        Option(
            name="own_hosts",
            kind="strings",
            default=(),
            help="Hosts that are this very server: users with `proxy_maybe` there are served here.",
        ),
        Option(
            name="suggest",
            kind="boolean",
            default=False,
            help="Log users in who have a `host` but neither `nologin` nor `proxy`, and only "
            "suggest the host to their clients, as Dovecot does.",
        ),
        Option(
            name="obey",
            kind="boolean",
            default=False,
            help="Take `proxy` and `proxy_maybe` for the word that a user is to be relayed, and "
            "`nologin` beside `host` for the word that he is to be referred, as Dovecot does. "
            "Without it networks, listeners and `[referral] login` decide about all of them.",
        ),
        Option(
            name="ignore",
            kind="strings",
            default=(),
            help="Extra fields to pass over that would be refused otherwise.",
        ),
        POLL,
    )

    def build(self, options: Options, reactor: Any) -> PasswdFileBackend:
        """Make a backend; it reads the file when it is started."""
        return PasswdFileBackend(self._job(options), reactor, options["poll"])

    def check(self, options: Options) -> Sequence[Problem]:
        """List everything that is wrong with the file, once the options are right."""
        return tuple(_faults(options)) or super().check(options)

    def _job(self, options: Options) -> Job:
        names = ("file", "scheme", "username_format", "security", "suggest", "obey")
        lists = {name: sorted(options[name]) for name in ("own_hosts", "ignore")}
        return Job(kind=self.name, options={name: options[name] for name in names} | lists)


def _faults(options: Options) -> list[Problem]:
    """Look at the options that only this backend understands."""
    found: list[Problem] = []
    for name, right, test in (
        ("username_format", "%u, %n or another one with variables", is_template),
        ("scheme", 'such as "CRYPT" or "SHA512-CRYPT"', lambda text: text.isascii() and text),
    ):
        try:
            usable = test(options[name])
        except Wrong:
            usable = False
        if not usable:
            found.append(
                Problem(where=options["file"], key=name, wrong="cannot be used", right=right)
            )
    return found


factory = PasswdFileFactory()
