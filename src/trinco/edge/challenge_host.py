"""NAME
    challenge_host - the answer to certificate authorities that ask whether a name is ours, over plain HTTP

DESCRIPTION
    Answers `GET http://<host>/.well-known/acme-challenge/<token>` with `<token>.<thumbprint>`, for the policy hosts of
    the domains that are served and for our own hosts, and everything else with an error. Nothing is kept for a token:
    the thumbprint is that of the installation's account key, and whoever holds another key learns nothing from it. So
    every edge answers at once, and goes on without the panel and without the database.

PROTOCOL
    RFC 8555 section 8.3 (HTTP-01). The port is 80 out in the world, and used for nothing else: there is no redirect to
    HTTPS, since nothing that a sender asks for is here. HTTP/1.1 by RFC 9110 and 9112, one request a connection.

SECURITY
    Whoever could have this answered for a name that is not hosted could get a certificate for it with our account: a
    host is looked up among those served, and a token is 1 to 128 characters of base 64 for URLs, so that nothing else
    is ever said back. An edge that may be behind answers all the same: its thumbprint cannot be outdated, and no policy
    is served here. Connections have the deadlines and numbers of the policy host.

DIAGNOSTICS
    `request_refused`, `connection_fault`: as those of the policy host.

BUGS
    There is one account key for all authorities. A key that one of them refused could not be changed for it alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from trinco.edge import http1
from trinco.edge.guests import Endpoint
from trinco.edge.limits import Limits
from trinco.edge.plainhttp import visited
from trinco.edge.ports import ThumbprintSource

LIMITS: Final = Limits(connections=1024, per_address=64, header=5.0, closing=1.0)
"""An authority asks from a handful of addresses, and all that it sends fits one packet."""
_PATH = re.compile(rb"/\.well-known/acme-challenge/([A-Za-z0-9_-]{1,128})")


def answer(source: ThumbprintSource, request: http1.Request) -> http1.Response:
    """The response to a request. Pure."""
    match = _PATH.fullmatch(request.target)
    if match is None or request.method != b"GET" or request.host is None:
        return http1.plain(HTTPStatus.NOT_FOUND)
    thumbprint = source.thumbprint(request.host)
    if not thumbprint:
        return http1.plain(HTTPStatus.NOT_FOUND)
    return http1.response(HTTPStatus.OK, match[1] + b"." + thumbprint.encode("ascii"))


@asynccontextmanager
async def listen(
    source: ThumbprintSource, endpoints: Sequence[Endpoint], *, limits: Limits = LIMITS
) -> AsyncIterator[list[Endpoint]]:
    """Answer until the block is left; gives what is bound, a port for each port 0. OSError when one is taken."""
    async with visited(lambda request: answer(source, request), endpoints, limits) as bound:
        yield bound
