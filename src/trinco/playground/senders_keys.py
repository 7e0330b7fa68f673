"""The keys by which the made-up senders sign their reports (RFC 6376), made once: `<data>/playground/dkim/`."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from trinco.playground.senders import Manner, Sender
from trinco.playground.store import replace

BITS = 2048


def private(data: Path, sender: Sender) -> bytes:
    """The key in PEM, made at the first call."""
    held = data / "playground" / "dkim" / f"{sender.domain}.pem"
    if not held.exists():
        key = rsa.generate_private_key(65_537, BITS)
        replace(held, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), mode=0o600)
    return held.read_bytes()


def published(data: Path, sender: Sender) -> str:
    """What stands at `<selector>._domainkey.<domain>`; "" for one that does not sign.

    RFC 8460 section 3 wants keys for the service `tlsrpt`; most senders have their usual ones, which serve for all.
    """
    if not sender.selector:
        return ""
    key = load_pem_private_key(private(data, sender), password=None)
    octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    service = " s=tlsrpt;" if sender.manner is Manner.POSTFIX else ""
    return f"v=DKIM1; k=rsa;{service} p={base64.b64encode(octets).decode()}"
