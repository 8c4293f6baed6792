"""A name server with one zone: ``python -m tests.interop.nameserver PORT FILE``.

The file has a record a line: a name, then the record as `tests.backends.zone` has them. It is read
anew for each question.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from tests.backends.zone import Records, rrset


class Zone:
    """Answers from a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self) -> Records:
        """Give what the file says now."""
        found: Records = {}
        for line in self._path.read_text().splitlines():
            name, record = line.split(" ", 1)
            found.setdefault(name, []).append(record)
        return found

    def answer(self, data: bytes) -> bytes:
        """Answer a question."""
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        (asked,) = query.question
        name, records = asked.name.to_text(omit_final_dot=True).lower(), self.records()
        if name not in records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            found = rrset(name, dns.rdatatype.to_text(asked.rdtype), records[name])
            response.answer = [] if found is None else [found]
        return response.to_wire()


class Datagrams(DatagramProtocol):
    """Questions by UDP."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def datagramReceived(self, data: bytes, where: Any) -> None:
        """Answer."""
        self.transport.write(self._zone.answer(data), where)


def main() -> None:
    """Listen by UDP on the loopback address; by TCP it only shows that it is there."""
    port, path = sys.argv[1:]
    where: Any = reactor
    where.listenUDP(int(port), Datagrams(Zone(Path(path))), "127.0.0.1")
    there = Factory()
    there.protocol = Protocol
    where.listenTCP(int(port), there, interface="127.0.0.1")
    where.run()


if __name__ == "__main__":
    main()
