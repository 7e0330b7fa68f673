"""The OpenID client against a provider that says all sorts of things (OpenID Connect Core 1.0 section 3.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests import support_oidc
from tests.support_certs import Authority
from tests.support_oidc import CALLBACK, CLIENT, HOST, OpenIdProvider, by_what_all_know, public, signed
from tests.support_webhooks import served

from trinco.net.guard import Guard
from trinco.net.idtoken import Claims, Expected, TokenRefused, verified
from trinco.net.oidc import Client, Provider, ProviderAway, Question

EXPECTED = Expected("https://id.example.com", CLIENT, "n-1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("oidc"))


@pytest.fixture
def there(authority: Authority) -> Iterator[OpenIdProvider]:
    with served(OpenIdProvider(), authority.server(HOST)) as made:  # type: ignore[type-var]
        yield made


@pytest.fixture
def known(there: OpenIdProvider, authority: Authority) -> Provider:
    return there.known(authority.pem)


def claims(**more: Any) -> dict[str, Any]:
    """What a token says. A moment that is given as `soon` is so far from the moment at which the token is made."""
    now = int(time.time())
    more = {name: now + value.seconds if isinstance(value, Soon) else value for name, value in more.items()}
    usual = {"iss": EXPECTED.issuer, "aud": CLIENT, "sub": "u-1", "nonce": "n-1", "iat": now, "exp": now + 300}
    made = {**usual, "email": "Ana@Example.com", "email_verified": True, **more}
    return {name: value for name, value in made.items() if value is not None}


@dataclass(frozen=True)
class Soon:
    seconds: int


def soon(seconds: int) -> Soon:
    return Soon(seconds)


def asked(known: Provider, there: OpenIdProvider, **more: Any) -> Claims:
    question = Question.now()
    return known.claims(there.grant(known.address(question), **more)["code"], question)


class TestTokens:
    """A token counts that a key of the provider's has signed, for us, now, in answer to what we asked."""

    @pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
    def test_one_that_holds(self, algorithm: str) -> None:
        keys = [public("RS256" if algorithm == "PS256" else algorithm)]
        assert verified(signed(claims(), algorithm), keys, EXPECTED) == Claims(
            EXPECTED.issuer, "u-1", "ana@example.com"
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"nonce": "n-2"},
            {"nonce": None},
            {"nonce": 1},
            {"nonce": "\ud800"},
            {"sub": "\ud800"},
            {"exp": float("inf")},
            {"iat": "x"},
            {"aud": 7},
            {"aud": "another"},
            {"aud": [CLIENT, "another"]},
            {"aud": [CLIENT, "another"], "azp": "another"},
            {"aud": []},
            {"aud": None},
            {"azp": "another"},
            {"iss": "https://id.example.com/"},
            {"iss": "https://evil.example.com"},
            {"iss": None},
            {"exp": soon(-61)},
            {"exp": None},
            {"exp": "x"},
            {"nbf": soon(90)},
            {"iat": soon(90)},
            {"iat": None},
            {"sub": None},
            {"sub": ""},
            {"sub": 7},
            {"sub": "a\0b"},
            {"sub": "x" * 256},
        ],
        ids=str,
    )
    def test_claims_that_do_not_hold(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(TokenRefused):
            verified(signed(claims(**wrong)), [public()], EXPECTED)

    @pytest.mark.parametrize("near", [{"exp": soon(-30)}, {"nbf": soon(30)}, {"iat": soon(30)}])
    def test_a_minute_between_the_clocks(self, near: dict[str, Any]) -> None:
        assert verified(signed(claims(**near)), [public()], EXPECTED).subject == "u-1"

    def test_others_may_use_it_where_we_are_the_party(self) -> None:
        token = signed(claims(aud=[CLIENT, "another"], azp=CLIENT))
        assert verified(token, [public()], EXPECTED).subject == "u-1"

    @pytest.mark.parametrize(
        "sign",
        [
            support_oidc.without_signature,
            by_what_all_know,
            partial(signed, algorithm="RS256", kind="other"),
            partial(signed, algorithm="RS512", kind="RS256"),
            lambda made: signed(made)[:-8] + "AAAAAAAA",
            lambda made: signed(made).rpartition(".")[0] + ".",
            lambda _made: "a.b.c",
            lambda _made: "",
            lambda _made: "x" * 100_000,
            lambda _made: "e30.e30.e30",
        ],
    )
    def test_signatures_that_are_none(self, sign: Callable[[dict[str, Any]], str]) -> None:
        with pytest.raises(TokenRefused):
            verified(sign(claims()), [public()], EXPECTED)

    @pytest.mark.parametrize(
        "keys",
        [
            [],
            [public(name="k2")],
            [public(), public()],
            [public(use="enc")],
            [public(alg="RS512")],
            [{"kty": "RSA", "kid": "k1"}],
            [{**public(), "n": 7}],
            [{"kid": "k1"}],
            [{**public(), "e": "AQAB", "n": "AA"}],
            [{**public(), "n": [], "e": {}}],
            [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}],
        ],
    )
    def test_keys_that_do_not_fit(self, keys: list[dict[str, Any]]) -> None:
        with pytest.raises(TokenRefused):
            verified(signed(claims()), keys, EXPECTED)

    @pytest.mark.parametrize(
        "wrong", [{"x": 7}, {"x": None}, {"x": "AA"}, {"crv": "P-384"}, {"crv": []}, {"y": ""}], ids=str
    )
    @pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
    def test_keys_that_are_none(self, kind: str, wrong: dict[str, Any]) -> None:
        if kind == "EdDSA" and "y" in wrong:
            wrong = {"kty": "EC"}
        with pytest.raises(TokenRefused):
            verified(signed(claims(), kind), [public(kind, **wrong)], EXPECTED)

    @pytest.mark.parametrize(
        "email", ["an\u212a@example.com", "a\0b@example.com", "\ud800@example.com", "a" * 255, 7, ["a@example.com"]]
    )
    def test_an_address_that_cannot_be_used(self, email: object) -> None:
        assert verified(signed(claims(email=email)), [public()], EXPECTED).email == ""

    def test_a_short_key(self) -> None:
        with pytest.warns(match="below the minimum"):
            token = signed(claims(), kind="short")
        with pytest.raises(TokenRefused, match="short"):
            verified(token, [public("short")], EXPECTED)

    def test_a_token_without_a_name_fits_the_only_key(self) -> None:
        assert verified(signed(claims(), name=None), [public(name=None), public("ES256")], EXPECTED).subject == "u-1"

    @pytest.mark.parametrize("word", ["true", 1, False, None, ["true"]])
    def test_an_address_that_nobody_vouches_for(self, word: object) -> None:
        assert verified(signed(claims(email_verified=word)), [public()], EXPECTED).email == ""

    @pytest.mark.parametrize("at", [None, soon(-120), "now", True], ids=["none", "early", "a word", "true"])
    def test_who_did_not_sign_in_anew(self, at: object) -> None:
        expected = replace(EXPECTED, signed_in_since=time.time())
        with pytest.raises(TokenRefused):
            verified(signed(claims(auth_time=at)), [public()], expected)
        assert verified(signed(claims(auth_time=soon(0))), [public()], expected).subject == "u-1"


