"""Signers with keys of their own, the records that they publish, and a DNS that answers from a dict."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from trinco.core.errors import DnsFailure
from trinco.net.dkim import Verdict, verify
from trinco.net.dns import Answer, Dns, Record

NOW = 1_770_000_000.0
"""When the mails of these tests were received, which is not when the tests run."""
SENDER = "sender.example"
KEY = f"s1._domainkey.{SENDER}"
REPORT = (
    b"From: TLS reports <tlsrpt@sender.example>\r\n"
    b"To: token@reports.example\r\n"
    b"Subject: Report Domain: um.example Submitter: sender.example Report-ID: <1@sender.example>\r\n"
    b"TLS-Report-Domain: um.example\r\n"
    b"TLS-Report-Submitter: sender.example\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: application/tlsrpt+json\r\n"
    b"\r\n"
    b'{"organization-name":  "Sender"}  \r\n'
    b"\r\n\r\n"
)
FIELDS = (b"from", b"to", b"subject", b"tls-report-domain", b"tls-report-submitter", b"content-type")


@cache
def rsa_key(bits: int = 1024, number: int = 0) -> rsa.RSAPrivateKey:
    """`number`: another key of that size."""
    return rsa.generate_private_key(65537, bits)


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: rsa.RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def spki(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> str:
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(public.public_bytes(encoding, form)).decode()


def record(tags: str = "v=DKIM1", key: rsa.RSAPrivateKey | rsa.RSAPublicKey | None = None) -> str:
    """What a signer publishes, with further tags in front of the key."""
    return f"{tags}; p={spki(key or rsa_key())}"


def signed(mail: bytes = REPORT, **options: Any) -> bytes:
    """The mail with a signature by dkimpy on top."""
    values: dict[str, Any] = {"selector": b"s1", "domain": b"sender.example", "privkey": pem(rsa_key())}
    values |= {"include_headers": FIELDS, "canonicalize": (b"relaxed", b"relaxed")}
    return dkim.sign(mail, **values | options) + mail


@dataclass
class Tags:
    """A signature written by hand, for what dkimpy does not sign. A tag of None is left out."""

    tags: dict[str, str | None] = field(default_factory=dict)
    key: Any = None
    names: Sequence[bytes] = FIELDS
    mail: bytes = REPORT

    def signed(self) -> bytes:
        """Relaxed and simple: the body is hashed as it stands, without the empty lines at its end."""
        head, _, body = self.mail.partition(b"\r\n\r\n")
        digest = base64.b64encode(_sha256(body.rstrip(b"\r\n") + b"\r\n")).decode()
        algorithm = "ed25519-sha256" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "rsa-sha256"
        tags: dict[str, str | None] = {"v": "1", "a": algorithm, "c": "relaxed/simple", "d": SENDER, "s": "s1"}
        tags |= {"h": b":".join(self.names).decode(), "bh": digest}
        value = "; ".join(f"{name}={text}" for name, text in (tags | self.tags).items() if text is not None)
        unsigned = f"DKIM-Signature: {value}; b=".encode()
        signature = base64.b64encode(self._sign(self._covered(head) + _relaxed(unsigned)))
        return unsigned + signature + b"\r\n" + self.mail

    def _covered(self, head: bytes) -> bytes:
        lines = {line.partition(b":")[0].lower(): line for line in head.split(b"\r\n")}
        return b"".join(_relaxed(lines[name]) + b"\r\n" for name in self.names if name in lines)

    def _sign(self, octets: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(_sha256(octets))
        return (self.key or rsa_key()).sign(octets, padding.PKCS1v15(), hashes.SHA256())


def _sha256(octets: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(octets)
    return digest.finalize()


def _relaxed(line: bytes) -> bytes:
    name, _, value = line.partition(b":")
    return name.lower() + b":" + b" ".join(value.split())


@dataclass(frozen=True)
class Books(Dns):
    """A DNS that knows these TXT records; `dead` names are not answered for. `asked` is what it was asked."""

    texts: dict[str, Sequence[str]] = field(default_factory=dict)
    dead: Sequence[str] = ()
    asked: list[str] = field(default_factory=list)

    async def resolve(self, name: str, rdtype: str) -> Answer:
        self.asked.append(name)
        if name in self.dead:
            raise DnsFailure("silence")
        if name not in self.texts:
            return Answer("NXDOMAIN")
        return Answer("NOERROR", tuple(Record(name, rdtype, 300, text) for text in self.texts[name]))


def books(text: str | None = None) -> Books:
    """The DNS in which `sender.example` has this record, or a plain one."""
    return Books(texts={KEY: [record() if text is None else text]})


def verdict(mail: bytes, dns: Dns | None = None, now: float = NOW) -> Verdict:
    return asyncio.run(verify(mail, dns or books(), now))
