"""The kinds of problems that the API tells of (RFC 9457 section 3.1.1): one table, which docs/api.md repeats.

A program tells them apart by `type`; `title` and `says` are for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

HOME: Final = "/api/v1/problems/"
"""Below it, the address of each kind answers with what it means."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `slug` is the end of its `type`; `says` is the sentence of a problem that brings none of its own."""

    slug: str
    status: HTTPStatus
    title: str
    says: str

    @property
    def uri(self) -> str:
        """`type`, relative to the panel's address."""
        return HOME + self.slug


def _plain(slug: str, status: HTTPStatus, says: str) -> Kind:
    return Kind(slug, status, status.phrase, says)


BAD_PARAMETER = _plain("bad-parameter", HTTPStatus.BAD_REQUEST, "A part of the address or of the headers is wrong.")
UNAUTHORIZED = _plain(
    "unauthorized", HTTPStatus.UNAUTHORIZED, "Send a token as `Authorization: Bearer trinco_…`, or sign in."
)
FORBIDDEN = _plain("forbidden", HTTPStatus.FORBIDDEN, "Your role, or the token's scope, does not allow this.")
NO_ORGANISATION = Kind(
    "no-organisation",
    HTTPStatus.FORBIDDEN,
    HTTPStatus.FORBIDDEN.phrase,
    "You belong to no organisation that could be shown.",
)
SECOND_FACTOR = Kind(
    "second-factor",
    HTTPStatus.FORBIDDEN,
    "Second factor wanted",
    "Your organisation wants a second factor: set one up in the panel.",
)
SINGLE_SIGN_ON = Kind(
    "single-sign-on",
    HTTPStatus.FORBIDDEN,
    "Single sign-on wanted",
    "Your organisation wants you to sign in by single sign-on. Programs use a token of the API.",
)
NO_FORM_TOKEN = Kind(
    "no-form-token",
    HTTPStatus.FORBIDDEN,
    "Form token wanted",
    "Whoever changes something by a session sends the form token as X-CSRFToken. Programs use a token of the API.",
)
NOT_FOUND = _plain("not-found", HTTPStatus.NOT_FOUND, "There is nothing of yours at this address.")
METHOD = _plain("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "`Allow` says which methods this address knows.")
CONFLICT = _plain("conflict", HTTPStatus.CONFLICT, "This is not possible as things are now.")
PRECONDITION = _plain(
    "changed-meanwhile",
    HTTPStatus.PRECONDITION_FAILED,
    "Somebody changed it meanwhile, or it is not as the condition says. Read it again.",
)
TOO_LARGE = Kind("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body too large", "The body is too large.")
WRONG_TYPE = _plain("wrong-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as `application/json` in UTF-8.")
BAD_BODY = Kind(
    "bad-body", HTTPStatus.UNPROCESSABLE_ENTITY, "Body cannot be used", "The body is not what this operation takes."
)
NO_CONDITION = _plain(
    "condition-wanted",
    HTTPStatus.PRECONDITION_REQUIRED,
    "Send the `ETag` that you have read as `If-Match`, so that nobody's change is overwritten.",
)
TOO_MANY = _plain("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests. `Retry-After` says when.")
INTERNAL = _plain("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "The fault is ours. It has been written down.")
KEY_REUSED = Kind(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Idempotency-Key was used for another request",
    "This Idempotency-Key belongs to another request of the last 24 hours. Take a new one.",
)
KEY_RUNNING = Kind(
    "idempotency-key-running",
    HTTPStatus.CONFLICT,
    "The first request with this Idempotency-Key has not ended",
    "The first request with this Idempotency-Key has not ended. Ask again in a moment.",
)
KEY_CUT_OFF = Kind(
    "idempotency-key-cut-off",
    HTTPStatus.CONFLICT,
    "The first request with this Idempotency-Key was cut off",
    "Nobody knows whether the first request with this Idempotency-Key was done. Look, then take a new one.",
)
KEY_TOLD_ONCE = Kind(
    "idempotency-key-told-once",
    HTTPStatus.CONFLICT,
    "Done already, and its answer is told once",
    "The first request with this Idempotency-Key was done. Its answer held a secret, which is kept nowhere.",
)
KEY_NOT_KEPT = Kind(
    "idempotency-key-not-kept",
    HTTPStatus.CONFLICT,
    "Done already, and its answer was too long to be kept",
    "The first request with this Idempotency-Key was done: `answered` is its status. The rest was too long to be kept.",
)


def _deed(slug: str, title: str, says: str, status: HTTPStatus = HTTPStatus.CONFLICT) -> Kind:
    return Kind(slug, status, title, says)


UNCOVERED_MX = _deed(
    "uncovered-mx",
    "Mail servers are not covered",
    "Mail servers in DNS match no pattern of the policy: enforce would stop mail to them. `override` goes on.",
)
MX_UNKNOWN = _deed(
    "mx-unknown",
    "Mail servers are not known",
    "The MX records could not be read in the last hour: nobody knows what enforce would stop. `override` goes on.",
)
WILDCARD_TOO_WIDE = _deed(
    "wildcard-too-wide",
    "Wildcard too wide",
    "A pattern stands for hosts of other owners. Name the hosts of your MX records.",
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
NOTHING_TO_UNDO = _deed("nothing-to-undo", "Nothing to undo", "There is no version before the current one.")
NO_MX_YET = _deed(
    "no-mx-yet", "No mail servers yet", "This mode needs an `mx` list, and the domain never had one: send it along."
)
ALREADY_STARTED = _deed(
    "already-started", "There is a policy already", "The domain has a policy already: change that one."
)
NOT_STARTED = _deed("not-started", "There is no policy yet", "The domain has no policy yet: PUT the first.")
NOT_HOSTED = _deed("not-hosted", "Not in this state", "The domain's state does not allow it.")
NOT_IN_SETUP = _deed("not-in-setup", "Served already", "The domain is served, or has been.")
OUR_OWN_NAME = _deed(
    "our-own-name",
    "Name of this installation",
    "The name lies in the zone of this installation itself.",
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
STILL_IN_USE = _deed(
    "still-in-use",
    "Still in use",
    "An organisation is closed once it hosts no domain, has no clients and no import runs.",
)
ACCENT_TOO_FAINT = _deed(
    "accent-too-faint",
    "Accent colour too faint",
    "Text in this colour, or on it, could not be read: `nearest` can.",
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

KINDS: Final = (
    BAD_PARAMETER,
    UNAUTHORIZED,
    FORBIDDEN,
    NO_ORGANISATION,
    SECOND_FACTOR,
    SINGLE_SIGN_ON,
    NO_FORM_TOKEN,
    NOT_FOUND,
    METHOD,
    CONFLICT,
    PRECONDITION,
    TOO_LARGE,
    WRONG_TYPE,
    BAD_BODY,
    NO_CONDITION,
    TOO_MANY,
    INTERNAL,
    KEY_REUSED,
    KEY_RUNNING,
    KEY_CUT_OFF,
    KEY_TOLD_ONCE,
    KEY_NOT_KEPT,
    UNCOVERED_MX,
    MX_UNKNOWN,
    WILDCARD_TOO_WIDE,
    NOTHING_TO_UNDO,
    NO_MX_YET,
    ALREADY_STARTED,
    NOT_STARTED,
    NOT_HOSTED,
    NOT_IN_SETUP,
    OUR_OWN_NAME,
    ACCENT_TOO_FAINT,
    STILL_IN_USE,
)
"""Those of the API as such, then those of the deeds."""


def of_status(status: HTTPStatus | int) -> Kind:
    """The kind that says no more than the status does."""
    known = HTTPStatus(status)
    found = next((kind for kind in KINDS if kind.status == known), None)
    return found or Kind("about:blank", known, known.phrase, "")
