"""What an ID token says, and whether it holds (OpenID Connect Core 1.0 section 3.1.3.7).

Signed by a key of the provider's, with one of four algorithms: a token without a signature, or one that is signed with
what everybody knows, is refused. Between the clocks there may be a minute.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from trinco.core.errors import TrincoError

LEEWAY: Final = 60
"""Seconds between the provider's clock and ours."""
_KINDS: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""Each algorithm with the kind of its keys."""
_CURVES: Final = {"EC": ("P-256",), "OKP": ("Ed25519", "Ed448")}
_RSA_BITS: Final = 2048
_MOST_OCTETS: Final = 64 * 1024
_MOST_SUBJECT: Final = 255
_MOST_EMAIL: Final = 254

_FAULTS: Final = (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What comes of a token or a key that somebody made up."""

Key = Mapping[str, Any]
"""A JSON Web Key (RFC 7517)."""


class TokenRefused(TrincoError):
    """What the provider says of a person does not hold. The text says why, for the log."""


class UnknownKey(TokenRefused):
    """No key of the provider's that we know has signed the token: it may have a new one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """For whom the token must be, by whom, and in answer to what."""

    issuer: str
    client_id: str
    nonce: str
    signed_in_since: float | None = None
    """Seconds since the epoch: the person must have signed in at the provider after this; None: whenever."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who it is. `email`: "" where the provider does not vouch for one."""

    issuer: str
    subject: str
    email: str


def verified(token: str, keys: Iterable[Key], expected: Expected) -> Claims:
    """The claims of a token that holds. Raises TokenRefused."""
    claims = _decoded(token, keys, expected)
    _require_party(claims, expected)
    if not _same(claims.get("nonce"), expected.nonce):
        raise TokenRefused("the nonce is another one")
    _require_fresh(claims.get("auth_time"), expected.signed_in_since)
    return Claims(expected.issuer, _subject(claims["sub"]), _email(claims))


def _decoded(token: str, keys: Iterable[Key], expected: Expected) -> dict[str, Any]:
    if len(token) > _MOST_OCTETS:
        raise TokenRefused("too large")
    try:
        header = jwt.get_unverified_header(token)
        key = _key(keys, header.get("alg"), header.get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except _FAULTS as error:
        raise TokenRefused(str(error) or type(error).__name__) from error
    return claims


def _key(keys: Iterable[Key], algorithm: object, name: object) -> jwt.PyJWK:
    """The one key that may have signed the token. Raises TokenRefused, UnknownKey."""
    if not isinstance(algorithm, str) or algorithm not in _KINDS:
        raise TokenRefused(f"signed with {algorithm!a}")
    found = [key for key in keys if _suits(key, algorithm) and (name is None or key.get("kid") == name)]
    if len(found) != 1:
        raise UnknownKey(f"{len(found)} keys are called {name!a}")
    key = jwt.PyJWK(dict(found[0]), algorithm)
    if _KINDS[algorithm] == "RSA" and key.key.key_size < _RSA_BITS:
        raise TokenRefused("signed with a short key")
    return key


def _suits(key: Key, algorithm: str) -> bool:
    kind = _KINDS[algorithm]
    curves = _CURVES.get(kind)
    return (
        key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (curves is None or key.get("crv") in curves)
    )


def _require_party(claims: Mapping[str, Any], expected: Expected) -> None:
    """Where others may use the token too, or a party is named, it must be ours."""
    others = [each for each in _listed(claims["aud"]) if each != expected.client_id]
    if (others or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise TokenRefused("made for another party")


def _listed(audience: Any) -> list[Any]:
    return audience if isinstance(audience, list) else [audience]


def _require_fresh(at: object, since: float | None) -> None:
    if since is None:
        return
    if not isinstance(at, int | float) or isinstance(at, bool):
        raise TokenRefused("does not say when the person signed in")
    if not at >= since - LEEWAY:
        raise TokenRefused("the person signed in before they were asked to")


def _subject(subject: object) -> str:
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT or not subject.isprintable():
        raise TokenRefused("the subject cannot be used")
    return subject


def _email(claims: Mapping[str, Any]) -> str:
    """Only `true` itself counts: not "true", and not silence. No address beyond ASCII does: several of them can be one
    and the same in lower case."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return ""
    usable = email.isascii() and email.isprintable() and len(email) <= _MOST_EMAIL
    return email.strip().lower() if usable else ""


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and given.isascii() and hmac.compare_digest(given, wanted)
