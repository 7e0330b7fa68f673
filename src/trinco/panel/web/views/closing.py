"""Closing an organisation, and what a provider still reads of clients that were closed."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from trinco.core.errors import TrincoError
from trinco.panel import closing, mounts, wall
from trinco.panel.accounts import actors, log, mfa
from trinco.panel.accounts.models import Membership
from trinco.panel.accounts.roles import Deed
from trinco.panel.reports.services import retention_of
from trinco.panel.web import paging
from trinco.panel.web.access import MemberRequest, may, step_before
from trinco.panel.web.onward import go_on
from trinco.panel.web.refusals import refusal
from trinco.panel.web.views.activity import FORMS

SHOWN = 50
"""Domains that are named on the page: those that are hosted still."""


@require_http_methods(["GET", "POST"])
@may(Deed.ORGANISATION_MANAGE)
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]
def close(request: MemberRequest) -> HttpResponse:
    """What would end, or what keeps it open; posted, it is closed."""
    if request.method != "POST":
        return _page(request)
    name, provider = request.organisation.name, request.membership.provider
    try:
        closing.close(access=request.membership, actor=actors.of(request))
    except TrincoError as error:
        return _page(request, refusal(error))
    messages.success(request, _("%s is closed.") % name)
    return go_on(request, f"{mounts.root(provider.pk)}clients/closed/" if provider else _next(request))


def _next(request: MemberRequest) -> str:
    """Where its owner goes, whom it may have been the only organisation of."""
    return "/" if Membership.objects.filter(user=request.user).exists() else "/account/organisations/"


def _page(request: MemberRequest, problem: str = "") -> HttpResponse:
    found = closing.hindrances(request.organisation)
    context: dict[str, Any] = {
        "nav": "people",
        "problem": problem,
        "hindrances": found,
        "domains": list(found.domains[:SHOWN]) if found else [],
        "more": max(found.domains.count() - SHOWN, 0) if found else 0,
        "ends": closing.ends(request.organisation),
        "retention": retention_of(request.organisation),
    }
    return render(request, "web/closing.html", context)


@require_GET
@may(Deed.READ)
def closed(request: MemberRequest) -> HttpResponse:
    """The former clients, with their logs."""
    _require_provider(request)
    former = closing.closed_clients(request.organisation)
    page, rows = paging.page_of(request, former)
    context = {
        "nav": "clients",
        "page": page,
        "page_query": paging.query_without_page(request),
        "rows": rows,
        "open": set(mfa.open_to(request.membership, former).values_list("pk", flat=True)),
    }
    return render(request, "web/closed.html", context)


@require_GET
@may(Deed.READ)
def closed_log(request: MemberRequest, pk: int, form: str) -> HttpResponseBase:
    """All that the log of a former client says, as a file."""
    _require_provider(request)
    there = closing.former(request.membership, pk)
    if form not in FORMS:
        raise Http404
    first = step_before(request, there)
    if first is not None:
        return first
    client = there.organisation
    wall.tell([request.organisation.pk, client.pk])
    write, media_type = FORMS[form]
    headers = {
        "Content-Disposition": f'attachment; filename="activity-{client.pk}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(write(log.lines(client, log.Asked())), content_type=media_type, headers=headers)


def _require_provider(request: MemberRequest) -> None:
    """Raises Http404: a client has no clients."""
    if request.organisation.parent_id is not None:
        raise Http404
