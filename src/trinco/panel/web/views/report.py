"""One TLS report of a hosted domain, and its raw text."""

from __future__ import annotations

import zlib

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from trinco.core.tlsrpt import archive
from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import services
from trinco.panel.reports.models import RawReport, Report
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters import received
from trinco.panel.web.presenters.report import json_of


@require_GET
@may(Deed.READ)
def show(request: MemberRequest, pk: int) -> HttpResponse:
    """What it says about one domain, in plain words."""
    view = received.received_view(report_of(request, pk))
    return render(request, "web/report.html", {"nav": "reports", "view": view, "report": view.report})


@require_GET
@may(Deed.READ)
def raw(request: MemberRequest, pk: int) -> HttpResponse:
    """As it came, where it speaks of this organisation's domains alone; else this domain's own part as JSON."""
    row = report_of(request, pk)
    if row.raw is not None and received.may_see_whole(row):
        body = zlib.decompress(row.raw.body)
        return _file(body, f"report-{pk}.{_suffix(row.raw, body)}", "application/octet-stream")
    own = services.own_part(row) or received.own_part(row)
    return _file(json_of(own), f"report-{pk}.json", "application/json")


def report_of(request: MemberRequest, pk: int) -> Report:
    """The organisation's report. Raises Http404: somebody else's does not exist here."""
    mine = Report.objects.of(request.organisation).select_related("domain", "raw")
    return get_object_or_404(mine, pk=pk)


def _suffix(arrival: RawReport, body: bytes) -> str:
    if arrival.channel == Channel.MAIL:
        return "eml"
    return {archive.GZIP: "json.gz", archive.ZIP[:2]: "zip"}.get(body[:2], "json")


def _file(body: bytes, name: str, media_type: str) -> HttpResponse:
    """A stranger's octets: to be saved, and never to be taken for a page."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(body, content_type=media_type, headers=headers)
