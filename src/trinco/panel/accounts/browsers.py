"""The browsers in which a person is signed in: when each was last seen, and ending one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from trinco.panel.accounts.actors import client_address
from trinco.panel.accounts.models import User

NOTED: Final = 60.0
"""Seconds between two notes of when a session was seen, in each process."""
_MOST: Final = 10_000
_BROWSERS: Final = (
    ("Edge", r"\bEdg[A-Z]*/"),
    ("Opera", r"\bOPR/"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\b(Firefox|FxiOS)/"),
    ("Chrome", r"\b(Chrome|CriOS|HeadlessChrome)/"),
    ("Safari", r"\bSafari/"),
)
_SYSTEMS: Final = (
    ("Android", r"\bAndroid\b"),
    ("iOS", r"\b(iPhone|iPad|iPod)\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\bLinux\b"),
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A session. `browser` and `system` are what the browser says of itself; "": nothing that we know."""

    pk: int
    browser: str
    system: str
    address: str
    since: datetime
    seen: datetime
    current: bool


def signed_in(request: HttpRequest, user: User) -> list[Signed]:
    """The person's sessions: this one first, then the one that was seen last."""
    here = request.session.session_key
    rows = [_signed(row, here) for row in UserSession.objects.purge_and_list(user)]
    return sorted(rows, key=lambda each: (not each.current, -each.seen.timestamp()))


def end(user: User, pk: int) -> bool:
    """This session of theirs is over from its next request on. Whether there was one."""
    row = UserSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        return False
    get_adapter().end_sessions([row])
    return True


def end_others(request: HttpRequest, user: User) -> None:
    """All of theirs but this one."""
    rows = UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key)
    get_adapter().end_sessions(list(rows))


def _signed(row: UserSession, here: str | None) -> Signed:
    browser, system = told(row.user_agent)
    return Signed(row.pk, browser, system, row.ip, row.created_at, row.last_seen_at, row.session_key == here)


def told(agent: str) -> tuple[str, str]:
    """The browser and the system in a User-Agent; "" for what is unknown."""
    return _first(_BROWSERS, agent), _first(_SYSTEMS, agent)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, agent)), "")


class SeenMiddleware:
    """Notes when a session was seen, and from where: once a minute, not with each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.session.session_key
        if key and request.user.is_authenticated and self._due(key):
            facts = {"last_seen_at": timezone.now(), "ip": client_address(request)}
            UserSession.objects.filter(session_key=key).update(**facts)
        return self.get_response(request)

    def _due(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._noted.get(key, -NOTED) < NOTED:
                return False
            if len(self._noted) >= _MOST:
                self._noted.clear()
            self._noted[key] = now
            return True
