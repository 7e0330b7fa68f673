"""Leaving: a state with a date, not a delete."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from trinco.core.errors import TrincoError
from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.errors import DomainError
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import remove_unverified
from trinco.panel.policies import services
from trinco.panel.policies.errors import PolicyRefused
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.publishing import none_goes_out
from trinco.panel.web.presenters.records import record_rows
from trinco.panel.web.refusals import refusal


@require_http_methods(["GET", "POST"])
@may(Deed.POLICY_WRITE)
def leave(request: MemberRequest, name: Domain) -> HttpResponse:
    """Say what leaving means; posted, begin it. A domain that was never served is simply removed."""
    domain = domain_of(request, name)
    problem: TrincoError | None = None
    if request.method == "POST":
        removed = domain.state == State.SETUP
        try:
            _go(domain, actors.of(request))
        except (PolicyRefused, DomainError) as error:
            problem = error
        else:
            work_out([domain])
            text = _("%s is removed.") if removed else _("%s is leaving.")
            messages.success(request, text % domain.unicode)
            return redirect("overview") if removed else redirect("domain", domain.name)
    context = {
        "nav": "overview",
        "domain": domain,
        "problem": problem and refusal(problem),
        "horizon": services.horizon_of(domain, timezone.now()),
        "none_goes_out": none_goes_out(domain),
        "records": record_rows(domain, domain.records.all()),
    }
    return render(request, "web/leave.html", context)


def _go(domain: HostedDomain, actor: Actor) -> None:
    if domain.state == State.SETUP:
        remove_unverified(domain=domain, actor=actor)
    else:
        services.leave(domain=domain, actor=actor)
