"""ENVELOPE and BODYSTRUCTURE of a message (RFC 3501 section 7.4.2)."""

from __future__ import annotations

from typing import Final

from referrald.mime import headers
from referrald.mime.addresses import Address, addresses
from referrald.mime.headers import MediaType, Parameters
from referrald.mime.parts import Part
from referrald.wire.response import Wire, nstring, number, paren_list, string

NIL: Final = nstring(None)
ASCII: Final = ((b"charset", b"us-ascii"),)
"""What text without a charset is in (RFC 2045 section 5.2)."""


def envelope(message: Part) -> Wire:
    """Render the envelope: what the header says, in the order of the RFC."""
    said = {field.name: field for field in reversed(message.fields)}

    def value(name: bytes) -> Wire:
        return nstring(said[name].value if name in said else None)

    def people(name: bytes, otherwise: Wire = NIL) -> Wire:
        found = addresses(said[name].value) if name in said else []
        return Wire(b"(" + b"".join(map(_address, found)) + b")") if found else otherwise

    sender = people(b"from")
    return paren_list(
        value(b"date"),
        value(b"subject"),
        sender,
        people(b"sender", sender),
        people(b"reply-to", sender),
        people(b"to"),
        people(b"cc"),
        people(b"bcc"),
        value(b"in-reply-to"),
        value(b"message-id"),
    )


def _address(address: Address) -> Wire:
    return paren_list(
        nstring(address.name),
        nstring(address.route),
        nstring(address.mailbox),
        nstring(address.host),
    )


def body_structure(part: Part, extended: bool) -> Wire:
    """Render BODYSTRUCTURE, or BODY when not ``extended``."""
    if part.children:
        return _multipart(part, extended)
    return _single(part, extended)


def _multipart(part: Part, extended: bool) -> Wire:
    inner = Wire(b"".join(body_structure(child, extended) for child in part.children))
    items = [inner, string(part.type.sub)]
    if extended:
        items += [_parameters(part.type.parameters), *_disposition_and_on(part)]
    return paren_list(*items)


def _single(part: Part, extended: bool) -> Wire:
    kind = part.type
    items = [
        string(kind.main),
        string(kind.sub),
        _parameters(_with_charset(kind)),
        nstring(part.field(b"content-id")),
        nstring(part.field(b"content-description")),
        string(headers.token(part.field(b"content-transfer-encoding")) or b"7BIT"),
        number(part.size),
    ]
    embedded = part.embedded
    if embedded is not None:
        items += [envelope(embedded), body_structure(embedded, extended), number(part.lines)]
    elif kind.is_(b"text"):
        items.append(number(part.lines))
    if extended:
        items += [nstring(part.field(b"content-md5")), *_disposition_and_on(part)]
    return paren_list(*items)


def _with_charset(kind: MediaType) -> Parameters:
    if kind.is_(b"text") and kind.parameter(b"charset") is None:
        return (*kind.parameters, *ASCII)
    return kind.parameters


def _parameters(parameters: Parameters) -> Wire:
    if not parameters:
        return NIL
    return paren_list(*(string(text) for pair in parameters for text in pair))


def _disposition_and_on(part: Part) -> list[Wire]:
    """Render disposition, language and location, which end every kind of part."""
    shown = headers.disposition(part.field(b"content-disposition"))
    dispose = NIL if shown is None else paren_list(string(shown[0]), _parameters(shown[1]))
    languages = [string(each) for each in headers.languages(part.field(b"content-language"))]
    return [
        dispose,
        paren_list(*languages) if languages else NIL,
        nstring(part.field(b"content-location")),
    ]
