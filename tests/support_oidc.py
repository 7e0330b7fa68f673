"""An OpenID provider over HTTPS that says what each test wants, and a browser that goes there and back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings
from django.test import Client
from tests.support_webhooks import LOOPBACK, Names

from trinco.net import https, oidc
from trinco.net.asking import Asker
from trinco.net.guard import Guard
from trinco.net.reaching import Patience

HOST = "id.example.com"
CLIENT = "trinco"
SECRET = "s3cret:&+"
CALLBACK = "http://127.0.0.1:8080/account/sso/callback/"


@cache
def key(kind: str = "RS256") -> Any:
    """A private key for this algorithm, the same each time."""
    if kind == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if kind == "short" else 2048)


def public(kind: str = "RS256", name: str | None = "k1", **more: Any) -> dict[str, Any]:
    """Its JSON Web Key."""
    algorithm = jwt.get_algorithm_by_name("RS256" if kind in ("short", "other") else kind)
    facts = algorithm.to_jwk(key(kind).public_key(), as_dict=True)
    facts.pop("key_ops", None)
    return {**facts, **({"kid": name} if name else {}), **more}


def pem(kind: str = "RS256") -> bytes:
    """What everybody knows of it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key(kind).public_key().public_bytes(serialization.Encoding.PEM, form))


def signed(claims: dict[str, Any], algorithm: str = "RS256", name: str | None = "k1", kind: str = "") -> str:
    """A token."""
    kind = kind or ("RS256" if algorithm == "PS256" else algorithm)
    headers = {"kid": name} if name else None
    return jwt.encode(claims, key(kind), algorithm, headers=headers)


def without_signature(claims: dict[str, Any]) -> str:
    """A token of the algorithm `none`."""
    return jwt.encode(claims, None, "none")


def by_what_all_know(claims: dict[str, Any]) -> str:
    """A token that is signed with HMAC by the public key, as its PEM."""
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256", "kid": "k1"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts)
    code = base64.urlsafe_b64encode(hmac.new(pem(), text, hashlib.sha256).digest()).rstrip(b"=")
    return (text + b"." + code).decode()


@dataclass
class OpenIdProvider:
    """`answers` replaces what it says at a path by (status, fields, body); `says` changes claims of every token."""

    sign: Callable[[dict[str, Any]], str] = signed
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public()])
    discovery: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    hold: float = 0.0
    """Seconds of silence before each answer; those who wait are answered when it becomes less."""
    patience: Patience = field(default_factory=lambda: Patience(60.0, 60.0))
    """Of those who ask."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    forms: list[tuple[dict[str, str], str]] = field(default_factory=list)
    codes: dict[str, tuple[dict[str, list[str]], dict[str, Any]]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"https://{HOST}:{self.port}/realms/correio"

    def grant(self, address: str, **claims: Any) -> dict[str, str]:
        """The person has agreed at this address: the parameters with which the provider sends them back."""
        asked, code = parse_qs(urlsplit(address).query), secrets.token_urlsafe(8)
        self.codes[code] = asked, claims
        return {"code": code, "state": asked["state"][0]}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}
            body = (await reader.readexactly(int(fields.get("content-length", 0)))).decode()
            path = head.split()[1].removeprefix("/realms/correio")
            self.asked.append(path)
            begun = time.monotonic()
            while time.monotonic() < begun + self.hold:
                await asyncio.sleep(0.01)
            status, more, said = self.answers.get(path) or self.say(path, body, fields.get("authorization", ""))
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(said)}\r\n{more}\r\n".encode() + said)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def say(self, path: str, body: str, proof: str) -> tuple[int, str, bytes]:
        if path == "/token":
            status, said = self.token(dict(parse_qsl(body)), proof)
        else:
            status, said = 200, {"keys": self.keys} if path == "/keys" else self.itself()
        return status, "Content-Type: application/json\r\n", json.dumps(said).encode()

    def itself(self) -> dict[str, Any]:
        there = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
        made = {name: f"{self.issuer}/{end}" for name, end in there.items()}
        return {"issuer": self.issuer, "response_types_supported": ["code"], **made, **self.discovery}

    def token(self, form: dict[str, str], proof: str) -> tuple[int, dict[str, Any]]:
        self.forms.append((form, proof))
        asked, claims = self.codes.pop(form.get("code", ""), ({}, {}))
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked.get("code_challenge") != [digest] or asked["redirect_uri"] != [form["redirect_uri"]]:
            return 400, {"error": "invalid_grant"}
        return 200, {"token_type": "Bearer", "id_token": self.sign(self.claims(asked, claims))}

    def claims(self, asked: dict[str, list[str]], claims: dict[str, Any]) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": asked["client_id"][0], "sub": "u-1", "nonce": asked["nonce"][0]}
        times = {"iat": now, "exp": now + 300, **({"auth_time": now} if "max_age" in asked else {})}
        made = {**usual, **times, "email": "ana@example.com", "email_verified": True, **claims}
        return {name: value for name, value in made.items() if value is not None}

    def asker(self, roots: Any, guard: Guard | None = None) -> Asker:
        names: Any = Names(Guard(LOOPBACK) if guard is None else guard, {HOST: ("127.0.0.1",)})
        return Asker(names, https.context(roots), self.patience)

    def known(self, roots: Any, **client: str) -> oidc.Provider:
        """As a process of ours knows it."""
        usual = {"issuer": self.issuer, "id": CLIENT, "secret": SECRET, "redirect_uri": CALLBACK, **client}
        return oidc.Provider(oidc.Client(**usual), lambda: self.asker(roots))


def configure(holder: Any, there: OpenIdProvider, **more: Any) -> None:
    """The settings that name this provider."""
    facts = {"oidc_issuer": there.issuer, "oidc_client_id": CLIENT, "oidc_secret": SECRET, **more}
    holder.CONFIG = replace(settings.CONFIG, **facts)


def begun(browser: Client, following: str = "", path: str = "/account/sso/") -> str:
    """The address of the provider to which the browser is led."""
    answer = browser.post(path, {"next": following})
    assert answer.status_code == 200, answer
    assert answer["Refresh"].startswith("0; url=https://")
    return str(answer["Refresh"]).removeprefix("0; url=")


def returned(browser: Client, given: dict[str, str], **options: Any) -> Any:
    """The browser comes back with these parameters."""
    return browser.get(f"/account/sso/callback/?{urlencode(given)}", **options)


def came(
    browser: Client, there: OpenIdProvider, following: str = "", path: str = "/account/sso/", **claims: Any
) -> Any:
    """There and back."""
    return returned(browser, there.grant(begun(browser, following, path), **claims))
