"""
NAME
    control - publish and remove records of the made-up internet

DESCRIPTION
    Listens on loopback, at the port after `TRINCO_PLAYGROUND_LISTEN`: a name server needs TCP at its own port.

PROTOCOL
    HTTP/1.1, JSON in and out, one request per connection.

    GET /zones          200 {"zones": [{"name", "note", "records": [{"name", "type", "value"}]}]}
    POST /records       {"name", "type", "value"} -> 201 the record as published; 409 {"error"} when DNS forbids it
    DELETE /records     {"name", "type"} or {"name", "type", "value"} -> 200 {"removed": n}; 404 when there was none
    POST /reports       {"name"} of a customer -> 201 {"sender", "report_id"}: one report of today was handed in;
                        409 {"error"} when it wants none, or its doors do not take it

    A TXT value is the plain text, all others are in presentation format. Errors are {"error": text}.

SECURITY
    Each request carries `Authorization: Bearer <token>` with the content of `<data>/playground.token` (mode 0600), so
    that no web page that a browser on this machine shows can drive it: 401 without.

DIAGNOSTICS
    400 malformed, 401 no token, 404 no such place or record, 409 refused by the rules of DNS, 413 more than 64 KiB.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from trinco.core.errors import TrincoError
from trinco.playground.world import Record, World

LIMIT = 65_536
DEADLINE = 5.0
"""Seconds that a request may take to arrive."""

Answer = tuple[HTTPStatus, dict[str, Any]]
Body = TypeVar("Body", bound=msgspec.Struct)


class BadRequest(TrincoError):
    """A request that the control interface does not take; the status says why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as far as it is of interest here."""

    method: str
    path: str
    authorization: str
    body: bytes


class ReportBody(msgspec.Struct, frozen=True):
    """The JSON of a wish for a report."""

    name: str


class RecordBody(msgspec.Struct, frozen=True):
    """The JSON of a record."""

    name: str
    type: str
    value: str | None = None


async def _no_reports(name: str) -> dict[str, str]:
    raise TrincoError(f"there is no sender here that would report about {name}")


@dataclass(frozen=True, slots=True)
class Control:
    """The answers. `changed` is called after each change of the world; `report` sends a report about a customer now,
    and raises TrincoError where it cannot."""

    world: World
    token: str
    changed: Callable[[], None]
    report: Callable[[str], Awaitable[dict[str, str]]] = field(default=_no_reports)

    async def answer(self, request: Request) -> Answer:
        """The status and the JSON for a request."""
        try:
            self._admit(request)
            if (request.method, request.path) == ("POST", "/reports"):
                return HTTPStatus.CREATED, await self.report(_decoded(request, ReportBody).name)
            return self._route(request)
        except BadRequest as error:
            return error.status, {"error": str(error)}
        except TrincoError as error:
            return HTTPStatus.CONFLICT, {"error": str(error)}

    def _admit(self, request: Request) -> None:
        if not hmac.compare_digest(request.authorization.encode(), f"Bearer {self.token}".encode()):
            raise BadRequest(HTTPStatus.UNAUTHORIZED, "the token of <data>/playground.token is missing")

    def _route(self, request: Request) -> Answer:
        if (request.method, request.path) == ("GET", "/zones"):
            return HTTPStatus.OK, {"zones": [self._zone(zone.origin, zone.note) for zone in self.world.zones]}
        if (request.method, request.path) == ("POST", "/records"):
            return self._publish(_decoded(request, RecordBody))
        if (request.method, request.path) == ("DELETE", "/records"):
            return self._remove(_decoded(request, RecordBody))
        raise BadRequest(HTTPStatus.NOT_FOUND, "there is GET /zones, POST /records, DELETE /records and POST /reports")

    def _zone(self, origin: str, note: str) -> dict[str, Any]:
        records = [record for record in self.world.records(origin) if record.type != "SOA"]
        return {"name": origin, "note": note, "records": [_shown(record) for record in records]}

    def _publish(self, body: RecordBody) -> Answer:
        record = Record.parse(body.name, body.type, body.value or "")
        self.world.put(record)
        self.changed()
        return HTTPStatus.CREATED, _shown(record)

    def _remove(self, body: RecordBody) -> Answer:
        # The name and the value in the spelling under which they were published.
        name, kind = body.name.strip().lower().rstrip("."), body.type.upper()
        value = None if body.value is None else Record.parse(name, kind, body.value).value
        removed = self.world.remove(name, kind, value)
        if not removed:
            raise BadRequest(HTTPStatus.NOT_FOUND, f"there is no such {kind} record at {name}")
        self.changed()
        return HTTPStatus.OK, {"removed": removed}


def _shown(record: Record) -> dict[str, str]:
    return {"name": record.name, "type": record.type, "value": record.value}


def _decoded(request: Request, wanted: type[Body]) -> Body:
    try:
        return msgspec.json.decode(request.body, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        names = ", ".join(wanted.__struct_fields__)
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"wants a JSON object with {names}: {error}") from error


@asynccontextmanager
async def listen(control: Control, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve the interface; gives the bound address. Port 0 takes a free one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(_encoded(await _answered(control, reader)))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the other side has gone, or never said what it wants
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, limit=LIMIT)
    async with server:
        bound = server.sockets[0].getsockname()
        yield bound[0], bound[1]


async def _answered(control: Control, reader: asyncio.StreamReader) -> Answer:
    try:
        async with asyncio.timeout(DEADLINE):
            request = await _request(reader)
    except BadRequest as error:
        return error.status, {"error": str(error)}
    except asyncio.LimitOverrunError:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "the header is too long"}
    return await control.answer(request)


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.split("\r\n")
    words = line.split(" ")
    if len(words) != 3:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "that is not an HTTP request")
    headers = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    body = await reader.readexactly(_length(headers.get("content-length", "0")))
    return Request(words[0], words[1], headers.get("authorization", ""), body)


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "Content-Length wants a number")
    if len(text) > 5 or int(text) > LIMIT:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"no more than {LIMIT} octets")
    return int(text)


def _encoded(answer: Answer) -> bytes:
    status, value = answer
    body = json.dumps(value).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
