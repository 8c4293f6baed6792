"""Records of DNS for tests, and a resolver that answers from them as dnspython's does."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.resolver
import dns.rrset

Records = dict[str, list[str]]
"""Records as zone files have them, such as ``300 SRV 0 0 993 mail.example.org.``, by name."""


def srv(target: str, port: int, priority: int = 0, weight: int = 0, ttl: int = 300) -> str:
    """Write an SRV record."""
    return f"{ttl} SRV {priority} {weight} {port} {target}."


def txt(text: str, ttl: int = 300) -> str:
    """Write a TXT record, in strings of 255 bytes."""
    pieces = [f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)]
    return f"{ttl} TXT {' '.join(pieces)}"


class Found:
    """An answer; ``rrset`` is None where there are no such records."""

    def __init__(self, rrset: Any, response: Any) -> None:
        self.rrset = rrset
        self.response = response


class FakeResolver:
    """Answers at once, from records; ``broken`` names fail with an error of their own."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.broken: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.validates = False

    def resolve(self, name: str, kind: str, raise_on_no_answer: bool = True) -> Found:
        """Look records up."""
        query = dns.message.make_query(name, kind)
        response = dns.message.make_response(query)
        if self.validates:
            response.flags |= dns.flags.AD
        name = name.removesuffix(".")
        self.asked.append(name)
        if name in self.broken:
            raise self.broken[name]
        if name not in self.records:
            asked = query.question[0].name
            raise dns.resolver.NXDOMAIN(qnames=[asked], responses={asked: response})
        return Found(rrset(name, kind, self.records[name]), response)


def rrset(name: str, kind: str, records: list[str]) -> Any:
    """Make the set of the records of a kind; None without any."""
    parts = [each.split(" ", 2) for each in records]
    found = [(int(ttl), text) for ttl, its_kind, text in parts if its_kind == kind]
    if not found:
        return None
    ttl = min(ttl for ttl, _ in found)
    return dns.rrset.from_text(name + ".", ttl, "IN", kind, *(text for _, text in found))
