"""Which organisation an address is about: `/o/7/domains/…` is `/domains/…` in the organisation with the key 7.

The prefix is taken off before any page is looked up, and put in front of every link that is written meanwhile, as a web
server does for an application that it mounts below a path: several tabs are in several organisations, and a link that
is sent to a colleague opens where it was copied. Without the prefix it is the first organisation of one's own; who has
several is sent on to the address with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, resolve, set_script_prefix

from trinco.core.names import Domain
from trinco.panel import doors
from trinco.panel.accounts.access import Access, visible
from trinco.panel.domains.models import HostedDomain, State

_PREFIX = re.compile(r"/o/([1-9][0-9]{0,17})(?=/)")
_ATTRIBUTE = "mounted_organisation"


class MountMiddleware:
    """Takes the prefix off, and puts it in front of what is written."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = _PREFIX.match(request.path_info)
        if found is None:
            return self.get_response(request)
        setattr(request, _ATTRIBUTE, int(found[1]))
        request.path_info = request.path_info[found.end() :]
        before = get_script_prefix()
        set_script_prefix(f"{before.rstrip('/')}{found[0]}/")
        try:
            return self.get_response(request)
        finally:
            set_script_prefix(before)


def resumed(request: HttpRequest, organisation_id: str) -> HttpResponseBase:
    """Go on with a request that waited for a password. Raises Http404 to everybody else.

    Whoever suspended it (allauth) looks its view up by the whole path; the request itself has lost its prefix already.
    """
    if named(request) != int(organisation_id) or _PREFIX.match(request.path_info):
        raise Http404
    found = resolve(request.path_info)
    response: HttpResponseBase = found.func(request, *found.args, **found.kwargs)
    return response


def named(request: HttpRequest) -> int | None:
    """The key of the organisation that the address names."""
    found: int | None = getattr(request, _ATTRIBUTE, None)
    return found


def address(request: HttpRequest, organisation_id: int) -> str:
    """The same page in this organisation."""
    return root(organisation_id) + request.get_full_path().removeprefix("/")


def root(organisation_id: int) -> str:
    """The overview of this organisation."""
    return f"/o/{organisation_id}/"


def best(request: HttpRequest, access: Access, name: Domain | None) -> int:
    """Where an address without a prefix leads whoever sees several: to the organisation that has the domain."""
    if name is not None:
        seen = doors.within(request, visible(access.user))
        rows = HostedDomain.objects.everywhere().filter(name=str(name), organisation__in=seen)
        found = list(rows.exclude(state=State.GONE).order_by("pk").values_list("organisation_id", flat=True)[:50])
        if found and access.organisation.pk not in found:
            return int(found[0])
    return int(access.organisation.pk)
