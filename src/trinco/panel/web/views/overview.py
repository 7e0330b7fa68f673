"""The overview, and adding a domain."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains import services
from trinco.panel.domains.errors import AlreadyAdded, OurOwnName
from trinco.panel.web import overview, paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.forms import AddDomainForm
from trinco.panel.web.presenters.overview import overview_view
from trinco.panel.web.words import MODES


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Every domain, worst first."""
    show = request.GET.get("show", "all")
    wanted = overview.Filter(show if show in overview.CHIPS else "all", overview.typed(request.GET, "q"))
    counts = overview.counts(request.organisation)
    total = None if wanted.search else counts.of(wanted.show)
    page, rows = paging.page_of(request, overview.matching(request.organisation, wanted), total)
    context = {
        "nav": "overview",
        "domain_count": counts.of("all"),
        "last_reported": overview.last_reported(request.organisation),
        "page": page,
        "page_query": paging.query_without_page(request),
        **overview_view(counts, rows),
        "modes": MODES.values(),
        "show": wanted.show,
        "q": wanted.search,
    }
    return render(request, "web/overview.html", context)


@require_http_methods(["GET", "POST"])
@may(Deed.DOMAINS_WRITE)
def add(request: MemberRequest) -> HttpResponse:
    """Add one domain by its name."""
    form = AddDomainForm(request.POST or None, initial={"name": request.GET.get("name", "")[:253]})
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            domain = services.add(organisation=request.organisation, name=name, actor=actors.of(request))
        except AlreadyAdded:
            messages.info(request, _("You have this domain already."))
            return redirect("domain", name)
        except OurOwnName:
            form.add_error("name", _("lies in the zone of this installation itself"))
        else:
            return redirect("setup", domain.name)
    return render(request, "web/add.html", {"nav": "overview", "form": form, "fault": form.marked})
