"""From the server name in a ClientHello to the certificate for it, before any cryptography and from memory alone.

`peek` reads the name out of the octets themselves, so that a stranger who asks for a name that is not hosted costs a
look into one dict. `Table` holds what may be asked for. `Contexts` keeps TLS contexts ready, which are too large to be
kept for everybody. RFC 6066 section 3 (server_name), RFC 8446 sections 4.1.2, 4.2.1 and 5.1 (ClientHello, versions,
records).
"""

from __future__ import annotations

import asyncio
import struct
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from trinco.core.errors import InputError, TrincoError
from trinco.core.hosting import Certificate, Change, HostedDomain, Publication
from trinco.edge.limits import Limits, Log, clock
from trinco.edge.ports import CertificateSource, Unsealer
from trinco.edge.tls import Alert, Builder, Context

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _SUPPORTED_VERSIONS = 0, 43
_RECORD = struct.Struct(">BBBH").unpack_from
_EXTENSION = struct.Struct(">HH").unpack_from
_NAME_LIST = struct.Struct(">HBH").unpack_from
_UINT16 = struct.Struct(">H").unpack_from
_MAX_RECORD = 1 << 14
_MAX_RECORDS = 64
"""Records that one hello may be cut into: more is no client's way of writing, and each is looked at again and again."""
RETRY_AFTER = 10.0
"""Seconds until a certificate that could not be used is tried again."""
_BEFORE_SESSION_ID = 4 + 2 + 32
"""Octets of the handshake header, the version and the random."""


class BadHello(InputError):
    """These octets do not begin a TLS conversation. `alert` is what RFC 8446 section 6.2 has for them."""

    def __init__(self, reason: str, alert: Alert = Alert.DECODE_ERROR) -> None:
        super().__init__(reason)
        self.alert = alert


class Hello(NamedTuple):
    """What is read of a ClientHello. `server_name` is in lower case, and empty where there is none or it is garbage."""

    server_name: bytes
    tls13: bool
    """TLS 1.3 is among the versions offered."""


def peek(data: bytes, limit: int) -> Hello | None:
    """The hello that begins `data`, over however many records; None while it is not whole. Raises BadHello.

    A hello that says that it is longer than `limit` octets is refused before the rest of it has come.
    """
    message = _message(data, limit)
    if message is None:
        return None
    try:
        return _hello(message)
    except (IndexError, struct.error):
        raise BadHello("lengths that do not add up") from None


def _message(data: bytes, limit: int) -> bytes | None:
    """The handshake message in the records at the start of `data`."""
    end = _record_end(data, 0)
    if end is None:
        return None
    message, records = data[5:end], 1
    while _missing(message, limit):
        begin, end = end, _record_end(data, end)
        if end is None:
            return None
        records += 1
        if records > _MAX_RECORDS:
            raise BadHello("a hello in too many records")
        message += data[begin + 5 : end]
    return message


def _record_end(data: bytes, begin: int) -> int | None:
    """Where the handshake record at `begin` ends; None while it is not whole."""
    if len(data) < begin + 5:
        if len(data) > begin and data[begin] != _HANDSHAKE:
            raise BadHello("not a TLS handshake", Alert.UNEXPECTED_MESSAGE)
        return None
    kind, major, _, length = _RECORD(data, begin)
    if kind != _HANDSHAKE:
        raise BadHello("not a TLS handshake", Alert.UNEXPECTED_MESSAGE)
    if major != 3 or not length:
        raise BadHello("not a TLS record")
    if length > _MAX_RECORD:
        raise BadHello("a record beyond 2^14 octets", Alert.RECORD_OVERFLOW)
    end: int = begin + 5 + length
    return end if len(data) >= end else None


