"""How a delivery is signed, as the Standard Webhooks specification has it: HMAC-SHA256 over id, time and body.

A secret is `whsec_` and 32 random octets in base 64. It is shown once, and rests sealed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

MARK = "whsec_"
_OCTETS = 32


def new_secret() -> str:
    """As it is shown to people."""
    return MARK + base64.b64encode(secrets.token_bytes(_OCTETS)).decode("ascii")


def signature(secret: str, uid: str, moment: int, body: bytes) -> str:
    """`v1,` and the signature; `moment` is seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(MARK))
    made = hmac.new(key, f"{uid}.{moment}.".encode("ascii") + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode("ascii")


def fields(held: Iterable[str], uid: str, moment: int, body: bytes) -> dict[str, str]:
    """The header fields of an attempt, with a signature by each secret."""
    return {
        "webhook-id": uid,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(signature(secret, uid, moment, body) for secret in held),
    }
