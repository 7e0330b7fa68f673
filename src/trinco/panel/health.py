"""`/healthz`: this process answers. `/readyz`: it can do its work, since the database answers and is migrated.
`/ask?domain=`: whether a front may get a certificate for this host (`doors`).

A middleware before all others: a load balancer asks by address, which the check of the host name would refuse.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from trinco.panel import clock, doors, migrating
from trinco.panel.certificates import hosts

READY = "ready"
View = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    """Answers these paths; everything else goes on."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = _PATHS.get(request.path_info)
        return answer(request) if answer else self.get_response(request)


def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers requests."""
    return _answer("live")


def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and has every table. 503 with the reason as one word otherwise."""
    word = database()
    return _answer(word, status=200 if word == READY else 503)


def database() -> str:
    """`ready`, or what is wrong in one word: `database` (it does not answer), `migrations` (it is behind)."""
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        behind = migrating.behind()
    except DatabaseError:
        return "database"
    finally:
        connection.close_if_unusable_or_obsolete()
    return "migrations" if behind else READY


def remarks() -> dict[str, str]:
    """What is not well and takes nothing from a process that is ready: the certificate of our own hosts. Asked where
    `database` says that it is ready."""
    trouble = hosts.trouble(clock.now())
    return {"own_certificate": trouble} if trouble else {}


def _answer(word: str, status: int = 200) -> HttpResponse:
    return JsonResponse({"status": word}, status=status, headers={"Cache-Control": "no-store"})


_PATHS: dict[str, View] = {"/healthz": healthz, "/readyz": readyz, "/ask": doors.ask}
