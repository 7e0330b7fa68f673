"""A certification authority with an intermediate, as a public one has, and what an edge holds of its certificates."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trinco.core.hosting import Certificate

CHAIN = "i" * 64
HOST = "mta-sts.um.example"
SEAL = b"sealed:"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def der_key(key: Key) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def seal(key: bytes, server_name: str) -> bytes:
    """A stand-in for a seal: bound to the name, and no secret."""
    return SEAL + server_name.encode() + b":" + key


def unseal(sealed: bytes, server_name: str) -> bytes:
    prefix = SEAL + server_name.encode() + b":"
    assert sealed.startswith(prefix), "sealed for another name"
    return sealed.removeprefix(prefix)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """Root, intermediate, and leaves that the intermediate signs."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @cached_property
    def _keys(self) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
        return new_key(), new_key()

    @cached_property
    def root(self) -> x509.Certificate:
        key = self._keys[0]
        return self._issuer("Root", key).sign(key, hashes.SHA256())

    @cached_property
    def intermediate(self) -> x509.Certificate:
        root, key = self._keys
        return self._issuer("Intermediate", key).sign(root, hashes.SHA256())

    @property
    def issuers(self) -> tuple[bytes, ...]:
        return (der(self.intermediate),)

    @property
    def pem(self) -> str:
        """The root, for clients."""
        return self.root.public_bytes(serialization.Encoding.PEM).decode()

    def leaf(self, host: str, key: Key | None = None) -> tuple[bytes, bytes]:
        """Certificate and key in DER."""
        key = key or new_key()
        builder = self._builder(host, "Intermediate", key, self._keys[1])
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return der(builder.sign(self._keys[1], hashes.SHA256())), der_key(key)

    def certificate(self, host: str, key: Key | None = None) -> Certificate:
        """What the edge holds for this host."""
        leaf, private = self.leaf(host, key)
        not_after = int((self.now + timedelta(days=30)).timestamp())
        return Certificate(leaf, CHAIN, seal(private, host), not_after)

    def client(self) -> ssl.SSLContext:
        """A client that trusts the root and checks names."""
        context = ssl.create_default_context(cadata=self.pem)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _issuer(self, subject: str, key: Key) -> x509.CertificateBuilder:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
        )
        signing = {"key_agreement": False, "key_cert_sign": True, "crl_sign": True}
        builder = self._builder(subject, "Root", key, self._keys[0])
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.add_extension(
            x509.KeyUsage(**usage, **signing, encipher_only=False, decipher_only=False), critical=True
        )

    def _builder(self, subject: str, issuer: str, key: Key, signer: Key) -> x509.CertificateBuilder:
        known_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=1))
            .not_valid_after(self.now + timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(known_by, critical=False)
        )