def _missing(message: bytes, limit: int) -> int:
    """How many octets of the message are still to come, as far as can be told."""
    if message[0] != _CLIENT_HELLO:
        raise BadHello("not a ClientHello", Alert.UNEXPECTED_MESSAGE)
    if len(message) < 4:
        return 4 - len(message)
    length = 4 + int.from_bytes(message[1:4], "big")
    if length > limit:
        raise BadHello("a hello beyond the limit")
    if length < len(message):
        raise BadHello("more than a hello")
    return length - len(message)


def _hello(message: bytes) -> Hello:
    """Walk until both are found; the rest is the engine's to check. IndexError, struct.error: it ends too early."""
    at = _BEFORE_SESSION_ID
    at += 1 + message[at]
    at += 2 + _UINT16(message, at)[0]
    at += 1 + message[at]
    if at == len(message):
        return Hello(b"", False)
    end = at + 2 + _UINT16(message, at)[0]
    at += 2
    if end != len(message):
        raise IndexError
    name, tls13 = b"", False
    while at < end and not (name and tls13):
        kind, length = _EXTENSION(message, at)
        begin, at = at + 4, at + 4 + length
        if kind == _SERVER_NAME:
            name = _server_name(message[begin:at])
        elif kind == _SUPPORTED_VERSIONS:
            tls13 = _offers_tls13(message[begin + 1 : at])
    if at > end:
        raise IndexError
    return Hello(name, tls13)


def _offers_tls13(versions: bytes) -> bool:
    """Whether 0x0304 is one of these pairs of octets."""
    at = versions.find(b"\x03\x04")
    while at > 0 and at & 1:
        at = versions.find(b"\x03\x04", at + 1)
    return at >= 0


def _server_name(extension: bytes) -> bytes:
    """The one host_name of the extension (RFC 6066 section 3), or nothing where it is not built like that."""
    length = len(extension) - 5
    if length < 1 or _NAME_LIST(extension) != (length + 3, 0, length):
        return b""
    return extension[5:].lower()


class Table:
    """What one edge serves, by the name of the policy host: a PolicySource, a CertificateSource and a ThumbprintSource.

    A domain without a policy is not in it. Where two labels claim one name, the later revision has it. The reports host
    has a certificate and no policy. It belongs to the thread of the event loop.
    """

    def __init__(self, publication: Publication) -> None:
        self._hosts: dict[bytes, HostedDomain] = {}
        self._labels: dict[str, bytes] = {}
        self._chains = dict(publication.chains)
        self._zone = publication.zone
        for hosted in publication.domains.values():
            self._enter(hosted)

    def __len__(self) -> int:
        return len(self._hosts)

    def apply(self, change: Change) -> None:
        """Take a change over, in place: the next connection sees it."""
        if change.whole:
            self._hosts, self._labels, self._chains = {}, {}, {}
        self._chains.update(change.chains)
        self._zone = change.zone
        for label in change.removed:
            self._remove(label)
        for hosted in change.changed:
            self._remove(hosted.label)
            self._enter(hosted)

    def hosted(self, policy_host: bytes) -> HostedDomain | None:
        return self._hosts.get(policy_host)

    def certificate(self, server_name: bytes) -> tuple[Certificate, Sequence[bytes]] | None:
        hosted = self._hosts.get(server_name)
        certificate = hosted.certificate if hosted is not None else self._own(server_name)
        if certificate is None:
            return None
        return certificate, self._chains.get(certificate.chain, ())

    def thumbprint(self, host: bytes) -> str:
        return self._zone.thumbprint if host in self._hosts or host.decode("ascii") in self._zone.own_hosts else ""

    def _own(self, server_name: bytes) -> Certificate | None:
        own = self._zone.reports_certificate
        return own if own is not None and self._zone.reports_host.encode("ascii") == server_name else None

    def _enter(self, hosted: HostedDomain) -> None:
        if hosted.policy is None:
            return
        host = b"mta-sts." + hosted.domain.ascii.encode("ascii")
        rival = self._hosts.get(host)
        if rival is None or rival.revision <= hosted.revision:
            self._hosts[host] = hosted
            self._labels[hosted.label] = host

    def _remove(self, label: str) -> None:
        host = self._labels.pop(label, b"")
        hosted = self._hosts.get(host)
        if hosted is not None and hosted.label == label:
            del self._hosts[host]


