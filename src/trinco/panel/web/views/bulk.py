"""One mode for many domains: the consequences first, then the deed."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.web import overview
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.bulk import bulk_view

MOST = 10_000
"""Domains in one change."""


@require_POST
@may(Deed.POLICY_WRITE)
def change(request: MemberRequest) -> HttpResponse:
    """Show what a mode would do to the chosen domains; with `confirm` posted, do it."""
    if request.POST.get("mode") not in tuple(Mode):
        return HttpResponseBadRequest()
    mode = Mode(request.POST["mode"])
    domains = _chosen(request)
    if not domains:
        messages.warning(request, _("No domain was selected."))
        return redirect("overview")
    if "confirm" in request.POST:
        return _publish(request, domains, mode)
    consequences = services.preview_many(domains=domains, mode=mode)
    return render(request, "web/bulk.html", {"nav": "overview", **bulk_view(consequences, mode)})


def _chosen(request: MemberRequest) -> list[HostedDomain]:
    """The domains that are named one by one, or all of a filter. None of another organisation is ever among them."""
    posted = request.POST
    if posted.get("scope") == "all" and "confirm" not in posted:
        show = posted.get("show", "all")
        wanted = overview.Filter(show if show in overview.CHIPS else "all", overview.typed(posted, "q"))
        return _some(request, overview.matching(request.organisation, wanted))
    names = [*posted.getlist("domain"), *posted.get("names", "").split()][:MOST]
    mine = {domain.name: domain for domain in overview.hosted(request.organisation)}
    return [mine[name] for name in dict.fromkeys(names) if name in mine]


def _some(request: MemberRequest, rows: QuerySet[HostedDomain]) -> list[HostedDomain]:
    """As many at once as one page bears, those that have the mode already set aside; more are said, never forgotten."""
    rows = rows.exclude(standing__current__mode=request.POST["mode"]) if rows.count() > MOST else rows
    if (left := rows.count() - MOST) > 0:
        text = ngettext("%(n)d more domain is left for another time.", "%(n)d more are left for another time.", left)
        messages.warning(request, text % {"n": left})
    return list(rows[:MOST])


def _publish(request: MemberRequest, domains: list[HostedDomain], mode: Mode) -> HttpResponse:
    organisation, actor = request.organisation, actors.of(request)
    outcomes = services.publish_many(organisation=organisation, domains=domains, mode=mode, actor=actor)
    work_out(outcome.domain for outcome in outcomes)
    done = sum(outcome.version is not None for outcome in outcomes)
    text = ngettext("%(n)d policy changed.", "%(n)d policies changed.", done) % {"n": done}
    if kept := len(outcomes) - done:
        text += " " + ngettext("%(n)d stayed as it was.", "%(n)d stayed as they were.", kept) % {"n": kept}
    messages.success(request, text)
    return redirect("overview")
