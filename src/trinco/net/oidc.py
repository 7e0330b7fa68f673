"""Signing in at an OpenID provider: the authorization code flow (OpenID Connect Core 1.0 section 3.1) with PKCE
(RFC 7636), from discovery to the claims of the ID token.

The provider says where its endpoints and its keys are, so that each of them is dialled as an address that a stranger
chose (`net.asking`). Only the ID token counts: no other answer says who somebody is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from trinco.core.errors import TrincoError
from trinco.net.asking import Asker, Said
from trinco.net.idtoken import Claims, Expected, TokenRefused, UnknownKey, verified
from trinco.net.reaching import NotTaken

SCOPE: Final = "openid email profile"
PATIENCE: Final = 15.0
"""Seconds for all that one page asks of the provider."""
_KEPT: Final = 3600.0
AT_ONCE: Final = 4
"""Who wait for the provider together, in one process: each keeps a thread of it."""
_WAIT: Final = 1.0
"""Seconds until one of them is through."""
_REST: Final = 10.0
"""Seconds for which a provider is left alone that did not say where it is to be asked."""
_AGAIN: Final = 60.0
"""Seconds between two looks at the provider's keys because one was unknown."""
_FORM: Final = "application/x-www-form-urlencoded"
_Value = TypeVar("_Value")


class ProviderAway(TrincoError):
    """The OpenID provider does not answer, or says what cannot be used. The text says why, for the log."""


class Discovered(msgspec.Struct, frozen=True):
    """What the provider says of itself (OpenID Connect Discovery 1.0 section 3), as far as it is wanted."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Tokens(msgspec.Struct):
    id_token: str


class _Refusal(msgspec.Struct):
    error: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """As whom we are registered at the provider. `secret` "": a public client."""

    issuer: str
    id: str
    secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of the provider, which its answer must fit. `at`: seconds since the epoch; `anew`: the person has
    to prove who they are once more, whatever the provider remembers."""

    state: str
    nonce: str
    verifier: str
    at: float
    anew: bool = False

    @classmethod
    def now(cls, *, anew: bool = False) -> Question:
        """One that nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, time.time(), anew)


class Provider:
    """The provider as one process knows it. `asker` makes what asks, inside the event loop that runs it."""

    def __init__(self, client: Client, asker: Callable[[], Asker]) -> None:
        self.client, self._asker = client, asker
        self._discovered: tuple[float, Discovered] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None
        self._away = float("-inf")
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def address(self, question: Question) -> str:
        """Where the person goes. Raises ProviderAway."""
        with self._place():
            there = _run(self._endpoints(self._asker())).authorization_endpoint
        return f"{there}{'&' if '?' in there else '?'}{urlencode(_parameters(self.client, question))}"

    def claims(self, code: str, question: Question) -> Claims:
        """Whom the provider means by this code. Raises ProviderAway, TokenRefused."""
        with self._place():
            return _run(self._claims(code, question))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_WAIT):
            raise ProviderAway("too many wait for it already")
        try:
            yield
        finally:
            self._places.release()

    async def _claims(self, code: str, question: Question) -> Claims:
        asker = self._asker()
        found = await self._endpoints(asker)
        token = await _redeemed(asker, found, self.client, (code, question.verifier))
        since = question.at if question.anew else None
        expected = Expected(self.client.issuer, self.client.id, question.nonce, since)
        try:
            return verified(token, await self._known(asker, found, _KEPT), expected)
        except UnknownKey:
            return verified(token, await self._known(asker, found, _AGAIN), expected)

    async def _endpoints(self, asker: Asker) -> Discovered:
        if self._discovered is None or time.monotonic() - self._discovered[0] > _KEPT:
            self._discovered = time.monotonic(), await self._asked(asker)
        return self._discovered[1]

    async def _asked(self, asker: Asker) -> Discovered:
        if time.monotonic() - self._away < _REST:
            raise ProviderAway("did not answer as it should a moment ago")
        try:
            return await _discovered(asker, self.client.issuer)
        except (NotTaken, ProviderAway):
            self._away = time.monotonic()
            raise

    async def _known(self, asker: Asker, found: Discovered, age: float) -> list[dict[str, Any]]:
        """Its keys, which we read so long ago at most."""
        if self._keys is None or time.monotonic() - self._keys[0] > age:
            keys = _parsed(_ok(await asker.get(found.jwks_uri)), _Keys).keys
            self._keys = time.monotonic(), keys
        return self._keys[1]


def _run(asking: Coroutine[Any, Any, _Value]) -> _Value:
    async def all_of_it() -> _Value:
        async with asyncio.timeout(PATIENCE):
            return await asking

    try:
        return asyncio.run(all_of_it())
    except TimeoutError:
        raise ProviderAway(f"did not answer in {PATIENCE:g} s") from None
    except NotTaken as error:
        raise ProviderAway(str(error)) from error


def _parameters(client: Client, question: Question) -> dict[str, str]:
    """Section 3.1.2.1, and RFC 7636 section 4.3."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(question.verifier.encode()).digest()).rstrip(b"=")
    return {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.redirect_uri,
        "scope": SCOPE,
        "state": question.state,
        "nonce": question.nonce,
        "code_challenge": challenge.decode("ascii"),
        "code_challenge_method": "S256",
        **({"prompt": "login", "max_age": "0"} if question.anew else {}),
    }


async def _discovered(asker: Asker, issuer: str) -> Discovered:
    said = await asker.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    found = _parsed(_ok(said), Discovered)
    if found.issuer != issuer:
        raise ProviderAway(f"calls itself {found.issuer!a}, and not {issuer}")
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        _require_https(address)
    return found


def _require_https(address: str) -> None:
    try:
        parts = urlsplit(address)
        good = parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or parts.fragment or not address.isascii() or not address.isprintable() or " " in address:
        raise ProviderAway(f"names an address that cannot be used: {address[:200]!a}")


async def _redeemed(asker: Asker, found: Discovered, client: Client, grant: tuple[str, str]) -> str:
    """The ID token for a code and its verifier (section 3.1.3.1). Raises TokenRefused: the code is good for nothing."""
    code, verifier = grant
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    fields, form = _authenticated(client, found.token_endpoint_auth_methods_supported, form)
    said = await asker.post(found.token_endpoint, {"Content-Type": _FORM, **fields}, urlencode(form).encode())
    if said.status == 400:
        raise TokenRefused(f"the code was refused: {_parsed(said.body, _Refusal).error[:80]!a}")
    return _parsed(_ok(said), _Tokens).id_token


def _authenticated(client: Client, methods: list[str], form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """How the client proves who it is (RFC 6749 section 2.3.1): fields of the request, and its form."""
    if not client.secret:
        return {}, {**form, "client_id": client.id}
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        return {}, {**form, "client_id": client.id, "client_secret": client.secret}
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}, form


def _ok(said: Said) -> bytes:
    if said.status != 200:
        raise ProviderAway(f"answered {said.status}")
    return said.body


def _parsed(body: bytes, kind: type[_Value]) -> _Value:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProviderAway(f"said what is not understood: {error}") from error
