"""Certificates that nobody else takes: senders would refuse them, or no library reads them."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.panel.test_certificates_own import (
    HOST,
    KEY,
    KEYS,
    MIDDLE,
    MIDDLE_PEM,
    NOW,
    ROOT,
    ROOT_PEM,
    bundle,
    leaf,
    name,
    pem,
)

from trinco.panel.certificates.errors import CertificateRefused, Fault
from trinco.panel.certificates.judging import judged


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_text(ROOT_PEM)
    return path


class TestUnreadable:
    """What cannot be read is told in a sentence, whichever part of it is odd."""

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            ("06082a8648ce3d030107", "06082a8648ce3d030166"),  # a curve
            ("06072a8648ce3d0201", "06072a8648ce3d0266"),  # a kind of key
            ("a003020102", "a003020105"),  # a version
        ],
    )
    def test_a_part_that_no_library_knows(self, roots: Path, was: str, becomes: str) -> None:
        der = ssl.PEM_cert_to_DER_cert(leaf()).replace(bytes.fromhex(was), bytes.fromhex(becomes))
        text = bundle(ssl.DER_cert_to_PEM_cert(der), MIDDLE_PEM, pem(KEY))
        with pytest.raises(CertificateRefused) as refused:
            judged(HOST, text, NOW, roots)
        assert refused.value.args[0] == Fault.GARBAGE


def issuer(*extensions: tuple[x509.ExtensionType, bool]) -> str:
    """The intermediate, with these words about what it may do."""
    key = KEYS[MIDDLE]
    builder = x509.CertificateBuilder(name(ROOT), name(MIDDLE), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=30)).not_valid_after(NOW + timedelta(days=60))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(KEYS[ROOT], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CA = (x509.BasicConstraints(ca=True, path_length=None), True)
SIGNS_NOTHING = x509.KeyUsage(True, *[False] * 8)


class TestSendersRefuse:
    """RFC 8461 section 3.3, RFC 5280: what a sender's TLS library refuses is not taken here."""

    @pytest.mark.parametrize(
        "word",
        [
            (x509.NameConstraints(None, [x509.DNSName("example")]), True),
            (x509.NameConstraints([x509.DNSName("other.test")], None), True),
            (SIGNS_NOTHING, True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        ],
        ids=["excluded", "permitted", "key-usage", "purpose", "critical"],
    )
    def test_an_issuer_that_may_not(self, roots: Path, word: tuple[x509.ExtensionType, bool]) -> None:
        with pytest.raises(CertificateRefused):
            judged(HOST, bundle(leaf(), issuer(CA, word), pem(KEY)), NOW, roots)

    def test_the_same_issuer_without_such_a_word(self, roots: Path) -> None:
        assert judged(HOST, bundle(leaf(), issuer(CA), pem(KEY)), NOW, roots).chain
