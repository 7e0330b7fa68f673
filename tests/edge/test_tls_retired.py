"""Contexts that are made out of retired ones: nothing of the old one is shown."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.edge.tls_client import V12, V13, Client, of_version, shaken
from tests.support_tls import HOST, Authority, Key, der_key, new_key

from trinco.edge.tls import Builder, OpenSslBuilder, TlsFailure

KEYS: dict[str, Callable[[], Key]] = {"e": new_key, "r": lambda: rsa.generate_private_key(65537, 2048)}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(params=[OpenSslBuilder], ids=["openssl"])
def builder(request: pytest.FixtureRequest) -> Builder:
    made: Builder = request.param()
    return made


class TestRetired:
    """RFC 8461 section 3.3: the certificate that is shown is that of the name that was asked for, and no other."""

    @pytest.mark.parametrize("kinds", ["ee", "rr", "er", "re", "ere"])
    @pytest.mark.parametrize("version", [V12, V13])
    def test_each_shows_its_own(
        self, authority: Authority, builder: Builder, version: ssl.TLSVersion, kinds: str
    ) -> None:
        for kind in kinds:
            leaf, key = authority.leaf(HOST, KEYS[kind]())
            context = builder.build((leaf, *authority.issuers), key)
            client = Client(of_version(authority, version))
            shaken(context, client, tls13=version is V13)
            assert client.tls.getpeercert(binary_form=True) == leaf
            builder.retire(context)

    def test_the_chain_is_the_new_one(self, authority: Authority, builder: Builder) -> None:
        trusting = authority.client()
        trusting.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(authority.issuers[0]))
        for issuers in (authority.issuers, (), authority.issuers):
            leaf, key = authority.leaf(HOST)
            context = builder.build((leaf, *issuers), key)
            client = Client(trusting)
            shaken(context, client)
            shown = client.tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
            assert len(shown) == 1 + len(issuers)
            builder.retire(context)

    def test_one_that_failed_is_not_used_again(self, authority: Authority, builder: Builder) -> None:
        leaf, key = authority.leaf(HOST)
        builder.retire(builder.build((leaf, *authority.issuers), key))
        with pytest.raises(TlsFailure):
            builder.build((leaf,), der_key(new_key()))
        other, private = authority.leaf(HOST)
        client = Client(authority.client())
        shaken(builder.build((other, *authority.issuers), private), client)
        assert client.tls.getpeercert(binary_form=True) == other

    def test_a_conversation_under_way_keeps_its_certificate(self, authority: Authority, builder: Builder) -> None:
        leaf, key = authority.leaf(HOST)
        context = builder.build((leaf, *authority.issuers), key)
        client = Client(authority.client())
        engine = context.engine(tls13=True)
        builder.retire(context)
        other, private = authority.leaf(HOST)
        builder.build((other, *authority.issuers), private)
        engine.receive(client.step(b""))
        engine.receive(client.step(engine.outgoing()))
        assert engine.established
        assert client.tls.getpeercert(binary_form=True) == leaf

    def test_it_is_really_used(self, authority: Authority) -> None:
        builder = OpenSslBuilder()
        leaf, key = authority.leaf(HOST)
        first = builder.build((leaf,), key)
        builder.retire(first)
        leaf, key = authority.leaf(HOST)
        assert builder.build((leaf,), key).context is first.context
