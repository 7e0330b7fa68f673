"""Whether a certificate that somebody brings may be served: judged as senders will (RFC 8461 section 3.3, RFC 6125).

Nothing here writes, logs or shows a key; what is refused is forgotten.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.views.decorators.debug import sensitive_variables

from trinco.net.certfile import file_of
from trinco.panel.certificates.authority import OWN, Issued
from trinco.panel.certificates.errors import CertificateRefused, Fault
from trinco.panel.certificates.terms import taken_over_at

MOST: Final = 64 * 1024
"""Octets of a chain with its key."""
_CERTIFICATES: Final = 8
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,32})-----([^-]*)-----END \1-----")
_RSA: Final = range(2048, 4097)
_DER: Final = serialization.Encoding.DER
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which the standard library has no name."""
_WEAK: Final = (hashes.SHA1, hashes.MD5)
_ODD: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library says of a certificate that it cannot read, often only when a part of it is asked for."""

E = TypeVar("E", bound=x509.ExtensionType)


@sensitive_variables()
def judged(host: str, pem: bytes, now: datetime, more_roots: Path | None = None) -> Issued:
    """The certificate for `host`, its issuers and its key out of PEM text. Raises CertificateRefused.

    `more_roots` is a PEM file of roots that are trusted beside the system's.
    """
    try:
        return _judged(host, pem, now, more_roots)
    except _ODD:
        raise CertificateRefused(Fault.GARBAGE) from None


@sensitive_variables()
def _judged(host: str, pem: bytes, now: datetime, more_roots: Path | None) -> Issued:
    certificates, key = _read(pem)
    leaf, *issuers = certificates
    _of_the_key(certificates, key)
    if len(issuers) and issuers[-1].issuer == issuers[-1].subject:
        issuers.pop()
    _sound(leaf, host, now)
    roots = _chained([leaf, *issuers], now, more_roots)
    plain = key.private_bytes(_DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    issued = Issued.of([leaf, *issuers], plain, OWN)
    _shaken(host, issued, roots)
    return issued


@sensitive_variables()
def _read(pem: bytes) -> tuple[list[x509.Certificate], PrivateKeyTypes]:
    if len(pem) > MOST:
        raise CertificateRefused(Fault.TOO_LARGE)
    if b"ENCRYPTED" in pem:
        raise CertificateRefused(Fault.ENCRYPTED)
    blocks = [(match[1], match[0]) for match in _PEM.finditer(pem)]
    found = [block for kind, block in blocks if kind == b"CERTIFICATE"]
    keys = [block for kind, block in blocks if kind.endswith(b"PRIVATE KEY")]
    if not found:
        raise CertificateRefused(Fault.NO_CERTIFICATE)
    if len(keys) != 1:
        raise CertificateRefused(Fault.SEVERAL_KEYS if keys else Fault.NO_KEY)
    if len(found) > _CERTIFICATES:
        raise CertificateRefused(Fault.TOO_LARGE)
    return [x509.load_pem_x509_certificate(each) for each in found], serialization.load_pem_private_key(keys[0], None)


@sensitive_variables()
def _of_the_key(certificates: Sequence[x509.Certificate], key: PrivateKeyTypes) -> None:
    """It belongs to the first, and is one that every sender takes."""
    good = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    if not good and not (isinstance(key, rsa.RSAPrivateKey) and key.key_size in _RSA):
        raise CertificateRefused(Fault.KEY_KIND)
    mine = [each.public_key() == key.public_key() for each in certificates]
    if not mine[0]:
        raise CertificateRefused(Fault.ORDER if any(mine) else Fault.KEY)


def _sound(leaf: x509.Certificate, host: str, now: datetime) -> None:
    if not any(_covers(name, host) for name in _names(leaf)):
        raise CertificateRefused(Fault.NAME)
    if leaf.not_valid_after_utc <= now:
        raise CertificateRefused(Fault.EXPIRED)
    if leaf.not_valid_before_utc > now:
        raise CertificateRefused(Fault.NOT_YET)
    if taken_over_at(leaf.not_valid_before_utc, leaf.not_valid_after_utc) <= now:
        raise CertificateRefused(Fault.ENDS_SOON)
    usage = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CertificateRefused(Fault.PURPOSE)


def _names(leaf: x509.Certificate) -> list[str]:
    names = _extension(leaf, x509.SubjectAlternativeName)
    return [] if names is None else names.get_values_for_type(x509.DNSName)


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _covers(name: str, host: str) -> bool:
    """RFC 8461 section 3.3: the DNS-ID itself, or a `*` that is the whole left-most label and stands for one label."""
    name = name.lower().removesuffix(".")
    return name == host or (name.startswith("*.") and name[2:] == host.partition(".")[2])


def _chained(chain: Sequence[x509.Certificate], now: datetime, more_roots: Path | None) -> list[x509.Certificate]:
    """Each was issued by the next, and the last by somebody who is trusted: who that is."""
    for issued, issuer in pairwise(chain):
        if not _issued_by(issued, issuer):
            raise CertificateRefused(Fault.ORDER)
        if not _may_issue(issuer, now):
            raise CertificateRefused(Fault.CHAIN)
    if any(isinstance(each.signature_hash_algorithm, _WEAK) or _short(each.public_key()) for each in chain):
        raise CertificateRefused(Fault.CHAIN)
    roots = _roots(chain[-1].issuer.public_bytes(), more_roots)
    trusted = [root for root in roots if _issued_by(chain[-1], root) and _may_issue(root, now)]
    if not trusted:
        raise CertificateRefused(Fault.CHAIN)
    return trusted


@sensitive_variables()
def _shaken(host: str, issued: Issued, roots: Sequence[x509.Certificate]) -> None:
    """The last word is a TLS library's, as senders have one: name constraints, path lengths, uses of keys, their sizes.

    Both ends are here, and the key is in memory alone. Dates were judged before, at the caller's time.
    """
    server, client = _server(issued), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= _NO_CHECK_TIME
    client.load_verify_locations(cadata=b"".join(each.public_bytes(_DER) for each in roots))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there, server_hostname=host), server.wrap_bio(there, back, server_side=True)
    waiting = list(ends)
    while waiting:
        waiting = [end for end in waiting if not _shook(end)]


def _shook(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        raise CertificateRefused(Fault.SENDERS) from None
    return True


@sensitive_variables()
def _server(issued: Issued) -> ssl.SSLContext:
    context, blocks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), [issued.leaf, *issued.chain]
    key = serialization.load_der_private_key(issued.key, None)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with file_of(pem + "".join(map(ssl.DER_cert_to_PEM_cert, blocks)).encode()) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError:
            raise CertificateRefused(Fault.SENDERS) from None
    return context


def _short(key: object) -> bool:
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA.start


def _issued_by(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may_issue(issuer: x509.Certificate, now: datetime) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    valid = issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc
    return valid and constraints is not None and constraints.ca


def _roots(subject: bytes, more_roots: Path | None) -> Iterator[x509.Certificate]:
    """Those of this name: the others are not even read."""
    for path in [*_system(), *filter(None, [more_roots])]:
        try:
            blocks = _PEM.findall(path.read_bytes())
        except OSError:
            continue
        for text in (text for kind, text in blocks if kind == b"CERTIFICATE"):
            root = ssl.PEM_cert_to_DER_cert(f"{ssl.PEM_HEADER}{text.decode('ascii')}{ssl.PEM_FOOTER}")
            if subject in root:
                yield x509.load_der_x509_certificate(root)


def _system() -> Iterable[Path]:
    """The system's roots: one file, or a folder of links named after what they hold."""
    found = ssl.get_default_verify_paths()
    if found.cafile:
        return [Path(found.cafile)]
    return sorted(Path(found.capath).glob("*.[0-9]")) if found.capath else []
