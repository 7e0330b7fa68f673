"""What a browser has asked the OpenID provider, until it comes back: kept in its session, good for once, for a while.

A state of another browser, or one that was used, is none (OpenID Connect Core 1.0 section 3.1.2.7, RFC 6749 section
10.12).
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from trinco.net.idtoken import Claims
from trinco.net.oidc import Question
from trinco.panel.accounts.models import User

LIVES: Final = 600.0
"""Seconds that somebody may take at the provider, or for their password."""
_TABS: Final = 5
_QUESTIONS: Final = "sso_questions"
_UNBOUND: Final = "sso_unbound"
_MOST_NEXT: Final = 1000
_INVITATION: Final = re.compile(r"/invitations/([A-Za-z0-9_-]{1,100})/")


class Why(StrEnum):
    """What for: to come in, to connect the account, to prove once more who one is."""

    ENTER = "enter"
    CONNECT = "connect"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, with what it is for. `user`: the key of who was signed in; None: nobody."""

    question: Question
    why: Why
    next: str
    user: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The provider has said who it is; the password of their account is wanted yet."""

    claims: Claims
    user: int
    next: str
    at: float


def ask(request: HttpRequest, why: Why, following: str) -> Asked:
    """A new question of this browser's."""
    question = Question.now(anew=why is Why.AGAIN)
    user = int(request.user.pk) if isinstance(request.user, User) else None
    asked = Asked(question, why, following, user)
    kept: dict[str, Any] = request.session.get(_QUESTIONS, {})
    newest = sorted(kept, key=lambda state: kept[state]["question"]["at"])[1 - _TABS :]
    request.session[_QUESTIONS] = {state: kept[state] for state in newest} | {question.state: asdict(asked)}
    return asked


def taken(request: HttpRequest, state: str) -> Asked | None:
    """The question with this state, which is used up by that; None: this browser did not ask it, or long ago."""
    kept: dict[str, Any] = request.session.get(_QUESTIONS, {})
    found = kept.pop(state, None)
    if found is None:
        return None
    request.session[_QUESTIONS] = kept
    asked = Asked(Question(**found["question"]), Why(found["why"]), found["next"], found["user"])
    digest = hashlib.sha256(state.encode()).hexdigest()
    first = cache.add(f"sso:{digest}", 1, 2 * LIVES)  # of two at once one comes first
    return asked if first and _young(asked.question.at) else None


def wait(request: HttpRequest, claims: Claims, user: User, following: str) -> None:
    """Ask for the password on the next page."""
    request.session[_UNBOUND] = asdict(Waiting(claims, int(user.pk), following, time.time()))


def waiting(request: HttpRequest) -> Waiting | None:
    """Whose password is wanted."""
    found = request.session.get(_UNBOUND)
    if found is None or not _young(found["at"]):
        return None
    return Waiting(Claims(**found["claims"]), found["user"], found["next"], found["at"])


def end(request: HttpRequest) -> None:
    """Nothing is waited for any more."""
    request.session.pop(_UNBOUND, None)


def following(address: str) -> str:
    """An address within the panel to go on to; "": it was another one, or none."""
    ours = address.startswith("/") and len(address) <= _MOST_NEXT
    return address if ours and url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


def invitation(address: str) -> str:
    """The token of the invitation whose page this is; "": another page."""
    found = _INVITATION.fullmatch(address)
    return found[1] if found else ""


def _young(at: float) -> bool:
    return 0 <= time.time() - at < LIVES