class ContextUnavailable(TrincoError):
    """There is a certificate, but no context can be had for it now."""


class _Ready(NamedTuple):
    """What became of a certificate. Without a context: it could not be used, and is tried again at `retry_at`."""

    certificate: Certificate
    context: Context | None
    retry_at: float


class _Flight(NamedTuple):
    certificate: Certificate
    future: asyncio.Future[Context]


class Contexts:
    """TLS contexts by server name: those asked for last are ready, others are built when they are asked for.

    Building takes a millisecond or two, so a worker thread does it, one flight for each name, while that client alone
    waits; the private key is unsealed there and then. A context is good for the certificate that it was built from:
    when the source has another one, the next client gets that.
    """

    def __init__(self, source: CertificateSource, builder: Builder, unseal: Unsealer, limits: Limits) -> None:
        self._source = source
        self._builder = builder
        self._unseal = unseal
        self._limits = limits
        self._ready: OrderedDict[bytes, _Ready] = OrderedDict()
        self._flights: dict[bytes, _Flight] = {}
        self._loop = asyncio.get_running_loop()
        self._now = clock()
        self._log = Log(limits, self._now)
        self._worker = ThreadPoolExecutor(1, "trinco-contexts")

    def __len__(self) -> int:
        return len(self._ready)

    def get(self, server_name: bytes) -> Context | asyncio.Future[Context] | None:
        """The context, or a future of it; None for a name that is not hosted. Raises ContextUnavailable."""
        found = self._source.certificate(server_name)
        ready = self._ready.get(server_name)
        if found is None:
            if ready is not None:
                del self._ready[server_name]
            return None
        if ready is None or (ready.certificate is not found[0] and ready.certificate != found[0]):
            return self._flight(server_name, *found)
        if ready.context is not None:
            self._ready.move_to_end(server_name)
            return ready.context
        if ready.retry_at > self._now():
            raise ContextUnavailable("its certificate could not be used")
        return self._flight(server_name, *found)

    async def close(self) -> None:
        """Give up what is being built, and wait for the worker to end."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._worker.shutdown)

    def _flight(
        self, server_name: bytes, certificate: Certificate, issuers: Sequence[bytes]
    ) -> asyncio.Future[Context]:
        flight = self._flights.get(server_name)
        if flight is not None and flight.certificate == certificate:
            return flight.future
        if len(self._flights) >= self._limits.builds:
            raise ContextUnavailable("too many are being built")
        future = self._loop.run_in_executor(self._worker, self._made, server_name, certificate, issuers)
        self._flights[server_name] = _Flight(certificate, future)
        future.add_done_callback(lambda future: self._landed(server_name, certificate, future))
        return future

    def _made(self, server_name: bytes, certificate: Certificate, issuers: Sequence[bytes]) -> Context:
        """In the worker: unseal the key and build. Raises TrincoError."""
        key = self._unseal(certificate.sealed_key, server_name.decode("ascii"))
        return self._builder.build((certificate.leaf, *issuers), key)

    def _landed(self, server_name: bytes, certificate: Certificate, future: asyncio.Future[Context]) -> None:
        flight = self._flights.get(server_name)
        if flight is not None and flight.future is future:
            del self._flights[server_name]
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._log.line("certificate_unusable", server_name=server_name, error=str(error))
        context = None if error is not None else future.result()
        self._keep(server_name, _Ready(certificate, context, self._now() + RETRY_AFTER))

    def _keep(self, server_name: bytes, ready: _Ready) -> None:
        self._ready[server_name] = ready
        self._ready.move_to_end(server_name)
        if len(self._ready) > self._limits.contexts:
            _, oldest = self._ready.popitem(last=False)
            if oldest.context is not None:
                self._builder.retire(oldest.context)
