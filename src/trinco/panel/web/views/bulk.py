"""One mode for many domains: the consequences first, then the deed."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
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
from trinco.panel.web import choosing
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.bulk import bulk_view


@require_POST
@may(Deed.POLICY_WRITE)
def change(request: MemberRequest) -> HttpResponse:
    """Show what a mode would do to the chosen domains; with `confirm` posted, do it."""
    if request.POST.get("mode") not in tuple(Mode):
        return HttpResponseBadRequest()
    mode = Mode(request.POST["mode"])
    domains = choosing.chosen(request, Q(standing__current__mode=mode))
    if not domains:
        messages.warning(request, _("No domain was selected."))
        return redirect("overview")
    if "confirm" in request.POST:
        return _publish(request, domains, mode)
    consequences = services.preview_many(domains=domains, mode=mode)
    return render(request, "web/bulk.html", {"nav": "overview", **bulk_view(consequences, mode)})


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
