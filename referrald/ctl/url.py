"""Take an IMAP URL apart.

Prints the parts of an IMAP URL (RFC 5092), decoded. For a URL that is wrong it says what is wrong,
with a mark under the place.

Exits with 1 when the URL is wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from referrald.ctl.output import visible
from referrald.ctl.terminal import Terminal
from referrald.errors import UrlError
from referrald.imapurl import ImapUrl, parse
from referrald.model import IMAP_PORT


def add_arguments(parser: ArgumentParser) -> None:
    """Add the URL."""
    parser.add_argument("url", metavar="URL", help='such as "imap://alice;AUTH=*@example.org/"')


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print the parts, or what is wrong."""
    output = terminal.output
    try:
        url = parse(arguments.url)
    except UrlError as error:
        if output.json:
            output.record({"url": arguments.url, "error": error.reason, "offset": error.offset})
        else:
            # Escapes would move the mark, so what cannot be shown is a question mark here.
            shown = "".join(c if c.isprintable() else "?" for c in arguments.url)
            output.error_out.write(f"{shown}\n{' ' * error.offset}^ {visible(error.reason)}\n")
        return 1
    output.record(parts(url))
    return 0


def parts(url: ImapUrl) -> dict[str, object]:
    """Give the parts of a URL in the order in which they stand."""
    partial = None
    if url.partial is not None:
        start, length = url.partial
        partial = f"from octet {start}" + ("" if length is None else f", {length} octets")
    return {
        "url": str(url),
        "kind": url.kind,
        "user": url.user,
        "mechanism": url.authentication or "none: anonymous",
        "host": url.host,
        "port": url.port or IMAP_PORT,
        "mailbox": url.mailbox,
        "uidvalidity": url.uidvalidity,
        "search": url.search,
        "uid": url.uid,
        "section": url.section,
        "partial": partial,
        "expire": url.expire,
        "access": url.access,
        "authorised by": url.urlauth and url.urlauth[0],
    }
