"""The playground's page: a made-up customer's zone, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from trinco.core.names import Domain
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.instructions import Instruction, instructions
from trinco.panel.web import playground
from trinco.panel.web.access import MemberRequest, View, may


def in_playground(view: View) -> View:
    """The page exists in playground mode alone."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.CONFIG.playground:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@in_playground
@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Every zone with its records; for a domain of this organisation the three that it needs."""
    try:
        zones = playground.zones()
    except playground.PlaygroundAway:
        return render(request, "web/playground.html", {"nav": "playground", "away": True})
    hosted = HostedDomain.objects.of(request.organisation).exclude(state=State.GONE)
    mine = {domain.name: domain for domain in hosted.filter(name__in=[zone.name for zone in zones])}
    shown = [_shown(zone, mine.get(zone.name)) for zone in zones]
    at = request.GET.get("zone", "")
    shown.sort(key=lambda zone: (zone["name"] != at, zone["rank"], zone["name"]))
    return render(request, "web/playground.html", {"nav": "playground", "zones": shown, "at": at})


def _shown(zone: playground.Zone, domain: HostedDomain | None) -> dict[str, Any]:
    wanted = [each for asked in instructions(domain) for each in _wanted(zone, asked)] if domain else []
    takes_mail = any(each.type == "MX" for each in zone.records)
    missing = any(not each["there"] for each in wanted)
    return {
        "name": zone.name,
        "unicode": Domain.trusted(zone.name).unicode,
        "rank": 0 if domain is None and takes_mail else 1 if missing else 2 if domain else 3,
        "takes_mail": takes_mail,
        "live": domain is not None and domain.state == State.LIVE,
        "note": _(zone.note) if zone.note else "",
        "domain": domain,
        "wanted": wanted,
        "records": zone.records,
    }


def _wanted(zone: playground.Zone, asked: Instruction) -> Iterator[dict[str, Any]]:
    """Each record of one name; what else is there stands beside the first."""
    values = [("CNAME", f"{asked.target}.")] if asked.target else asked.values
    records = [playground.Record(asked.owner, rdtype, value) for rdtype, value in values]
    others = [each for each in zone.at(asked.owner) if each not in records]
    for number, record in enumerate(records):
        yield {"record": record, "there": record in zone.at(asked.owner), "others": [] if number else others}


@in_playground
@require_POST
@may(Deed.DOMAINS_WRITE)
def change(request: MemberRequest) -> HttpResponse:
    """Publish a record or remove it."""
    posted = request.POST
    record = playground.Record(posted.get("name", ""), posted.get("type", ""), posted.get("value", ""))
    deed, done = {
        "publish": (playground.publish, _("Published: %s")),
        "remove": (playground.remove, _("Removed: %s")),
    }.get(posted.get("do", ""), (None, ""))
    if deed is None:
        raise Http404
    try:
        deed(record)
        messages.success(request, done % f"{record.name} {record.type}")
    except (playground.PlaygroundAway, playground.PlaygroundRefused) as error:
        messages.error(request, str(error))
    return redirect(f"{request.path.removesuffix('change/')}?zone={posted.get('zone', '')}")


@in_playground
@require_POST
@may(Deed.DOMAINS_WRITE)
def report(request: MemberRequest) -> HttpResponse:
    """Let a made-up sender report about a domain of ours."""
    domain = get_object_or_404(
        HostedDomain.objects.of(request.organisation), name=request.POST.get("zone", ""), state=State.LIVE
    )
    try:
        sender = playground.send_report(domain.name)
        messages.success(request, _("%s has handed in a report: it is here in a moment.") % sender)
    except (playground.PlaygroundAway, playground.PlaygroundRefused) as error:
        messages.error(request, str(error))
    return redirect(f"{request.path.removesuffix('report/')}?zone={domain.name}")
