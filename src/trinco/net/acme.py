"""One account's conversation with a certificate authority: RFC 8555, its renewal information (RFC 9773), profiles.

Over certbot's `acme` library, which signs and counts nonces. What it leaves to its caller is here: a nonce that was
refused is replaced as often as it takes, `Retry-After` is kept when the answer is a problem, and whatever it, `josepy`
and `requests` raise becomes an `AcmeFailure`. Only HTTP-01 is spoken. Which authority it is, is the operator's choice:
its URLs are not held against `net.guard`.

Everything blocks: it is the worker's, never an event loop's. One instance belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy import errors as jose_errors
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import encode_b64jose
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from trinco.net.acme_words import (
    CaRefused,
    CaUnavailable,
    Challenge,
    Offer,
    Place,
    Placed,
    RateLimited,
    Registration,
    Status,
    Window,
)

SECONDS: Final = 30
"""For a connection, and for each wait for octets of an answer."""
NONCE_TRIES: Final = 12
"""Each is two in the library: an authority that refuses every second nonce fails one request in 16 million."""
MAX_PAGES: Final = 200
"""Of a list of orders."""
MAX_CERTIFICATES: Final = 10
"""In a chain."""
_AGENT = "trinco"
_ALREADY_REPLACED = "alreadyReplaced"
_HELD_AGAINST_THE_CA = (ValueError, KeyError, TypeError, AttributeError, RecursionError, jose_errors.Error)
"""What the libraries raise for an answer that is not of the form that they expect."""


@dataclass(frozen=True, slots=True)
class _Payload(JSONDeSerializable):
    """What is signed and sent."""

    fields: Mapping[str, Any]

    def to_partial_json(self) -> dict[str, Any]:
        return dict(self.fields)

    @classmethod
    def from_json(cls, jobj: Any) -> _Payload:
        return cls(jobj)


def new_key() -> bytes:
    """A new account key (P-256), PKCS #8 DER in the clear: to be sealed at once."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def thumbprint(key: bytes) -> str:
    """What a key answers challenges with, behind the token and a dot (RFC 8555 section 8.1, RFC 7638)."""
    return encode_b64jose(_jwk(key).thumbprint())


def certificate_id(leaf: bytes) -> str:
    """The name by which RFC 9773 section 4.1 calls a certificate (DER). Raises ValueError: it has none."""
    certificate = x509.load_der_x509_certificate(leaf)
    try:
        above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        above = None
    if above is None:
        raise ValueError("a certificate without an authority key identifier")
    serial = certificate.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    return f"{encode_b64jose(above)}.{encode_b64jose(octets)}"


def _jwk(key: bytes) -> JWKEC:
    private = serialization.load_der_private_key(key, None)
    return JWKEC(key=private)


def _now() -> datetime:
    return datetime.now(UTC)


