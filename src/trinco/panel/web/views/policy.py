"""Changing a policy: the confirmation with the file's difference, then the deed; the mail servers; undo."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.policy import Mode
from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.policies.errors import Conflict, NotStarted, PolicyRefused
from trinco.panel.policies.proposals import mx_hosts
from trinco.panel.web import confirming
from trinco.panel.web.access import MemberRequest, domain_of, is_htmx, may
from trinco.panel.web.forms import MxForm, PolicyForm, UndoForm
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.providers import known_offers
from trinco.panel.web.presenters.publishing import what_follows
from trinco.panel.web.refusals import refusal


@require_http_methods(["GET", "POST"])
@may(Deed.POLICY_WRITE)
def change(request: MemberRequest, name: Domain) -> HttpResponse:
    """Show what a change would do; with `confirm` posted, do it."""
    domain = domain_of(request, name)
    try:
        form = PolicyForm(_completed(domain, request.POST or request.GET))
    except PolicyRefused as error:
        messages.error(request, refusal(error))
        return _to(request, domain)
    if not form.is_valid() or request.method == "GET" or "confirm" not in request.POST:
        return _confirmation(request, domain, form)
    return _publish(request, domain, form)


def _completed(domain: HostedDomain, given: QueryDict) -> dict[str, Any]:
    """The fields of a policy form: what is given, and for the rest what a change of the mode alone means. Raises
    NotStarted."""
    mode = given.get("mode", "")
    proposed = services.proposed(domain, Mode(mode)) if mode in tuple(Mode) else None
    defaults = {"mx": "\n".join(proposed.mx), "max_age": proposed.max_age} if proposed else {}
    version = confirming.current(domain)
    if version is None:
        raise NotStarted
    return {**defaults, "version": version.number, **given.dict()}


def _publish(request: MemberRequest, domain: HostedDomain, form: PolicyForm) -> HttpResponse:
    deed = {"override": form.cleaned_data["override"], "expected_number": form.cleaned_data["version"]}
    try:
        services.publish(domain=domain, policy=form.policy, actor=actors.of(request), **deed)
    except PolicyRefused as error:
        if isinstance(error, Conflict):
            domain = domain_of(request, Domain.trusted(domain.name))
        return _confirmation(request, domain, form, refusal(error))
    work_out([domain])
    messages.success(request, f"{_('Saved.')} {what_follows(domain)}")
    return _to(request, domain)


def _confirmation(
    request: MemberRequest, domain: HostedDomain, form: PolicyForm, problem: str | None = None
) -> HttpResponse:
    told = problem or confirming.refused(domain, form)
    context = {"nav": "overview", **confirming.confirmation(domain, form), "problem": told}
    context["what_follows"] = what_follows(domain)
    return render(request, "web/_confirm.html" if is_htmx(request) else "web/confirm.html", context)


def _to(request: MemberRequest, domain: HostedDomain) -> HttpResponse:
    """Back to the domain's page, as a whole: so much of it has changed."""
    answer = redirect("domain", domain.name)
    return HttpResponse(status=204, headers={"HX-Redirect": answer["Location"]}) if is_htmx(request) else answer


@require_http_methods(["GET", "POST"])
@may(Deed.POLICY_WRITE)
def mail_servers(request: MemberRequest, name: Domain) -> HttpResponse:
    """The `mx` list: confirmed for the first time here, later changed through the confirmation."""
    domain = domain_of(request, name)
    form = MxForm(request.POST or None, initial={"mx": confirming.offered(domain)})
    if request.method == "POST" and form.is_valid():
        try:
            services.start(domain=domain, mx=form.cleaned_data["mx"], actor=actors.of(request))
        except (PolicyRefused, PolicySyntaxError) as error:
            messages.error(request, refusal(error))
        return redirect("setup", domain.name)
    hosts = mx_hosts(domain)
    context = {
        "nav": "overview",
        "domain": domain,
        "form": form,
        "current": confirming.current(domain),
        "hosts": hosts,
        "offers": known_offers(hosts),
    }
    return render(request, "web/mail_servers.html", context)


@require_http_methods(["GET", "POST"])
@may(Deed.POLICY_WRITE)
def undo(request: MemberRequest, name: Domain) -> HttpResponse:
    """Show what setting the last change aside would do; posted, do it."""
    domain = domain_of(request, name)
    problem, form = None, UndoForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        deed = {"override": form.cleaned_data["override"], "expected_number": form.cleaned_data["version"]}
        try:
            services.undo(domain=domain, actor=actors.of(request), **deed)
        except PolicyRefused as error:
            problem = refusal(error)
        else:
            work_out([domain])
            messages.success(request, f"{_('Undone.')} {what_follows(domain)}")
            return redirect("domain", domain.name)
    context = {"nav": "overview", **confirming.undoing(domain), "problem": problem}
    context["what_follows"] = what_follows(domain)
    return render(request, "web/undo.html", context)
