"""The certificates of the made-up internet's mail servers, and the root that signs them.

The root is made anew with each data directory, `<data>/playground/ca.pem`; its key stays beside it, since nothing
trusts it but this playground.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trinco.net.certfile import file_of
from trinco.playground.cast import Behaviour
from trinco.playground.store import replace

_DAY = timedelta(days=1)
MAX_CONTEXTS = 500


def root_path(data: Path) -> Path:
    """Where the root's certificate rests."""
    return data / "playground" / "ca.pem"


def root(data: Path) -> Path:
    """The root's certificate, made at the first call."""
    if not root_path(data).exists():
        _make_root(data)
    return root_path(data)


def _make_root(data: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Trinco playground: mail servers")
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - 400 * _DAY)
        .not_valid_after(now + 3650 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    replace(data / "playground" / "ca.key", _pem(key), mode=0o600)
    replace(root_path(data), certificate.public_bytes(Encoding.PEM))


class Authority:
    """Makes a mail server's TLS context for the name that a client asks for."""

    def __init__(self, data: Path) -> None:
        self._certificate = x509.load_pem_x509_certificate(root(data).read_bytes())
        key = load_pem_private_key((data / "playground" / "ca.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the playground's root has a key of another kind")
        self._key = key
        self._contexts: dict[tuple[str, Behaviour], ssl.SSLContext] = {}

    def context(self, host: str, behaviour: Behaviour) -> ssl.SSLContext:
        """The context that shows this name's certificate, good or bad as the behaviour says."""
        known = (host, behaviour)
        if known not in self._contexts:
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[known] = self._make(host, behaviour)
        return self._contexts[known]

    def _make(self, host: str, behaviour: Behaviour) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        shown = "mail.somewhere-else.example" if behaviour is Behaviour.WRONG_NAME else host
        chain = self._leaf(shown, key, behaviour).public_bytes(Encoding.PEM) + _pem(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with file_of(chain) as path:
            context.load_cert_chain(path)
        return context

    def _leaf(self, host: str, key: ec.EllipticCurvePrivateKey, behaviour: Behaviour) -> x509.Certificate:
        now = datetime.now(UTC)
        days = -3 if behaviour is Behaviour.EXPIRED else 75
        builder = x509.CertificateBuilder(
            self._certificate.subject, _name(host[:64]), key.public_key(), x509.random_serial_number()
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            builder.not_valid_before(now - 90 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
