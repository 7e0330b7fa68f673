"""The overview, and adding a domain."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Page
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains import services
from trinco.panel.domains.errors import AlreadyAdded, OurOwnName
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web import listing, overview, paging
from trinco.panel.web.access import MemberRequest, is_htmx, may
from trinco.panel.web.forms import AddDomainForm
from trinco.panel.web.presenters.overview import bars, chips, overview_rows
from trinco.panel.web.words import MODES


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Every domain, worst first; the table alone, where it is asked for as somebody types."""
    wanted = overview.asked(request.GET)
    if is_htmx(request):
        answer = render(request, "web/_domains.html", _table(request, wanted, None))
        answer["HX-Replace-Url"] = reverse("overview") + listing.address(wanted)
        return answer
    counts = overview.counts(request.organisation)
    context = {
        "nav": "overview",
        "domain_count": counts.of("all"),
        "overdue_since": overview.overdue_since(overview.hosted(request.organisation)),
        "last_reported": overview.last_reported(request.organisation),
        "counts": counts,
        "bars": bars(counts),
        **_table(request, wanted, None if wanted.narrow else counts.levels),
    }
    return render(request, "web/overview.html", context)


def _table(request: MemberRequest, wanted: overview.Filter, levels: dict[int, int] | None) -> dict[str, Any]:
    """What `_domains.html` shows. `levels`: how many of each fit, where that is known."""
    shown, page, found = _found(request, wanted, levels)
    return {
        "page": page,
        "page_query": f"{urlencode(wanted.parameters)}&" if wanted.parameters else "",
        "chips": chips(shown),
        "rows": overview_rows(found),
        "modes": MODES.values(),
        "q": wanted.search,
        **listing.around(request.organisation, wanted),
    }


def _found(
    request: MemberRequest, wanted: overview.Filter, levels: dict[int, int] | None
) -> tuple[overview.Counts, Page[Any], list[HostedDomain]]:
    """How many there are of each level, and a page of those that are shown."""
    rows = overview.matching(request.organisation, wanted).prefetch_related("tags")
    if wanted.search:
        levels, keys = overview.searched(request.organisation, wanted)
        return overview.Counts(levels, {}), *paging.page_of_found(request, rows, keys)
    shown = overview.Counts(overview.levels(request.organisation, wanted) if levels is None else levels, {})
    return shown, *paging.page_of(request, rows, shown.of(wanted.show))


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
