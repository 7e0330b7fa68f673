"""Certificates for the policy host's benches: issuers on P-384, leaves on P-256 of the size that public ones have.

Each leaf is written as PEM for nginx and put into a Publication for us: the same certificates, the same policies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from msgspec.structs import replace

from trinco.core.hosting import Certificate, HostedDomain, NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.panel.seal import Seal

CHAIN = "c" * 64
SEAL = Seal(bytes(32))
FORMAT = "mta-sts.d%06d.example"
"""Names of the policy hosts, for the load client."""
ZONE = Zone(Domain.trusted("trinco.example"), (NameServer("ns1.trinco.example"),), ("127.0.0.1",))
_BACKDATED = datetime.now(UTC) - timedelta(hours=1)


def policy(number: int) -> bytes:
    lines = (
        "version: STSv1",
        "mode: enforce",
        f"mx: mx1.d{number:06d}.example",
        f"mx: *.mail.d{number:06d}.example",
        "max_age: 604800",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Mint:
    """Signs leaves, and writes them into `directory`."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    intermediate: x509.Certificate

    def publication(self, count: int) -> Publication:
        """So many hosted domains, each with a certificate of its own, whose PEM is in the directory."""
        domains = [self._hosted(number) for number in range(count)]
        chains = {CHAIN: (self.intermediate.public_bytes(Encoding.DER),)}
        return Publication(1, ZONE, {domain.label: domain for domain in domains}, chains)

    def pem(self, number: int) -> Path:
        """Certificate, intermediate and key of one name."""
        return self.directory / f"{FORMAT % number}.pem"

    def _hosted(self, number: int) -> HostedDomain:
        host, key = FORMAT % number, ec.generate_private_key(ec.SECP256R1())
        leaf = self._leaf(host, key.public_key())
        pem = leaf.public_bytes(Encoding.PEM) + self.intermediate.public_bytes(Encoding.PEM)
        self.pem(number).write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        certificate = Certificate(leaf.public_bytes(Encoding.DER), CHAIN, SEAL.seal(private, host), 2_000_000_000)
        return hosted(number, certificate)

    def _leaf(self, host: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        issuers = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://issuers.example/e5.der")
        )
        revoked = x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://crl.example/12.crl")], None, None, None
        )
        builder = (
            _builder(host, "Bench E5", key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityInformationAccess([issuers]), critical=False)
            .add_extension(x509.CRLDistributionPoints([revoked]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(_timestamps(), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def mint(directory: Path) -> Mint:
    """A root that nobody needs, and an intermediate that signs."""
    directory.mkdir()
    root, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    ca = x509.BasicConstraints(ca=True, path_length=0)
    builder = _builder("Bench E5", "Bench Root", key.public_key()).add_extension(ca, critical=True)
    return Mint(directory, key, builder.sign(root, hashes.SHA384()))


def hosted(number: int, certificate: Certificate) -> HostedDomain:
    return HostedDomain(
        domain=Domain.trusted(f"d{number:06d}.example"),
        label=f"l{number:025}",
        revision=1,
        policy=policy(number),
        policy_id=f"20260101T000000Z{number:08x}",
        tlsrpt=f"v=TLSRPTv1; rua=mailto:l{number:025}@reports.trinco.example",
        certificate=certificate,
    )


def widened(publication: Publication, count: int) -> Publication:
    """`count` domains: the further ones have octets of the same size for a certificate, which nobody asks for."""
    domains = dict(publication.domains)
    patterns = [domain.certificate for domain in publication.domains.values() if domain.certificate is not None]
    for number in range(len(domains), count):
        pattern = patterns[number % len(patterns)]
        leaf = os.urandom(16) + pattern.leaf[16:]
        added = hosted(number, replace(pattern, leaf=leaf, sealed_key=os.urandom(16) + pattern.sealed_key[16:]))
        domains[added.label] = added
    return Publication(publication.revision, publication.zone, domains, publication.chains)


def _timestamps() -> x509.UnrecognizedExtension:
    """As many octets as two signed certificate timestamps take."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), os.urandom(242))


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BACKDATED)
        .not_valid_after(_BACKDATED + timedelta(days=90))
    )
