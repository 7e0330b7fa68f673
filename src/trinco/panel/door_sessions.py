"""Sessions that count at the door where they were made (`doors`): at the panel's own host, or at that of one label.

Whoever has a label's host may lead it to a server of theirs, and a browser would send its cookies there. Such a cookie
opens nothing elsewhere. The settings name this module as `SESSION_ENGINE`.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.sessions.backends import db
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest

from trinco.panel import doors

_DOOR: Final = "_door"
OWN: Final = ""
"""The door of the panel's own host."""


class SessionStore(db.SessionStore):
    """`door`: the host of the label by whose door the request came, or OWN; None: a program, which comes by none."""

    door: str | None = None
    _made: str = OWN

    def load(self) -> dict[str, Any]:
        """What was kept, or nothing where it was kept at another door. A session from before there were doors is one
        of the panel's own."""
        data: dict[str, Any] = super().load()
        self._made = data.pop(_DOOR, OWN)
        if self.door in (None, self._made):
            return data
        self._session_key = None
        return {}

    def encode(self, session_dict: dict[str, Any]) -> str:
        door = self._made if self.door is None else self.door
        return str(super().encode({**session_dict, _DOOR: door} if door else session_dict))


class DoorSessionMiddleware(SessionMiddleware):
    """Tells the session by which door the request came."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        label = doors.label_here(request)
        request.session.door = label.host if label else OWN  # type: ignore[attr-defined]
