"""perdition's popmap: ``key:[user@]host[:port]``, as ``makegdbm`` reads it and ``-u`` prints it.

perdition takes every character for what it is: spaces, quotes and ``#`` are parts of a name. What
``makegdbm`` would refuse, or perdition could not connect to, is left out.
"""

from __future__ import annotations

from referrald.backends.servers import Wrong, plain_text
from referrald.ctl.origins.found import Found, Wishes, line_text
from referrald.model import Home, Server

DELIMITER = "@"


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Read a file, or what ``makegdbm -u`` prints, which has a NUL behind each key and value."""
    found = Found(path=path)
    ignored = 0
    for number, line in enumerate(data.replace(b"\0", b"").split(b"\n"), 1):
        if line.rstrip(b"\r"):
            ignored += _line(found, number, line.rstrip(b"\r"), wishes)
    if ignored:
        tell_of_names(found, ignored)
    return found


def tell_of_names(found: Found, count: int) -> None:
    """Say that names before hosts mean nothing unless perdition has been told so."""
    found.note(
        0, "names", f"{count} lines have a name before the host, which is not taken over",
        "where perdition runs with username_from_database, say --names-there",
    )  # fmt: skip


def _line(found: Found, number: int, line: bytes, wishes: Wishes) -> bool:
    """Take a line; tells whether a name was passed over."""
    user = ""
    try:
        user, colon, value = line_text(line).partition(":")
        if not colon:
            raise Wrong("has no colon, so makegdbm refuses it", "key:host")
        if not user:
            raise Wrong("has no name before the colon", "key:host")
        if user != user.strip():
            raise Wrong("has a space at an end, which belongs to the name", "remove it")
        server, name = place(value, wishes)
    except Wrong as error:
        found.wrong(number, user, error)
        return False
    kept = name if wishes.names_there else None
    found.add(number, user, Home(servers=(server,), user=None if kept == user else kept))
    return name is not None and not wishes.names_there


def place(value: str, wishes: Wishes) -> tuple[Server, str | None]:
    """Read ``[user@]host[:port]``; raises `Wrong`."""
    rest, colon, port = value.rpartition(":") if ":" in value else (value, "", "")
    if DELIMITER in port:
        raise Wrong(
            "has a colon in the name, which perdition takes for that of a port", "add the port"
        )
    name, mark, host = rest.rpartition(DELIMITER)
    if not host:
        raise Wrong("has no host", "key:host")
    if host != host.strip() or port != port.strip() or (colon and not port):
        raise Wrong("has a host or port with something else beside it", "remove what is too much")
    if mark and not name:
        raise Wrong("has nothing before the @", "remove the @")
    if mark:
        plain_text(name)
    return wishes.server(host, port), name if mark else None
