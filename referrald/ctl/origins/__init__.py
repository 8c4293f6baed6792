"""Files of other programs that say where users live: a parser for each, that says what it left out.

Each is a function of the bytes of a file, its name for messages, and what the operator wishes. It
raises nothing for a file with anything in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from referrald.ctl.origins import (
    cyrus,
    director,
    dovecotpasswd,
    dovecotsql,
    nginxconf,
    popmap,
    popmapregex,
)
from referrald.ctl.origins.found import Found, Wishes
from referrald.ctl.origins.writing import Form


@attrs.frozen(kw_only=True)
class Origin:
    """A kind of file: how it is read, and the form that its contents usually take here."""

    read: Callable[[bytes, str, Wishes], Found]
    form: Form
    help: str


ORIGINS: Mapping[str, Origin] = {
    "dovecot-passwd": Origin(
        read=dovecotpasswd.read, form="csv", help="a passwd-file with Dovecot's extra fields"
    ),
    "dovecot-sql": Origin(
        read=dovecotsql.read, form="section", help="dovecot-sql.conf.ext, for its password_query"
    ),
    "director-dump": Origin(
        read=director.read_dump, form="section", help="the output of: doveadm director dump"
    ),
    "director-map": Origin(
        read=director.read_map, form="csv", help="the output of: doveadm director map -f USERS"
    ),
    "popmap": Origin(
        read=popmap.read, form="csv", help="perdition's popmap, or the output of: makegdbm -u"
    ),
    "popmap-regex": Origin(read=popmapregex.read, form="table", help="perdition's popmap.re"),
    "nginx": Origin(
        read=nginxconf.read, form="section", help="nginx.conf, or the output of: nginx -T"
    ),
    "cyrus": Origin(
        read=cyrus.read, form="table", help="the output of: ctl_mboxlist -d, of a Cyrus murder"
    ),
}

__all__ = ["ORIGINS", "Origin"]
