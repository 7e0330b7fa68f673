"""The standard library's TLS client, whose octets are carried by hand to an engine under test."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
from tests.support_tls import HOST, Authority

from trinco.edge.tls import Context, Engine


class Client:
    """The standard library's client, whose octets are carried by hand."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=HOST, session=session)

    def step(self, octets: bytes) -> bytes:
        """Take these in, and give what is to be sent."""
        self._incoming.write(octets)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    def say(self, plaintext: bytes) -> bytes:
        self.tls.write(plaintext)
        return self._outgoing.read()

    def hear(self, octets: bytes) -> bytes:
        self._incoming.write(octets)
        return self.tls.read(65536)

    def close(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()


def shaken(context: Context, client: Client, *, tls13: bool = True) -> Engine:
    """An engine whose handshake with the client is done."""
    engine = context.engine(tls13=tls13)
    assert engine.receive(client.step(b"")) == b""
    for _ in range(2):
        engine.receive(client.step(engine.outgoing()))
    assert engine.established
    client.step(engine.outgoing())
    return engine


def of_version(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    return context


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
