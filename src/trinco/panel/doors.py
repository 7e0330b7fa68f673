"""The door by which a request came: the panel's own host, or that of a provider's label.

Django lets the hosts of `ALLOWED_HOSTS` in. A label's host is let in beside them once it is proven, by what the tables
say and not by what the client wrote: from here on the request's host, port and scheme are ours, whatever case, final
dot or forwarding header came with it. What is neither is refused by Django with 400.

Behind such a door there is its provider with its clients, and nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.request import validate_host
from django.http.response import HttpResponseBase

from trinco.panel.accounts import labels
from trinco.panel.accounts.models import Label, Organisation

_HOST = re.compile(r"([a-z0-9.-]{1,253}?)\.?(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
_LABEL: Final = "label_here"
_GET_HOST: Final = "get_host"
_USUAL = {"http": "80", "https": "443"}


class HostMiddleware:
    """Finds out by which door a request came."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        label = _found(str(request.META.get("HTTP_HOST", "")))
        if label is not None:
            _enter(request, label)
        return self.get_response(request)


def label_here(request: HttpRequest) -> Label | None:
    """The label whose host the request came to."""
    found: Label | None = getattr(request, _LABEL, None)
    return found


def here(request: HttpRequest) -> QuerySet[Organisation] | None:
    """The organisations behind this door; None: all."""
    label = label_here(request)
    return None if label is None else Organisation.objects.filter(labels.family(label))


def within(request: HttpRequest, rows: QuerySet[Organisation]) -> QuerySet[Organisation]:
    """Those of these organisations that are behind this door."""
    label = label_here(request)
    return rows if label is None else rows.filter(labels.family(label))


def opens(request: HttpRequest, organisation: Organisation) -> bool:
    """Whether this door leads to the organisation."""
    label = label_here(request)
    return label is None or labels.covers(label, organisation)


def ask(request: HttpRequest) -> HttpResponse:
    """For a front that gets certificates by itself: 200 where the name is a label's host, else 404; 503 while the
    database is away."""
    named = _HOST.fullmatch(request.GET.get("domain", ""))
    try:
        status = 200 if named and not named[2] and _named(named[1]) else 404
    except DatabaseError:
        status = 503
    return HttpResponse(status=status, headers={"Cache-Control": "no-store"})


def _found(written: str) -> Label | None:
    """By the Host header: without a port or with the panel's, which may be the one of its scheme."""
    found = _HOST.fullmatch(written)
    if found is None or validate_host(found[1].lower(), settings.ALLOWED_HOSTS):
        return None
    panel = urlsplit(settings.CONFIG.panel_url)
    port = str(panel.port) if panel.port else _USUAL.get(panel.scheme)
    return _named(found[1]) if found[2] in (None, port) else None


def _named(host: str) -> Label | None:
    name = host.lower()
    return labels.at(name) if "." in name else None


def _enter(request: HttpRequest, label: Label) -> None:
    ours = labels.netloc(str(label.host))
    setattr(request, _LABEL, label)
    setattr(request, _GET_HOST, lambda: ours)
    request.META["wsgi.url_scheme"] = urlsplit(settings.CONFIG.panel_url).scheme
