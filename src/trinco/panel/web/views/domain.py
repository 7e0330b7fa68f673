"""One domain's page, what follows by itself on it, and its small switches."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.checks.schedule import is_overdue
from trinco.panel.checks.services import check_now
from trinco.panel.domains import services
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.web import confirming, frames, listing, paging, scopes
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.domain import domain_view
from trinco.panel.web.presenters.history import version_rows
from trinco.panel.web.words import MODES

VERSIONS = 5
"""How many versions the domain's page shows."""


@require_GET
@may(Deed.READ)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """The page. A domain that still waits for DNS is shown as what it needs."""
    domain = domain_of(request, name)
    current = confirming.current(domain)
    if domain.state == State.SETUP or current is None:
        return redirect("setup", domain.name)
    versions = list(domain.versions.all()[: VERSIONS + 1])
    asked = _about(request, domain)
    reports = frames.frame(request, asked)
    if reports["chart"].any:
        reports |= {**frames.results(request, asked, reports["sums"]), **frames.sources(request, asked)}
    context = {
        "nav": "overview",
        "domain": domain,
        "modes": MODES.values(),
        "view": domain_view(domain, current),
        "overdue_since": domain.checked_at if is_overdue(domain, timezone.now()) else None,
        "versions": version_rows(versions, VERSIONS),
        "more": len(versions) > VERSIONS,
        **listing.tags_of(domain),
        **reports,
    }
    return render(request, "web/domain.html", context)


@require_GET
@may(Deed.READ)
def live(request: MemberRequest, name: Domain) -> HttpResponse:
    """The parts of the page that change by themselves."""
    domain = domain_of(request, name)
    current = confirming.current(domain)
    if domain.state == State.SETUP or current is None:
        return HttpResponse(status=204)
    return render(request, "web/domain_live.html", {"domain": domain, "view": domain_view(domain, current)})


@require_GET
@may(Deed.READ)
def history(request: MemberRequest, name: Domain) -> HttpResponse:
    """Every version that the domain ever had."""
    domain = domain_of(request, name)
    page, rows = paging.page_of(request, domain.versions.all())
    before = domain.versions.filter(number=rows[-1].number - 1) if rows else []
    versions = version_rows([*rows, *before], len(rows))
    context = {"nav": "overview", "domain": domain, "page": page, "page_query": "", "versions": versions}
    return render(request, "web/history.html", context)


@require_POST
@may(Deed.DOMAINS_WRITE)
def check(request: MemberRequest, name: Domain) -> HttpResponse:
    """Have DNS and the mail servers looked at now."""
    domain = domain_of(request, name)
    if check_now(domain):
        messages.info(request, _("We are looking. This page shows what is found by itself."))
    else:
        messages.info(request, _("That was looked at a moment ago."))
    return _back(domain)


@require_POST
@may(Deed.DOMAINS_WRITE)
def tlsrpt(request: MemberRequest, name: Domain) -> HttpResponse:
    """What senders are asked for, and which of their reports are counted."""
    domain = domain_of(request, name)
    wanted: services.Reporting = {
        "on": bool(request.POST.get("on")),
        "https": bool(request.POST.get("https")),
        "trust_https": bool(request.POST.get("trust_https")),
    }
    services.set_tlsrpt(domain=domain, actor=actors.of(request), **wanted)
    work_out([domain])
    messages.success(request, _("Saved. DNS follows within seconds."))
    return _back(domain)


def _about(request: MemberRequest, domain: HostedDomain) -> scopes.Asked:
    """What the address asks of this domain's reports."""
    asked = scopes.asked_of(request)
    return replace(asked, span=replace(asked.span, domain=domain))


def _back(domain: HostedDomain) -> HttpResponse:
    return redirect("setup" if domain.state == State.SETUP else "domain", domain.name)
