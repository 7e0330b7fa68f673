"""How a domain's owner publishes the three records: by CNAMEs, or where none can be by records of their own."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.policies.errors import PolicyRefused
from trinco.panel.policies.ways import set_ways, ways_of
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.levels import work_out
from trinco.panel.web.refusals import refusal
from trinco.panel.web.ways_form import WaysForm


@require_http_methods(["GET", "POST"])
@may(Deed.DOMAINS_WRITE)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """What can be chosen for each record; posted, it is so from then on."""
    domain, problem = domain_of(request, name), None
    form = WaysForm(request.POST if request.method == "POST" else None, initial=ways_of(domain))
    if form.is_valid():
        try:
            set_ways(domain=domain, actor=actors.of(request), **form.ways)
        except PolicyRefused as error:
            problem = refusal(error)
        else:
            work_out([domain])
            messages.success(request, _("Saved. This is what is to be published now."))
            return redirect("setup", domain.name)
    context = {"nav": "overview", "domain": domain, "form": form, "fields": form.told, "problem": problem}
    return render(request, "web/ways.html", context)
