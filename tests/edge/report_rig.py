"""A policy host with a door for reports, and a desk that remembers what it was handed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from tests.edge.policy_rig import Rig, drained, hosted, publication
from tests.edge.publications import ZONE
from tests.support_tls import Authority

from trinco.core.errors import Refused
from trinco.core.hosting import HostedDomain, Publication
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import https
from trinco.edge.exchange import House
from trinco.edge.limits import Limits
from trinco.edge.report_host import ReportDoor
from trinco.edge.sni import Table

HOST, TOKEN, NAME = ZONE.reports_host, "l0123456789abcdefghij", "um.example"
PATH = f"/v1/tlsrpt/{TOKEN}"
GZIP, JSON = "application/tlsrpt+gzip", "application/tlsrpt+json"
REPORT = json.dumps({"organization-name": "Um", "report-id": "1", "policies": []}).encode()


@dataclass
class Desk:
    """A `trinco.edge.ports.ReportDesk`. What `accept` waits for, or raises, is the test's to say."""

    arrivals: list[Arrival] = field(default_factory=list)
    refusal: Exception | None = None
    gate: Callable[[], Any] | None = None
    """Gives what to await before anything is accepted."""
    waiting: int = 0

    def known(self, token: str) -> bool:
        return token == TOKEN

    async def accept(self, arrival: Arrival) -> None:
        self.waiting += 1
        try:
            if self.gate is not None:
                await self.gate()
            if self.refusal is not None:
                raise self.refusal
            self.arrivals.append(arrival)
        finally:
            self.waiting -= 1


@dataclass
class ReportRig(Rig):
    """A running listener for policies and reports."""

    desk: Desk = field(default_factory=Desk)

    houses: list[House] = field(default_factory=list)

    def held(self) -> int:
        """Octets of content that the listener counts. In its loop's thread: `rig.do(rig.held)`."""
        return self.houses[0].held

    def house(self, *arguments: Any) -> House:
        self.houses.append(House(*arguments))
        return self.houses[-1]

    def post(self, *pieces: bytes, host: str = HOST) -> bytes:
        """All that is answered to these octets at this server name, until the host closes."""
        with self.secure_for(host) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return drained(connection)


def served(authority: Authority, *domains: HostedDomain) -> Publication:
    """These domains, and the reports host with its certificate."""
    made = publication(*(domains or (hosted(authority, NAME),)), issuers=authority.issuers)
    return replace(made, zone=replace(ZONE, reports_certificate=authority.certificate(HOST)))


@contextmanager
def running(authority: Authority, limits: Limits | None = None, **options: Any) -> Iterator[ReportRig]:
    desk = Desk()
    rig = ReportRig(
        Table(served(authority)),
        authority,
        limits or Limits(),
        desk=desk,
        reports=ReportDoor(desk, HOST),
        **options,
    )
    with patch.object(https, "House", rig.house), rig.running():
        yield rig


def head(*fields: str, method: str = "POST", path: str = PATH, host: str = HOST, version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", f"Host: {host}", *fields, "", ""]).encode()


def post(content: bytes, *fields: str, media_type: str = JSON, **line: str) -> bytes:
    """A request with content of a said length."""
    return head(f"Content-Type: {media_type}", f"Content-Length: {len(content)}", *fields, **line) + content


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    """This content in these chunks."""
    sized = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join([*sized, b"0\r\n", trailer, b"\r\n"])


def post_chunked(body: bytes, *fields: str, media_type: str = JSON, **line: str) -> bytes:
    """A request whose content is already in chunks."""
    return head(f"Content-Type: {media_type}", "Transfer-Encoding: chunked", *fields, **line) + body


def refusal(status: int, reason: str = "the reason") -> Refused:
    return Refused(reason, http_status=status, smtp_reply="450 " + reason)
