"""NAME
    report_host - the HTTPS door for TLS reports

DESCRIPTION
    Takes `POST https://<reports host>/v1/tlsrpt/<token>` with a report as its content, and hands what came to a desk
    (`edge.ports.ReportDesk`). 201 is said when the desk has made it durable, never before. It is served by the listener
    of the policy host, at its own server name.

PROTOCOL
    RFC 8460 section 5.4: `application/tlsrpt+gzip` or `application/tlsrpt+json`. HTTP/1.1 by RFC 9110 and 9112: content
    of a said length or in chunks, at most 10 MiB; `Expect: 100-continue` is answered. What the head alone decides is
    said before any content is read: 404 (no such token), 405, 413, 415, 421. Then 400 for what cannot be a report, and
    from the desk 404, 429, 503; the last two with Retry-After (section 5.5: a sender tries again for a day).
    `Content-Encoding: gzip` is accepted and left as it is: what the content is, the reader of reports sees by itself.

SECURITY
    Nobody is authenticated: the token is public in DNS and only says whose report it is. Nothing is parsed here, beyond
    the first octet. Content has deadlines, a least rate, and a bound for all connections together; when it is reached,
    whoever holds the most of it gives way (503). Forwarding headers are not read.
    No report may beget a report: our zone has no `_smtp._tls` and no `_mta-sts` at the reports host.

DIAGNOSTICS
    `request_refused reason=...`: what was wrong, without the token; at most a few lines a second. `connection_fault`: a
    fault of this program, for which the sender gets 503.

BUGS
    A sender that hangs up before it has read 201 sends the report again, and both are kept until they are read.
    The media type is not compared with the content.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from trinco.core.errors import Refused
from trinco.core.tlsrpt.archive import MAX_PACKED
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge.http1 import Request, Response, explained, plain, response
from trinco.edge.ports import ReportDesk

LARGEST: Final = MAX_PACKED
MEDIA_TYPES: Final = (b"application/tlsrpt+gzip", b"application/tlsrpt+json")
CODINGS: Final = (b"", b"identity", b"gzip", b"x-gzip")

_PATH = re.compile(rb"/v1/tlsrpt/([0-9A-Za-z]{1,64})")
_REPORT = re.compile(rb"\x1f\x8b|(?:\xef\xbb\xbf)?[ \t\r\n]*\{")
"""How gzip and a JSON object begin, the latter maybe after a byte order mark."""
_NOT_ALLOWED = response(HTTPStatus.METHOD_NOT_ALLOWED, b"405 Method Not Allowed\r\n", b"Allow: POST")
_OTHER_TYPE = response(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    b"415 Unsupported Media Type: wants application/tlsrpt+gzip or application/tlsrpt+json\r\n",
    b"Accept: " + b", ".join(MEDIA_TYPES),
)
_OTHER_CODING = response(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    b"415 Unsupported Media Type: another content coding than gzip\r\n",
    b"Accept-Encoding: gzip, identity",
)


class ReportDoor:
    """The door at one host name, an `edge.exchange.Receiver`. It belongs to the event loop."""

    def __init__(self, desk: ReportDesk, host: str) -> None:
        self._desk = desk
        self.host = host.lower().removesuffix(".").encode("ascii")

    def answer(self, request: Request) -> Response:
        """The response to a request without content."""
        return self._turned_away(request) or explained(HTTPStatus.BAD_REQUEST, "no content")

    def admits(self, request: Request) -> int | Response:
        """How many octets of content may come, or why none is worth reading."""
        return self._turned_away(request) or LARGEST

    async def receive(self, request: Request, content: bytes, peer: str) -> Response:
        """Hand the report in. 201 when that is durable."""
        problem = _problem(content)
        if problem:
            return explained(HTTPStatus.BAD_REQUEST, problem)
        arrival = Arrival(
            id=uuid4().hex,
            token=_token(request) or "",
            channel=Channel.HTTPS,
            received_at=time.time(),
            body=content,
            peer=peer,
            media_type=_media_type(request.fields).decode("ascii"),
        )
        try:
            await self._desk.accept(arrival)
        except Refused as refusal:
            return explained(refusal.http_status or HTTPStatus.SERVICE_UNAVAILABLE, refusal.reason)
        return plain(HTTPStatus.CREATED)

    def _turned_away(self, request: Request) -> Response | None:
        """What the head alone decides, in the order in which a sender could mend it."""
        if request.host is not None and request.host != self.host:
            return plain(HTTPStatus.MISDIRECTED_REQUEST)
        token = _token(request)
        if token is None or not self._desk.known(token):
            return plain(HTTPStatus.NOT_FOUND)
        if request.method != b"POST":
            return _NOT_ALLOWED
        if _media_type(request.fields) not in MEDIA_TYPES:
            return _OTHER_TYPE
        if request.fields.get(b"content-encoding", b"").lower() not in CODINGS:
            return _OTHER_CODING
        return None


def _token(request: Request) -> str | None:
    match = _PATH.fullmatch(request.target)
    return match[1].decode("ascii").lower() if match else None


def _media_type(fields: Mapping[bytes, bytes]) -> bytes:
    """Without parameters, in lower case (RFC 9110 section 8.3.1)."""
    return fields.get(b"content-type", b"").partition(b";")[0].strip(b" \t").lower()


def _problem(content: bytes) -> str:
    """Why this cannot be a report, whoever reads it."""
    if not content:
        return "no content"
    return "" if _REPORT.match(content) else "neither gzip nor JSON"
