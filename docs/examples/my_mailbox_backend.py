"""A backend of one's own that knows of remote mailboxes: projects, each on a server.

A project's mailboxes are all below ``Projects/NAME`` and are shown to its members only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from zope.interface import implementer

from referrald.interfaces import IMailboxReferralBackend, IReferralBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Home, Login, Server

ROOT = "Projects"


@attrs.frozen
class Project:
    """Where the mail of a project is, and who takes part."""

    server: Server
    members: frozenset[str]


@implementer(IReferralBackend, IMailboxReferralBackend)
class ProjectBackend:
    """Says where the mailboxes of projects are, and nothing about users' homes."""

    def __init__(self, projects: Mapping[str, Project]) -> None:
        self.projects = dict(projects)

    async def home(self, login: Login) -> Home | None:
        """Leave the question where users live to the other backends."""
        return None

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is; None for others' projects as for what is no project."""
        root, _, rest = name.partition("/")
        project = self.projects.get(rest.partition("/")[0])
        if root != ROOT or project is None or user not in project.members:
            return None
        return MailboxLocation(replicas=(Replica(server=project.server, name=name),))

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name the projects of a user; whatever is below one is on its server as well."""
        return [
            RemoteMailbox(
                name=f"{ROOT}/{name}",
                location=MailboxLocation(
                    replicas=(Replica(server=project.server, name=f"{ROOT}/{name}"),)
                ),
                subtree=True,
            )
            for name, project in self.projects.items()
            if user in project.members
        ]
