"""Reports that came: the list, and what could not be read."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel.reports.models import Trust
from trinco.panel.web import paging, received
from trinco.panel.web.access import MemberRequest, member
from trinco.panel.web.presenters.received import arrival_rows, report_rows


@require_GET
@member
def show(request: MemberRequest) -> HttpResponse:
    """The newest first, or what became no report."""
    wanted = received.wanted(request.GET)
    if wanted.of_arrivals:
        page, arrivals = paging.page_of(request, received.arrivals(request.organisation, wanted.state))
        rows: dict[str, object] = {"page": page, "arrivals": arrival_rows(arrivals)}
    else:
        page, reports = paging.page_of(request, received.reports(request.organisation, wanted))
        rows = {"page": page, "reports": report_rows(reports)}
    context = {
        "nav": "reports",
        "page_query": paging.query_without_page(request),
        "wanted": wanted,
        "counts": received.counts(request.organisation),
        "trusts": Trust.choices,
        **rows,
    }
    return render(request, "web/received.html", context)
