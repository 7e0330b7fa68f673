"""NAME
    status_host - how a process of Trinco is: /healthz, /readyz and /metrics, for whoever watches over it

DESCRIPTION
    `/healthz`: the process answers (200, always). `/readyz`: it does its work (200), or it does not (503), in one word,
    and since when it serves what may be old (`stale_since`). `/metrics`: its numbers, as Prometheus reads them. Every
    role has a listener of its own, in plain HTTP, at an address that a setting names; without the setting there is
    none.

PROTOCOL
    HTTP/1.1 by RFC 9110 and 9112, GET and HEAD, one request a connection. The text format 0.0.4 of Prometheus.

SECURITY
    It asks nobody who they are: give it a loopback address, or one of a network of your own. Nothing of a tenant is
    said: no domain, no address, no label; numbers, and the names of edges.

DIAGNOSTICS
    `request_refused`, `connection_fault`: as those of the policy host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from trinco.edge import http1
from trinco.edge.guests import Endpoint
from trinco.edge.limits import Limits
from trinco.edge.plainhttp import visited

LIMITS: Final = Limits(connections=64, per_address=32, header=5.0, closing=1.0)
JSON: Final = b"application/json"
TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"

Words = Mapping[str, str]
"""`status` and what else there is to say, for JSON."""


class Role(Protocol):
    """A process, as it is asked how it is. Both answer at once, or block a thread that is for this alone."""

    def ready(self) -> tuple[bool, Words]:
        """Whether it does its work, and the words for that."""

    def metrics(self) -> bytes:
        """Its numbers, in the text format."""


def answer(role: Role, request: http1.Request) -> http1.Response:
    """The response to a request."""
    page = _PAGES.get(request.target.partition(b"?")[0])
    if page is None:
        return http1.plain(HTTPStatus.NOT_FOUND)
    return page(role) if request.method in http1.METHODS else http1.NOT_ALLOWED


def _healthz(_role: Role) -> http1.Response:
    return http1.response(HTTPStatus.OK, msgspec.json.encode({"status": "live"}), media_type=JSON)


def _readyz(role: Role) -> http1.Response:
    ready, words = role.ready()
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return http1.response(status, msgspec.json.encode(words), media_type=JSON)


def _metrics(role: Role) -> http1.Response:
    return http1.response(HTTPStatus.OK, role.metrics(), media_type=TEXT)


_PAGES: Mapping[bytes, Callable[[Role], http1.Response]] = {
    b"/healthz": _healthz,
    b"/readyz": _readyz,
    b"/metrics": _metrics,
}


@asynccontextmanager
async def listen(
    role: Role, endpoints: Sequence[Endpoint], *, limits: Limits = LIMITS
) -> AsyncIterator[list[Endpoint]]:
    """Answer until the block is left; gives what is bound, a port for each port 0. OSError when one is taken."""
    async with visited(lambda request: answer(role, request), endpoints, limits) as bound:
        yield bound
