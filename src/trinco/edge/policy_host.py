"""NAME
    policy_host - the MTA-STS policy of every hosted domain, over HTTPS

DESCRIPTION
    Answers `GET` and `HEAD` of `https://mta-sts.<domain>/.well-known/mta-sts.txt` with the domain's policy, and nothing
    else with anything but an error. Everything is in memory: the names, the certificates, the policies. It goes on
    without the panel and without the database, from the last Publication that the edge was given.

PROTOCOL
    RFC 8461 sections 3.2 (media type, CRLF), 3.3 (the one path, 200 alone, never a redirect, no HTTP caching) and 7
    (SNI, TLS 1.2 and later). HTTP/1.1 by RFC 9110 and 9112. There are no 206 and 304: `Range` and `If-*` are not looked
    at, as a sender takes 200 alone. A request is answered for the name that the TLS connection was made for: another
    Host is 421.

SECURITY
    The name is read out of the ClientHello before any cryptography; one that is not hosted, none at all and garbage get
    the alert `unrecognized_name` and cost one look into a dict. Private keys rest sealed and are opened in a worker
    thread when a context is built. Forwarding headers are not read: a peer is the address that the connection has.
    Each phase of a connection has a deadline that no octet extends; an address, and all together, have a number of
    connections, and the one that waited longest makes room.
    An edge that may be behind (`admit()` is false) aborts connections: a sender then keeps the policy that it has.

DIAGNOSTICS
    `hello_refused`, `tls_failed`, `request_refused`: what a stranger did wrong; `certificate_unusable`: a key or
    certificate of ours that does not load; `connection_fault`: a fault of this program. At most one line for each, and
    a few a second in all; `withheld=` says how many were not written.

BUGS
    A client that offers ALPN protocols without `http/1.1` is not refused during the handshake, but gets no protocol.
    Content of a request is never read: it is refused (413, or 411 without a length), and the connection ends. Reports
    are taken by the same listener, at the name of the reports host (`edge.report_host`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Protocol

from trinco.edge import https, tls
from trinco.edge.guests import Endpoint
from trinco.edge.http1 import METHODS, NOT_ALLOWED, Request, Response, plain, response
from trinco.edge.limits import Limits
from trinco.edge.ports import CertificateSource, PolicySource, Unsealer
from trinco.edge.report_host import ReportDoor
from trinco.edge.sni import Contexts
from trinco.edge.tally import Tally

PATH = b"/.well-known/mta-sts.txt"


class Source(PolicySource, CertificateSource, Protocol):
    """Where policies and certificates come from."""


def answer(source: PolicySource, request: Request, server_name: bytes) -> Response:
    """The response to a request over a connection for `server_name`."""
    if request.host is not None and request.host != server_name:
        return plain(HTTPStatus.MISDIRECTED_REQUEST)
    hosted = source.hosted(server_name)
    if hosted is None or hosted.policy is None or (request.target != PATH and request.target.startswith(b"/")):
        return plain(HTTPStatus.NOT_FOUND)
    if request.method not in METHODS or request.target != PATH:
        return NOT_ALLOWED
    return _policy(hosted.policy)


@lru_cache(4096)
def _policy(body: bytes) -> Response:
    """Made once for each body: a changed policy is another body."""
    return response(HTTPStatus.OK, body)


def _always() -> bool:
    return True


def _service(source: PolicySource, admit: Callable[[], bool], reports: ReportDoor | None) -> https.Service:
    policies = partial(answer, source)
    if reports is None:
        return https.Service(policies, admit)
    door = reports

    def both(request: Request, server_name: bytes) -> Response:
        return door.answer(request) if server_name == door.host else policies(request, server_name)

    return https.Service(both, admit, door)


@asynccontextmanager
async def listen(  # noqa: PLR0913 - one listener for both hosts
    source: Source,
    endpoints: Sequence[Endpoint],
    *,
    unseal: Unsealer,
    limits: Limits | None = None,
    admit: Callable[[], bool] = _always,
    reports: ReportDoor | None = None,
    tally: Tally | None = None,
) -> AsyncIterator[list[Endpoint]]:
    """Serve the policies of `source` until the block is left; gives what is bound. OSError when an endpoint is taken.

    A connection is aborted, before anything is said, while `admit()` is false. `source` may change at any time.
    `reports` has the name of the reports host, whatever `admit()` says. `tally` counts.
    """
    limits = limits or Limits()
    service = replace(_service(source, admit, reports), tally=tally or Tally())
    contexts = Contexts(source, tls.OpenSslBuilder(), unseal, limits)
    try:
        async with https.listen(endpoints, contexts, service, limits) as bound:
            yield bound
    finally:
        await contexts.close()
