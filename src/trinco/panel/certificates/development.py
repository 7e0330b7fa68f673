"""The development CA: certificates for trying, which browsers trust only where its root is installed.

A root signs one intermediate (both P-384), whose key rests sealed in the data directory and signs the leaves (P-256).
The root's own key is forgotten at once: whoever installs the root trusts this one intermediate and nothing later.

    <data>/ca.pem                   the root, for curl and browsers (everybody may read it)
    <data>/ca/intermediate.pem      the intermediate
    <data>/ca/intermediate.key      its key, PKCS #8 DER, sealed
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trinco.panel import files
from trinco.panel.certificates.authority import Issued
from trinco.panel.certificates.errors import AuthorityUnusable
from trinco.panel.seal import Seal, SealError

LEAF_LIFE = timedelta(days=90)
_CA_LIFE = timedelta(days=3650)
_SKEW = timedelta(hours=1)
"""Certificates begin this much earlier, for clients whose clock is behind."""
KEY_NAME = "development-ca"
"""Under which its key is sealed."""

_Builder = x509.CertificateBuilder


@dataclass(frozen=True, slots=True)
class DevelopmentAuthority:
    """Issues from the intermediate. `at` opens the one in a data directory, and makes it where there is none."""

    intermediate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def at(cls, data: Path, seal: Seal) -> DevelopmentAuthority:
        """The CA in this data directory. Raises AuthorityUnusable."""
        ensure(data, seal)
        try:
            certificate = x509.load_pem_x509_certificate((data / "ca" / "intermediate.pem").read_bytes())
            plain = seal.open(key_file(data).read_bytes(), KEY_NAME)
            key = serialization.load_der_private_key(plain, password=None)
        except (SealError, ValueError, OSError) as error:
            raise AuthorityUnusable(f"the development CA in {data} cannot be used: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityUnusable(f"the development CA in {data} has a key of an unknown kind")
        return cls(certificate, key)

    def issue(self, host: str, now: datetime, *, also: Sequence[str] = ()) -> Issued:
        """A certificate of exactly this name and these others, for 90 days, with a new P-256 key."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf((host, *also), key.public_key(), self.intermediate, now).sign(self.key, hashes.SHA384())
        return Issued(
            leaf=leaf.public_bytes(serialization.Encoding.DER),
            chain=(self.intermediate.public_bytes(serialization.Encoding.DER),),
            key=_der(key),
            issuer="Trinco development CA",
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
        )


def key_file(data: Path) -> Path:
    """Where the intermediate's key rests, sealed."""
    return data / "ca" / "intermediate.key"


def ensure(data: Path, seal: Seal) -> Path:
    """The path of the root (PEM), which is made with its intermediate where there is none, by one process alone."""
    root = data / "ca.pem"
    if not root.exists():
        with _alone(files.private_directory(data / "ca")):
            if not root.exists():
                _make(data, seal, datetime.now(UTC))
    return root


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(data: Path, seal: Seal, now: datetime) -> None:
    """The root's file comes last: while it is missing, all of it is made anew."""
    root_key = ec.generate_private_key(ec.SECP384R1())
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name(f"Trinco development root {now:%Y-%m-%d}")
    root = _authority(name, name, root_key.public_key(), now)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    below = _authority(_name("Trinco development intermediate"), name, key.public_key(), now)
    below = below.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    below = below.add_extension(_issued_by(root_key.public_key()), critical=False)
    below = below.add_extension(_server_auth(), critical=False)
    files.write(key_file(data), seal.seal(_der(key), KEY_NAME))
    files.write(data / "ca" / "intermediate.pem", _pem(below.sign(root_key, hashes.SHA384())))
    files.publish(data / "ca.pem", _pem(root.sign(root_key, hashes.SHA384())))


def _authority(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime) -> _Builder:
    usage = _usage(certificates=True)
    builder = _builder(subject, issuer, key).not_valid_before(now - _SKEW).not_valid_after(now + _CA_LIFE)
    return builder.add_extension(usage, critical=True)


def _leaf(hosts: Sequence[str], key: ec.EllipticCurvePublicKey, issuer: x509.Certificate, now: datetime) -> _Builder:
    """The names stand in the SAN alone, which an empty subject makes critical (RFC 5280 section 4.2.1.6)."""
    end = min(now + LEAF_LIFE, issuer.not_valid_after_utc)
    builder = _builder(x509.Name([]), issuer.subject, key).not_valid_before(now - _SKEW).not_valid_after(end)
    names = x509.SubjectAlternativeName(map(x509.DNSName, hosts))
    above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(names, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(_server_auth(), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False)
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> _Builder:
    builder = _Builder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _server_auth() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def _issued_by(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
