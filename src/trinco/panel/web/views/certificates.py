"""The certificates of an organisation's domains, and what happens to them."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel import clock
from trinco.panel.accounts.roles import Deed
from trinco.panel.certificates import listing
from trinco.panel.web import overview, paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters.certificates_page import WORDS, certificate_rows, event_rows, queue_words


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """What ends first before all; above it what lasts and what was lately."""
    organisation, now = request.organisation, clock.now()
    show = request.GET.get("show", "all")
    show = show if show in listing.SHOWN else "all"
    domains = overview.named(listing.domains(organisation, now, show), overview.typed(request.GET, "name"))
    page, rows = paging.page_of(request, domains)
    context = {
        "nav": "certificates",
        "page": page,
        "page_query": paging.query_without_page(request),
        "rows": certificate_rows(organisation, rows, now),
        "lasting": event_rows(listing.lasting(organisation)),
        "over": event_rows(listing.over(organisation, now)),
        "queue": queue_words(*listing.waiting(organisation, now)),
        "words": WORDS.items(),
        "show": show,
        "name": overview.typed(request.GET, "name"),
    }
    return render(request, "web/certificates.html", context)
