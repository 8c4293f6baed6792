"""Path segments: merge with a base, take dot segments away (RFC 3986 section 5.2)."""

from __future__ import annotations

import re

from referrald.imapurl.found import Piece

_DOTS = re.compile(r"/\.{1,2}(?=[/?]|$)")
_QUERY = re.compile(r"[?#]")
_SLASH = re.compile("/")


def merge(base: str, reference: Piece) -> Piece:
    """Give the path that ``reference`` means below ``base``, which begins with a slash."""
    if reference.text.startswith("/"):
        return remove_dots(reference)
    directory = base.partition("?")[0]
    if reference.text.startswith("?"):
        return _behind(directory, reference)
    return remove_dots(_behind(directory[: directory.rindex("/") + 1], reference))


def _behind(start: str, piece: Piece) -> Piece:
    """Put a text of the base before ``piece``; what is wrong there is told with the first place."""
    return Piece(start + piece.text, [piece.places[0]] * len(start) + [*piece.places])


def remove_dots(piece: Piece) -> Piece:
    """Take away ``.`` and ``..`` segments.

    One at the end takes its slash with it: ``/foo/;UID=20/..`` is ``/foo`` (RFC 5092 section 9.1).
    """
    if not _DOTS.search(piece.text):
        return piece
    path, query = piece.split(_QUERY)
    kept: list[Piece] = []
    while path:
        # Each segment with the slash before it.
        segment, path = path.part(1).split(_SLASH)
        name = segment.text
        if name == "..":
            del kept[-1:]
        elif name != ".":
            kept.append(segment)
    return _join(kept, query)


def _join(segments: list[Piece], query: Piece) -> Piece:
    text = "".join(f"/{segment.text}" for segment in segments) or "/"
    places: list[int] = []
    for segment in segments:
        # A segment that came from the base has no slash of its own in the reference.
        places += [max(0, segment.places[0] - 1), *segment.places[:-1]]
    places = places or [query.places[0]]
    return Piece(text + query.text, [*places, *query.places])
