"""Pebble, the ACME server for tests, refuses half of all good nonces and shuffles what it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests import support_pebble
from tests.support_pebble import EAB_KEY, EAB_KID, Pebble

from trinco.net import acme
from trinco.net.acme_words import Binding, CaRefused, Place, Placed, Registration, Status

WHO = Registration(("mailto:ana@example.com",), True)


@pytest.fixture(scope="module", params=["20", "50"])
def pebble(request, needs, tmp_path_factory) -> Iterator[Pebble]:
    """Every challenge is met, since nobody looks."""
    folder = tmp_path_factory.mktemp("pebble")
    nonces = {"PEBBLE_WFE_NONCEREJECT": request.param, "PEBBLE_VA_ALWAYS_VALID": "1"}
    with support_pebble.running(needs("pebble"), folder, 1, **nonces) as pebble:
        yield pebble


@pytest.fixture(scope="module")
def strict(needs, tmp_path_factory) -> Iterator[Pebble]:
    """It takes nobody whom it does not know already."""
    with support_pebble.running(needs("pebble"), tmp_path_factory.mktemp("strict"), 1, binding="on") as pebble:
        yield pebble


@pytest.fixture
def talk(pebble) -> acme.Conversation:
    talk = acme.Conversation(Place(pebble.directory, pebble.roots), acme.new_key())
    talk.register(WHO)
    return talk


def until(look: Callable[[], Placed], status: Status) -> Placed:
    deadline = time.monotonic() + 60
    while (placed := look()).status is not status:
        assert time.monotonic() < deadline, placed
        time.sleep(0.05)
    return placed


def request(key: ec.EllipticCurvePrivateKey, *names: str) -> bytes:
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class TestConformance:
    """RFC 8555 as another implementation has it."""

    def test_a_certificate_with_its_chain(self, talk):
        names = ("mta-sts.correio.example", "reports.trinco.example")
        key = ec.generate_private_key(ec.SECP256R1())
        placed = talk.order(names)
        for authorization in placed.authorizations:
            challenge = talk.challenge(authorization)
            if challenge.waits:
                talk.tell(challenge)
        ready = until(lambda: talk.look(placed.url), Status.READY)
        talk.finalize(ready, request(key, *names))
        valid = until(lambda: talk.look(placed.url), Status.VALID)
        leaf, *issuers = (x509.load_der_x509_certificate(der) for der in talk.download(valid.certificate))
        assert leaf.public_key() == key.public_key()
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert sorted(found.get_values_for_type(x509.DNSName)) == sorted(names)
        leaf.verify_directly_issued_by(issuers[0])

    def test_one_account_for_one_key(self, pebble):
        key = acme.new_key()
        urls = {acme.Conversation(Place(pebble.directory, pebble.roots), key).register(WHO) for _ in range(3)}
        assert len(urls) == 1

    def test_open_orders_are_listed_page_by_page(self, talk):
        urls = [talk.order([f"mta-sts.d{number}.example"]).url for number in range(7)]
        found = {placed.url: names for placed, names in talk.open_orders(())}
        assert found == {url: {f"mta-sts.d{number}.example"} for number, url in enumerate(urls)}

    def test_thirty_orders_and_not_one_too_many(self, talk):
        urls = [talk.order([f"mta-sts.e{number}.example"]).url for number in range(30)]
        assert len({placed.url for placed, _ in talk.open_orders(())}) == len(set(urls)) == 30

    def test_it_wants_its_terms_agreed_to(self, pebble):
        talk = acme.Conversation(Place(pebble.directory, pebble.roots), acme.new_key())
        with pytest.raises(CaRefused, match="terms"):
            talk.register(Registration())

    def test_a_request_for_other_names_is_refused(self, talk):
        placed = talk.order(["mta-sts.correio.example"])
        challenge = talk.challenge(placed.authorizations[0])
        if challenge.waits:
            talk.tell(challenge)
        ready = until(lambda: talk.look(placed.url), Status.READY)
        with pytest.raises(CaRefused):
            talk.finalize(ready, request(ec.generate_private_key(ec.SECP256R1()), "other.example"))

    def test_its_address_must_be_trusted(self, pebble):
        with pytest.raises(acme.CaUnavailable, match="certificate verify failed"):
            acme.Conversation(Place(pebble.directory), acme.new_key()).offer()


class TestBinding:
    """RFC 8555 section 7.3.4."""

    def test_without_an_account_there_nothing_goes(self, strict):
        talk = acme.Conversation(Place(strict.directory, strict.roots), acme.new_key())
        assert talk.offer().binding_required
        with pytest.raises(CaRefused):
            talk.register(WHO)

    def test_with_one_it_does(self, strict):
        talk = acme.Conversation(Place(strict.directory, strict.roots), acme.new_key())
        assert talk.register(Registration(WHO.contact, True, Binding(EAB_KID, EAB_KEY))).startswith("https://")

    def test_with_a_wrong_key_it_does_not(self, strict):
        talk = acme.Conversation(Place(strict.directory, strict.roots), acme.new_key())
        with pytest.raises(CaRefused):
            talk.register(Registration(WHO.contact, True, Binding(EAB_KID, "d3Jvbmc")))
