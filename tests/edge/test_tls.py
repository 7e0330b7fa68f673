"""What every TLS engine promises, said once for all of them."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.edge.tls_client import V12, V13, Client, of_version, shaken
from tests.support_tls import HOST, Authority, der_key, new_key

from trinco.edge import tls
from trinco.edge.tls import Alert, Builder, Context, OpenSslBuilder, TlsFailure


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module", params=[OpenSslBuilder], ids=["openssl"])
def builder(request: pytest.FixtureRequest) -> Builder:
    """Every engine's."""
    made: Builder = request.param()
    return made


@pytest.fixture(scope="module")
def context(authority: Authority, builder: Builder) -> Context:
    leaf, key = authority.leaf(HOST)
    return builder.build((leaf, *authority.issuers), key)


class TestConversation:
    """RFC 8461 section 7: SNI is sent, TLS 1.2 or later is spoken, and the chain leads to a root that senders know."""

    @pytest.mark.parametrize("version", [V12, V13])
    def test_plaintext_in_both_directions(
        self, authority: Authority, context: Context, version: ssl.TLSVersion
    ) -> None:
        client = Client(of_version(authority, version))
        engine = shaken(context, client, tls13=version is V13)
        assert engine.receive(client.say(b"ask") + client.say(b"ing")) == b"asking"
        engine.send(b"answer")
        assert client.hear(engine.outgoing()) == b"answer"
        assert client.tls.selected_alpn_protocol() == "http/1.1"

    def test_octet_by_octet(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        engine = shaken(context, client)
        heard = [engine.receive(bytes((octet,))) for octet in client.say(b"slow")]
        assert b"".join(heard) == b"slow"
        assert heard[-1] == b"slow"

    def test_the_whole_chain_is_shown(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        shaken(context, client)
        assert client.tls.getpeercert() is not None

    def test_a_large_answer_comes_whole(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        engine = shaken(context, client)
        engine.send(b"x" * 100_000)
        client._incoming.write(engine.outgoing())
        assert sum(len(client.tls.read(65536)) for _ in range(7)) == 100_000

    def test_the_handshake_and_the_request_may_come_at_once(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        engine = context.engine(tls13=True)
        engine.receive(client.step(b""))
        finished = client.step(engine.outgoing())
        assert engine.receive(finished + client.say(b"GET")) == b"GET"


class TestEnd:
    """RFC 8446 section 6.1: each side says close_notify before it closes, and need not wait for the other's."""

    @pytest.mark.parametrize("version", [V12, V13])
    def test_our_close_notify_is_said(self, authority: Authority, context: Context, version: ssl.TLSVersion) -> None:
        client = Client(of_version(authority, version))
        engine = shaken(context, client, tls13=version is V13)
        engine.close()
        assert client.hear(engine.outgoing()) == b""

    def test_theirs_ends_what_is_received(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        engine = shaken(context, client)
        assert not engine.ended
        assert engine.receive(client.say(b"last") + client.close()) == b"last"
        assert engine.ended

    def test_closing_early_or_twice_harms_nothing(self, authority: Authority, context: Context) -> None:
        engine = context.engine(tls13=True)
        engine.close()
        engine = shaken(context, Client(authority.client()))
        engine.close()
        engine.close()


class TestRefusals:
    """RFC 8446 section 6.2: an alert says what was wrong; RFC 8996: nothing before TLS 1.2."""

    def test_tls_11_is_refused_with_an_alert(self, authority: Authority, context: Context) -> None:
        old = authority.client()
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        engine = context.engine(tls13=False)
        with pytest.raises(TlsFailure, match="UNSUPPORTED_PROTOCOL"):
            engine.receive(Client(old).step(b""))
        assert engine.outgoing().endswith(b"\x00\x02\x02\x46"), "fatal, protocol_version"

    @pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"])
    def test_tls_12_without_forward_secrecy_or_aead_is_refused(
        self, authority: Authority, context: Context, ciphers: str
    ) -> None:
        weak = of_version(authority, V12)
        weak.set_ciphers(ciphers)
        engine = context.engine(tls13=False)
        with pytest.raises(TlsFailure, match="NO_SHARED_CIPHER"):
            engine.receive(Client(weak).step(b""))
        assert engine.outgoing().endswith(b"\x00\x02\x02\x28"), "fatal, handshake_failure"

    def test_broken_records_are_a_failure_with_an_alert(self, authority: Authority, context: Context) -> None:
        client = Client(authority.client())
        engine = shaken(context, client)
        engine.outgoing()
        damaged = bytearray(client.say(b"ask"))
        damaged[-1] ^= 1
        with pytest.raises(TlsFailure):
            engine.receive(bytes(damaged))
        assert engine.outgoing() != b""


class TestNoResumption:
    """No tickets and no session cache: nothing of a conversation is kept when it is over."""

    def test_tls_13_gives_no_ticket(self, authority: Authority, context: Context) -> None:
        client = Client(of_version(authority, V13))
        engine = shaken(context, client)
        engine.send(b"x")
        client.hear(engine.outgoing())
        assert client.tls.session is not None
        assert not client.tls.session.has_ticket

    def test_tls_12_gives_no_ticket_and_resumes_nothing(self, authority: Authority, context: Context) -> None:
        trusting = of_version(authority, V12)
        client = Client(trusting)
        engine = shaken(context, client, tls13=False)
        engine.close()
        client.hear(engine.outgoing())
        session = client.tls.session
        assert session is not None
        assert not session.has_ticket
        again = Client(trusting, session)
        shaken(context, again, tls13=False)
        assert not again.tls.session_reused

    def test_openssl_keeps_no_session_in_the_context_of_a_certificate(self, authority: Authority) -> None:
        leaf, key = authority.leaf(HOST)
        context = OpenSslBuilder().build((leaf, *authority.issuers), key)
        for version in (V12, V13):
            for _ in range(3):
                engine = shaken(context, Client(of_version(authority, version)), tls13=version is V13)
                engine.close()
        assert context.context.session_stats()["number"] == 0


class TestBuild:
    """Certificates rest as DER; a context that cannot be made is a TlsFailure and nothing else."""

    def test_an_rsa_key_is_as_good(self, authority: Authority, builder: Builder) -> None:
        leaf, key = authority.leaf(HOST, rsa.generate_private_key(65537, 2048))
        context = builder.build((leaf, *authority.issuers), key)
        for version in (V12, V13):
            shaken(context, Client(of_version(authority, version)), tls13=version is V13)

    def test_a_key_of_another_certificate_is_refused(self, authority: Authority, builder: Builder) -> None:
        leaf, _ = authority.leaf(HOST)
        with pytest.raises(TlsFailure, match="KEY_VALUES_MISMATCH"):
            builder.build((leaf,), der_key(new_key()))

    @pytest.mark.parametrize("garbage", [b"", b"\x30\x03\x02\x01\x00", b"x" * 100])
    def test_garbage_is_refused(self, authority: Authority, builder: Builder, garbage: bytes) -> None:
        leaf, key = authority.leaf(HOST)
        with pytest.raises(TlsFailure):
            builder.build((leaf,), garbage)
        with pytest.raises(TlsFailure):
            builder.build((garbage,), key)

    def test_no_file_descriptor_is_left_open(self, authority: Authority, builder: Builder) -> None:
        leaf, key = authority.leaf(HOST)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            builder.build((leaf,), key)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestWithoutMemfd:
    """Where the system has no files in memory, a private one on disk does for the moment."""

    def test_the_file_is_private_and_gone_at_once(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        modes = []

        load = ssl.SSLContext.load_cert_chain

        def spy(context: ssl.SSLContext, path: str) -> None:
            modes.append((Path(path).parent, oct(Path(path).stat().st_mode)))
            load(context, path)

        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
        leaf, key = authority.leaf(HOST)
        OpenSslBuilder().build((leaf,), key)
        assert modes == [(tmp_path, "0o100600")]
        assert list(tmp_path.iterdir()) == []

    def test_no_room_for_it_is_a_failure(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
        leaf, key = authority.leaf(HOST)
        with pytest.raises(TlsFailure, match="no file for a certificate"):
            OpenSslBuilder().build((leaf,), key)


class TestAlerts:
    """RFC 8446 sections 5.1 and 6: a fatal alert is seven octets."""

    def test_unrecognized_name(self) -> None:
        assert tls.fatal(Alert.UNRECOGNIZED_NAME) == bytes.fromhex("15 03 03 00 02 02 70")
