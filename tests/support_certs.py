"""Certificates of a made-up authority, for tests that verify chains."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """A root that signs leaves. `directory` receives the PEM files."""

    directory: Path
    title: str = "Test Root"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    issued: int = 0

    def __post_init__(self) -> None:
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self.title, NOW + timedelta(days=90), self.key).add_extension(
            constraints, critical=True
        )
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = self.directory / f"{self.title}.pem"
        self.pem.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def leaf(self, *names: str, common_name: str = "leaf", not_after: datetime | None = None) -> Path:
        """PEM file with key and certificate for these DNS names (none: no subjectAltName at all)."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(common_name, not_after or NOW + timedelta(days=30), key)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.issued += 1
        path = self.directory / f"{self.title}-{self.issued}.pem"
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, *names: str, **options: object) -> ssl.SSLContext:
        """A server's TLS context with such a leaf."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.leaf(*names, **options))  # type: ignore[arg-type]
        return context

    def _builder(self, subject: str, not_after: datetime, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.title))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(NOW, not_after) - timedelta(days=60))
            .not_valid_after(not_after)
        )
