"""Reports that came: the list, and what could not be read, with another try."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import parked, services
from trinco.panel.reports.errors import NotParked
from trinco.panel.reports.models import RawReport, RawState, Trust
from trinco.panel.web import paging, received
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters.received import arrival_rows, report_rows
from trinco.panel.web.refusals import refusal


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """The newest first, or what became no report."""
    wanted = received.wanted(request.GET)
    if wanted.of_arrivals:
        page, arrivals = paging.page_of(request, parked.arrivals(request.organisation, wanted.state))
        rows: dict[str, object] = {"page": page, "arrivals": arrival_rows(arrivals)}
    else:
        page, reports = paging.page_of(request, received.reports(request.organisation, wanted))
        rows = {"page": page, "reports": report_rows(reports)}
    context = {
        "nav": "reports",
        "page_query": paging.query_without_page(request),
        "wanted": wanted,
        "counts": parked.counts(request.organisation),
        "trusts": Trust.choices,
        "retriable": request.membership.may_edit and wanted.state != RawState.LATE,
        **rows,
    }
    return render(request, "web/received.html", context)


@require_POST
@may(Deed.REPORTS_WRITE)
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    """Have an arrival read once more that was parked, or about a domain that was not hosted here."""
    raw = get_object_or_404(RawReport.objects.of(request.organisation).select_related("domain", "organisation"), pk=pk)
    state = raw.state if raw.state in parked.ARRIVALS else RawState.PARKED
    try:
        services.retry(raw=raw, actor=actors.of(request))
    except NotParked as error:
        messages.info(request, refusal(error))
    else:
        messages.success(request, _("It is read once more within seconds."))
    return redirect(f"{reverse('received')}?state={state}")
