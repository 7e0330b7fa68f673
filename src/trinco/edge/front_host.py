"""NAME
    front_host - the policies in plain HTTP, for a front of the operator's own that terminates TLS

DESCRIPTION
    A web server that holds the public certificates (Caddy, nginx, HAProxy: docs/fronts.md) passes requests for
    `mta-sts.<domain>` on to here, with the Host that it was asked for, and gets what the policy host would answer.
    `GET /ask?domain=mta-sts.<domain>` is 200 for a name that is served here and 404 for any other: a front that gets
    certificates when somebody connects asks that first. All of it comes from memory, with the database away too. The
    setting names the address; without it there is none.

PROTOCOL
    RFC 8461 section 3.3 as `edge.policy_host`, whose answers these are. HTTP/1.1 by RFC 9110 and 9112, one request a
    connection. What a front asks of us itself comes with another Host than that of a policy host.

SECURITY
    There is no TLS and nobody is asked who they are: give it a loopback address, or one of a network of your own. What
    it says is public. An edge that may be behind (`admit()` is false) answers 503, which a sender takes for no policy
    and keeps the one it has; a front may ask the next edge. Which names there are is not fenced. Forwarding headers are
    not read: a front is one peer with all its connections, and has to limit those who come to it itself. As at the
    policy host connections are bounded, each with a request here, and nothing is counted by time: what a front asks,
    strangers ask by their handshakes, and a flood of made-up names would use up what a new domain's certificate needs.

DIAGNOSTICS
    `request_refused`, `connection_fault`: as those of the policy host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from trinco.edge import http1, policy_host
from trinco.edge.guests import Endpoint
from trinco.edge.limits import Limits
from trinco.edge.plainhttp import visited
from trinco.edge.ports import PolicySource

LIMITS: Final = Limits(connections=2048, per_address=2048, header=5.0, closing=1.0)
"""All comes from one address, or a few."""
_PREFIX: Final = b"mta-sts."
_ASK: Final = b"/ask"


def answer(source: PolicySource, admit: Callable[[], bool], request: http1.Request) -> http1.Response:
    """The response to a request of a front. It changes nothing."""
    if request.host is None or not request.host.startswith(_PREFIX):
        return _asked(source, request)
    if not admit():
        return http1.plain(HTTPStatus.SERVICE_UNAVAILABLE)
    return policy_host.answer(source, request, request.host)


def _asked(source: PolicySource, request: http1.Request) -> http1.Response:
    """Whether a certificate may be had for a name: what a front asks before it orders one."""
    path, _, query = request.target.partition(b"?")
    known = path == _ASK and request.method in http1.METHODS and source.hosted(_domain(query)) is not None
    return http1.plain(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)


def _domain(query: bytes) -> bytes:
    """The one `domain` that the query names, in lower case; nothing where there is none, several or garbage."""
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=8)
        (name,) = [value for key, value in pairs if key == "domain"]
        return name.encode("ascii").lower().removesuffix(b".")
    except ValueError:
        return b""


@asynccontextmanager
async def listen(
    source: PolicySource, endpoints: Sequence[Endpoint], *, admit: Callable[[], bool], limits: Limits = LIMITS
) -> AsyncIterator[list[Endpoint]]:
    """Answer until the block is left; gives what is bound, a port for each port 0. OSError when one is taken."""
    async with visited(lambda request: answer(source, admit, request), endpoints, limits) as bound:
        yield bound
