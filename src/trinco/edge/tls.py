"""The TLS engine: octets of the peer in, plaintext and octets for the peer out, no socket and no clock.

`Engine` and `Context` are the interface, so that another library can take the place of the one here, which is the
standard library's `ssl` on a MemoryBIO. What every implementation promises, and the tests hold it to: TLS 1.2 and 1.3
alone, forward secrecy and AEAD, ALPN `http/1.1`, no renegotiation, no compression, and no resumption of any kind, since
a sender comes once a day: no tickets, no session cache (RFC 8446 section 2.2, RFC 5246 section 7.4.1.2).
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Protocol

from trinco.core.errors import TrincoError
from trinco.net.certfile import file_of

CIPHERS_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
ALPN = "http/1.1"
_RECORD = 1 << 14
_KIND = 27
"""Octets of a PKCS #8 key that hold its algorithm and, of an elliptic key, the curve (RFC 5208 section 5)."""


class Alert(IntEnum):
    """Descriptions of RFC 8446 section 6 that are sent without an engine."""

    UNEXPECTED_MESSAGE = 10
    RECORD_OVERFLOW = 22
    DECODE_ERROR = 50
    INTERNAL_ERROR = 80
    UNRECOGNIZED_NAME = 112


def fatal(alert: Alert) -> bytes:
    """The record of a fatal alert before any key is agreed on (RFC 8446 sections 5.1 and 6)."""
    return b"\x15\x03\x03\x00\x02\x02" + bytes((alert,))


class TlsFailure(TrincoError):
    """The peer broke the protocol, or agrees to nothing that we offer, or a certificate cannot be used."""


class Engine(Protocol):
    """One connection's TLS."""

    established: bool
    """The handshake is done."""
    ended: bool
    """The peer has said close_notify: nothing more comes from it."""

    def receive(self, data: bytes) -> bytes:
        """The plaintext in the peer's octets, maybe none yet. Raises TlsFailure, for which `outgoing` has an alert."""

    def send(self, plaintext: bytes) -> None:
        """Encrypt this for the peer. The handshake must be done."""

    def close(self) -> None:
        """Say close_notify. The peer's own is not waited for (RFC 8446 section 6.1)."""

    def outgoing(self) -> bytes:
        """Take the octets for the peer."""


class Context(Protocol):
    """What is common to all connections that are shown one certificate."""

    def engine(self, *, tls13: bool) -> Engine:
        """An engine for one connection. `tls13`: the peer's hello offers TLS 1.3."""


class Builder(Protocol):
    """Makes contexts."""

    def build(self, certificates: Sequence[bytes], key: bytes) -> Context:
        """A context of certificates (DER, the end entity's first) and the key (PKCS #8 DER). Raises TlsFailure.

        Blocking: called in a worker thread, in one at a time.
        """

    def retire(self, context: Context) -> None:
        """No more connections begin with this context: another may be made out of it."""


class OpenSslEngine:
    """The standard library's engine."""

    __slots__ = ("_base", "_incoming", "_object", "_outgoing", "ended", "established")

    def __init__(self, context: ssl.SSLContext, base: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = base.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._base = base
        if base is not context:
            self._object.context = context
        self.established = False
        self.ended = False

    def receive(self, data: bytes) -> bytes:
        self._incoming.write(data)
        plaintext = b""
        try:
            if not self.established:
                self._object.do_handshake()
                self.established = True
            while self._incoming.pending and not self.ended:
                piece = self._object.read(_RECORD)
                self.ended = not piece
                plaintext += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise TlsFailure(error.reason or "broken") from None
        return plaintext

    def send(self, plaintext: bytes) -> None:
        self._object.write(plaintext)

    def close(self) -> None:
        try:  # noqa: SIM105 - measurably faster
            self._object.unwrap()
        except ssl.SSLError:
            pass  # want read: the peer has not said its own; others: it was broken before

    def outgoing(self) -> bytes:
        return self._outgoing.read()


class OpenSslContext:
    """The standard library's context.

    OpenSSL keeps TLS 1.2 sessions for resumption in the context that a connection begins with, twenty thousand of them,
    and the `ssl` module has no switch for that. So a connection without TLS 1.3 begins with a context of its own, which
    goes when it goes; TLS 1.3 keeps nothing when no tickets are given.
    """

    __slots__ = ("context", "kind")

    def __init__(self, context: ssl.SSLContext, kind: bytes) -> None:
        self.context = context
        self.kind = kind
        """What the key begins with, its algorithm among that."""

    def engine(self, *, tls13: bool) -> OpenSslEngine:
        return OpenSslEngine(self.context, self.context if tls13 else _settings())


class OpenSslBuilder:
    """Makes contexts of the standard library.

    A new context costs a fifth of what loading a certificate into it costs, so that a retired one is loaded anew.
    OpenSSL has a place for one certificate of each kind of key, of which it shows the one that suits the peer: only a
    certificate of the same kind takes the old one's place. Conversations that are under way have their own copy.
    """

    def __init__(self) -> None:
        self._retired: deque[OpenSslContext] = deque(maxlen=8)

    def build(self, certificates: Sequence[bytes], key: bytes) -> OpenSslContext:
        kind = key[:_KIND]
        context = self._used(kind) or _settings()
        _load(context, certificates, key)
        return OpenSslContext(context, kind)

    def retire(self, context: Context) -> None:
        if isinstance(context, OpenSslContext):
            self._retired.append(context)

    def _used(self, kind: bytes) -> ssl.SSLContext | None:
        """A retired context that had a key of this kind."""
        with suppress(IndexError):
            retired = self._retired.pop()
            return retired.context if retired.kind == kind else None
        return None


def server(certificates: Sequence[bytes], key: bytes) -> ssl.SSLContext:
    """A context for servers of other protocols than HTTP: the same settings without ALPN. As `Builder.build`."""
    context = _common()
    _load(context, certificates, key)
    return context


def _settings() -> ssl.SSLContext:
    context = _common()
    context.set_alpn_protocols([ALPN])
    return context


def _common() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers(CIPHERS_TLS12)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    return context


def _load(context: ssl.SSLContext, certificates: Sequence[bytes], key: bytes) -> None:
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, certificates)) + _pem_key(key)
    try:
        with file_of(pem.encode("ascii")) as path:
            context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise TlsFailure(f"certificate or key: {error.reason or 'cannot be read'}") from None
    except OSError as error:
        raise TlsFailure(f"no file for a certificate: {error.strerror}") from None


def _pem_key(key: bytes) -> str:
    text = ssl.DER_cert_to_PEM_cert(key)  # the same armour, under another heading
    return text.replace(" CERTIFICATE-", " PRIVATE KEY-")
