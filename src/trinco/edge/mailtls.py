"""The TLS context for STARTTLS at the reports host, made of the certificate that the edge holds now.

RFC 3207. A context is built in a worker thread, and the one before is given out until the next is there, so that nobody
waits for a renewal and no connection waits for a key. TLS 1.2 and later; clients are not asked for certificates.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from trinco.core.errors import TrincoError
from trinco.core.hosting import Certificate
from trinco.edge import tls
from trinco.edge.ports import CertificateSource, Unsealer
from trinco.edge.sni import RETRY_AFTER

LOOK: Final = 0.5
"""Seconds between two looks for a new certificate."""
log = structlog.get_logger("trinco.edge")

Found = tuple[Certificate, Sequence[bytes]]


class MailTls:
    """Gives the context when it is called; None: there is none yet. Made by `kept`; it belongs to the event loop."""

    def __init__(self, source: CertificateSource, host: str, unseal: Unsealer) -> None:
        self._source = source
        self._host = host
        self._unseal = unseal
        self._context: ssl.SSLContext | None = None
        self._made_of: Found | None = None

    def __call__(self) -> ssl.SSLContext | None:
        return self._context

    async def look(self) -> None:
        """Build a context when the certificate is another one. Raises TrincoError when that one cannot be used."""
        found = self._source.certificate(self._host.encode("ascii"))
        if found == self._made_of:
            return
        self._context = None if found is None else await asyncio.to_thread(self._built, *found)
        self._made_of = found

    def _built(self, certificate: Certificate, issuers: Sequence[bytes]) -> ssl.SSLContext:
        return tls.server((certificate.leaf, *issuers), self._unseal(certificate.sealed_key, self._host))


@asynccontextmanager
async def kept(source: CertificateSource, host: str, unseal: Unsealer) -> AsyncIterator[MailTls]:
    """A MailTls for this host, up to date until the block is left; `unseal` is called in a thread."""
    made = MailTls(source, host, unseal)
    first = await _look(made, host)
    keeper = asyncio.create_task(_keep(made, host, LOOK if first else RETRY_AFTER))
    try:
        yield made
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep(made: MailTls, host: str, pause: float) -> None:
    while True:
        await asyncio.sleep(pause)
        pause = LOOK if await _look(made, host) else RETRY_AFTER


async def _look(made: MailTls, host: str) -> bool:
    try:
        await made.look()
    except TrincoError as error:
        log.warning("certificate_unusable", server_name=host, error=str(error))
    except Exception:
        log.exception("edge_fault")
    else:
        return True
    return False