class Conversation:
    """With one authority, by one account key (PKCS #8 DER). Every method raises AcmeFailure."""

    def __init__(self, place: Place, key: bytes, now: Callable[[], datetime] = _now) -> None:
        self._key = _jwk(key)
        self._place = place
        self._now = now
        self._last: requests.Response | None = None
        self._directory: messages.Directory | None = None
        trust: Any = True if place.trust is None else str(place.trust)
        self._net = client.ClientNetwork(self._key, alg=ES256, verify_ssl=trust, user_agent=_AGENT)
        self._net._default_timeout = SECONDS  # noqa: SLF001 - its parameter takes whole seconds of one kind alone
        self._net.session.hooks["response"].append(self._heard)

    @property
    def skew(self) -> timedelta | None:
        """How far ahead of ours the authority's clock was at its last answer; None: it did not say."""
        said = None if self._last is None else _date(self._last.headers.get("Date", ""))
        return None if said is None else said - self._now()

    def offer(self) -> Offer:
        """What the authority offers."""
        with self._mapped():
            found = self._found()
            meta = found["meta"]
            return Offer(
                profiles=frozenset(meta.profiles or ()),
                renewal_info="renewalInfo" in found.to_partial_json(),
                terms=meta.terms_of_service or "",
                binding_required=bool(meta.external_account_required),
            )

    def register(self, who: Registration) -> str:
        """The URL of the account of this key, which is made where there is none (RFC 8555 section 7.3)."""
        self._net.account = None
        with self._mapped():
            found = self._found()
            fields: dict[str, Any] = {"contact": list(who.contact)} if who.contact else {}
            fields |= {"termsOfServiceAgreed": True} if who.agreed else {}
            if who.binding is not None:
                public = self._key.public_key()
                bound = messages.ExternalAccountBinding.from_data(public, who.binding.kid, who.binding.key, found)
                fields["externalAccountBinding"] = bound
            response = self._post(found["newAccount"], fields)
            account = response.headers["Location"]
        self.use(account)
        return account

    def use(self, account: str) -> None:
        """Speak as this account of the key, known from before."""
        self._net.account = messages.RegistrationResource(uri=account, body=messages.Registration())

    def order(self, names: Sequence[str], *, replaces: str = "", profile: str = "") -> Placed:
        """Order a certificate of these names (RFC 8555 section 7.4).

        `replaces`: the id of the one that it comes after (RFC 9773 section 5); CaRefused of the kind `alreadyReplaced`
        when another order has done that. `profile`: one of those that are offered.
        """
        fields: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in names]}
        fields |= {"replaces": replaces} if replaces else {}
        fields |= {"profile": profile} if profile else {}
        with self._mapped():
            response = self._post(self._found()["newOrder"], fields)
            return self._placed(response, response.headers["Location"])

    def open_orders(self, known: Container[str]) -> Iterator[tuple[Placed, frozenset[str]]]:
        """Orders of this account that are open, with their names, but for those whose URL is known (RFC 8555 section
        7.1.2.1). Nothing where the authority keeps no list: Let's Encrypt, which gives an open order again instead."""
        account = self._net.account
        with self._mapped():
            page = "" if account is None else str(self._post(account.uri, None).json().get("orders", ""))
        for _ in range(MAX_PAGES):
            if not page:
                return
            with self._mapped():
                response = self._post(page, None)
                urls, page = [str(each) for each in response.json()["orders"]], _next_page(response)
            for url in urls:
                if url not in known:
                    yield from self._open(url)

    def _open(self, url: str) -> Iterator[tuple[Placed, frozenset[str]]]:
        with self._mapped():
            response = self._post(url, None)
            names = frozenset(str(each["value"]) for each in response.json()["identifiers"])
            placed = self._placed(response, url)
        if placed.status in (Status.PENDING, Status.READY):
            yield placed, names

    def look(self, order: str) -> Placed:
        """An order, by its URL, as it is now."""
        with self._mapped():
            return self._placed(self._post(order, None), order)

    def challenge(self, authorization: str) -> Challenge:
        """What is to be shown for one name of an order."""
        with self._mapped():
            body = messages.Authorization.from_json(self._post(authorization, None).json())
            host = body.identifier.value
            for each in body.challenges:
                if isinstance(each.chall, challenges.HTTP01):
                    waits = body.status == messages.STATUS_PENDING and each.status == messages.STATUS_PENDING
                    return Challenge(host, each.uri, waits, "" if each.error is None else _words(each.error))
        raise CaRefused(f"{host} cannot be proven over HTTP here", "unsupported")

    def tell(self, challenge: Challenge) -> None:
        """Say that a challenge is met: the authority looks (RFC 8555 section 7.5.1)."""
        with self._mapped():
            self._post(challenge.url, {})

    def finalize(self, order: Placed, csr: bytes) -> Placed:
        """Hand in the request (DER) of an order that is ready (RFC 8555 section 7.4)."""
        with self._mapped():
            return self._placed(self._post(order.finalize, {"csr": encode_b64jose(csr)}), order.url)

    def download(self, certificate: str) -> tuple[bytes, ...]:
        """The certificate and its issuers, DER, the end entity's first (RFC 8555 section 7.4.2)."""
        with self._mapped():
            text = self._post(certificate, None, {"Accept": "application/pem-certificate-chain"}).content
            found = x509.load_pem_x509_certificates(text)
            if len(found) > MAX_CERTIFICATES:
                raise ValueError("a chain beyond all measure")
            return tuple(each.public_bytes(serialization.Encoding.DER) for each in found)

    def window(self, leaf: bytes) -> Window | None:
        """When this certificate (DER) is to be renewed; None: the authority does not say (RFC 9773 section 4)."""
        with self._mapped():
            found = self._found().to_partial_json()
            if "renewalInfo" not in found:
                return None
            answer = self._net.get(f"{found['renewalInfo']}/{certificate_id(leaf)}")
            said = messages.RenewalInfo.from_json(answer.json()).suggested_window
            if said.end < said.start:
                raise ValueError("a window that ends before it starts")
            explanation = str(answer.json().get("explanationURL", ""))
            return Window(said.start, said.end, _retry_at(answer, self._now()), explanation[:255])

    # What is below.

    def _found(self) -> messages.Directory:
        if self._directory is None:
            response = self._net.get(self._place.directory)
            directory = messages.Directory.from_json(response.json())
            for name in ("newNonce", "newAccount", "newOrder"):
                directory[name]
            self._directory = directory
        return self._directory

    def _post(
        self, url: str, fields: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """POST, or POST-as-GET without `fields`, with as many nonces as it takes (RFC 8555 section 6.5)."""
        payload = None if fields is None else _Payload(fields)
        more: dict[str, Any] = {"new_nonce_url": self._found()["newNonce"]}
        if headers:
            more["headers"] = {"Content-Type": self._net.JOSE_CONTENT_TYPE, **headers}
        for _ in range(NONCE_TRIES - 1):
            try:
                return self._net.post(url, cast(Any, payload), **more)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return self._net.post(url, cast(Any, payload), **more)

    def _placed(self, response: requests.Response, url: str) -> Placed:
        body = messages.Order.from_json(response.json())
        return Placed(
            url=url,
            status=Status(body.status.name),
            finalize=body.finalize,
            authorizations=tuple(body.authorizations or ()),
            certificate=body.certificate or "",
            problem="" if body.error is None else _words(body.error),
            retry_at=_retry_at(response, self._now()),
        )

    def _heard(self, response: requests.Response, *_args: Any, **_options: Any) -> None:
        self._last = response

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Whatever is raised below, in our words."""
        self._last = None
        try:
            yield
        except messages.Error as problem:
            raise self._refusal(problem) from None
        except errors.ConflictError:  # RFC 9773 section 5: the library drops the problem that comes with a 409
            raise CaRefused("the certificate was replaced already", _ALREADY_REPLACED) from None
        except requests.RequestException as error:
            raise CaUnavailable(f"{self._host} cannot be reached: {_reason(error)}") from error
        except (errors.Error, *_HELD_AGAINST_THE_CA) as error:
            raise self._unintelligible(error) from error

    def _refusal(self, problem: messages.Error) -> CaRefused | CaUnavailable | RateLimited:
        retry_at = None if self._last is None else _retry_at(self._last, self._now())
        kind, words = str(problem.typ).rpartition(":")[2], _words(problem)
        if kind == "rateLimited":
            return RateLimited(words, retry_at)
        if kind in ("serverInternal", "badNonce") or (self._last is not None and self._last.status_code >= 500):
            return CaUnavailable(f"{self._host} says: {words}", retry_at)
        return CaRefused(words, kind)

    def _unintelligible(self, error: Exception) -> CaRefused | CaUnavailable:
        """An answer without a problem document, or of another form than RFC 8555 gives it."""
        status = None if self._last is None else self._last.status_code
        if status in (404, 410):
            return CaRefused(f"{self._host} answered {status}", "malformed")
        retry_at = None if self._last is None else _retry_at(self._last, self._now())
        said = f"answered {status}" if status and status >= 400 else f"did not answer as RFC 8555 says ({_name(error)})"
        return CaUnavailable(f"{self._host} {said}", retry_at)

    @property
    def _host(self) -> str:
        return self._place.directory.removeprefix("https://").partition("/")[0]


def _words(problem: messages.Error) -> str:
    """What a problem document says to people, with what its parts say."""
    parts = [problem.detail or problem.title or str(problem.typ)]
    parts += [sub.detail for sub in problem.subproblems or () if sub.detail]
    return "; ".join(parts)


def _name(error: Exception) -> str:
    return type(error).__name__


def _reason(error: requests.RequestException) -> str:
    """The innermost cause, which is what a person can do something about."""
    cause: BaseException = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
    return str(cause)[:200] or _name(error)


def _next_page(response: requests.Response) -> str:
    return str(response.links.get("next", {}).get("url", ""))


def _retry_at(response: requests.Response, now: datetime) -> datetime | None:
    """RFC 9110 section 10.2.3: seconds, or a moment."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return now + timedelta(seconds=int(text))
    return _date(text)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