class TestTheRoad:
    """Discovery, the person's way, the code for a token."""

    def test_there_and_back(self, there: OpenIdProvider, known: Provider) -> None:
        assert asked(known, there) == Claims(there.issuer, "u-1", "ana@example.com")
        (form, proof), paths = there.forms[0], there.asked
        assert paths == ["/.well-known/openid-configuration", "/token", "/keys"]
        assert (form["grant_type"], form["redirect_uri"], proof[:6]) == ("authorization_code", CALLBACK, "Basic ")

    def test_what_the_person_takes_along(self, there: OpenIdProvider, known: Provider) -> None:
        there.discovery = {"authorization_endpoint": f"{there.issuer}/auth?tenant=7"}
        question = replace(Question.now(anew=True), verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        found = parse_qs(urlsplit(known.address(question)).query)
        assert {name: values[0] for name, values in found.items()} == {
            "tenant": "7",
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "scope": "openid email profile",
            "state": question.state,
            "nonce": question.nonce,
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636 appendix B
            "code_challenge_method": "S256",
            "prompt": "login",
            "max_age": "0",
        }

    @pytest.mark.parametrize(
        ("secret", "methods", "sent", "proof"),
        [
            ("", ["none"], {"client_id": CLIENT}, ""),
            ("s", ["client_secret_post"], {"client_id": CLIENT, "client_secret": "s"}, ""),
            ("a:b", ["client_secret_basic", "client_secret_post"], {}, "Basic dHJpbmNvOmElM0Fi"),
        ],
    )
    def test_who_we_are(
        self,
        there: OpenIdProvider,
        authority: Authority,
        secret: str,
        methods: list[str],
        sent: dict[str, str],
        proof: str,
    ) -> None:
        there.discovery = {"token_endpoint_auth_methods_supported": methods}
        asked(there.known(authority.pem, secret=secret), there)
        form, given = there.forms[0]
        assert ({name: form[name] for name in form if name.startswith("client")}, given) == (sent, proof)

    def test_a_code_is_good_for_once(self, there: OpenIdProvider, known: Provider) -> None:
        question = Question.now()
        code = there.grant(known.address(question))["code"]
        known.claims(code, question)
        with pytest.raises(TokenRefused, match="invalid_grant"):
            known.claims(code, question)

    def test_a_new_key_is_looked_up_once_a_minute(
        self, there: OpenIdProvider, known: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked(known, there)
        there.sign, there.keys = partial(signed, name="k2"), [public(name="k2")]
        with pytest.raises(TokenRefused):
            asked(known, there)
        monkeypatch.setattr("trinco.net.oidc._AGAIN", 0.0)
        assert asked(known, there).subject == "u-1"
        assert there.asked.count("/keys") == 2

    def test_an_unknown_key(self, there: OpenIdProvider, known: Provider) -> None:
        there.sign = partial(signed, name="k9")
        with pytest.raises(TokenRefused):
            asked(known, there)


class TestOddProviders:
    """Whatever it says, and however slowly: an error with a sentence, within its time."""

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/.well-known/openid-configuration", (302, "Location: https://id.example.com/\r\n", b"")),
            ("/.well-known/openid-configuration", (200, "", b"[]")),
            ("/.well-known/openid-configuration", (200, "", b"{}")),
            ("/.well-known/openid-configuration", (200, "", b"\xff")),
            ("/.well-known/openid-configuration", (200, "", b"[" * 100_000)),
            ("/.well-known/openid-configuration", (500, "", b"")),
            ("/keys", (200, "", b'{"keys": [' + b" " * 300_000 + b"]}")),
            ("/keys", (200, "", b'{"keys": 7}')),
            ("/token", (500, "", b"")),
            ("/token", (200, "", b"{}")),
            ("/token", (200, "", b'{"id_token": 7}')),
            ("/token", (400, "", b"x")),
        ],
        ids=str,
    )
    def test_what_it_says(
        self, there: OpenIdProvider, known: Provider, path: str, answer: tuple[int, str, bytes]
    ) -> None:
        there.answers[path] = answer
        with pytest.raises(ProviderAway):
            asked(known, there)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("issuer", "https://evil.example.com"),
            ("token_endpoint", "http://id.example.com/token"),
            ("token_endpoint", "https://me:x@id.example.com/token"),
            ("jwks_uri", "https://id.example.com:99999/"),
            ("jwks_uri", "file:///etc/passwd"),
            ("authorization_endpoint", "javascript:alert(1)"),
            ("authorization_endpoint", "https://id.example.com/\r\nSet-Cookie: a=b"),
            ("authorization_endpoint", "https://id.example.com/#x"),
        ],
    )
    def test_what_it_names(self, there: OpenIdProvider, known: Provider, name: str, value: str) -> None:
        there.discovery = {name: value}
        with pytest.raises(ProviderAway):
            asked(known, there)

    def test_a_slow_one(self, there: OpenIdProvider, known: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trinco.net.oidc.PATIENCE", 0.2)
        there.hold = 1.0
        with pytest.raises(ProviderAway, match=r"did not answer in 0\.2 s"):
            asked(known, there)

    def test_an_address_inside(self, there: OpenIdProvider, authority: Authority) -> None:
        client = Client(there.issuer, CLIENT, "", CALLBACK)
        inside = Provider(client, lambda: there.asker(authority.pem, Guard()))
        with pytest.raises(ProviderAway, match="no address that may be dialled"):
            inside.address(Question.now())
        assert there.asked == []

    def test_another_certificate(self, there: OpenIdProvider, tmp_path: Path) -> None:
        with pytest.raises(ProviderAway, match="certificate"):
            there.known(Authority(tmp_path).pem).address(Question.now())


class TestSilence:
    """Whoever waits for a silent provider keeps a thread of the panel: few do, and those who come later hear it at
    once."""

    def test_it_is_left_alone_for_a_while(
        self, there: OpenIdProvider, known: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = "/.well-known/openid-configuration"
        there.answers[path] = (500, "", b"")
        for _ in range(3):
            with pytest.raises(ProviderAway):
                known.address(Question.now())
        assert there.asked == [path]
        del there.answers[path]
        monkeypatch.setattr("trinco.net.oidc._REST", 0.0)
        assert known.address(Question.now()).startswith(there.issuer)

    def test_few_wait_together(self, there: OpenIdProvider, known: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trinco.net.oidc._WAIT", 0.01)
        monkeypatch.setattr("trinco.net.oidc.PATIENCE", 60.0)
        there.hold = 60.0
        with ThreadPoolExecutor(7) as threads:
            tries = [threads.submit(known.address, Question.now()) for _ in range(7)]
            ended = as_completed(tries, 60)
            for _ in range(3):
                next(ended)
            there.hold = 0.0
        faults = [str(error) for each in tries if (error := each.exception()) is not None]
        assert faults == ["too many wait for it already"] * 3
        assert asked(known, there).subject == "u-1"
