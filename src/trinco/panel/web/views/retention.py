"""How long reports are kept: what would go is said before it is saved."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import services
from trinco.panel.reports.models import Retention
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.forms import RetentionForm


@require_http_methods(["GET", "POST"])
@may(Deed.REPORTS_WRITE)
def show(request: MemberRequest) -> HttpResponse:
    """The terms; posted, what they would remove; with `confirm` posted, they hold."""
    held = services.retention_of(request.organisation)
    form = RetentionForm(request.POST or None, initial={"raw_days": held.raw_days, "row_days": held.row_days})
    context: dict[str, object] = {"nav": "reports", "form": form, "held": held}
    if request.method == "POST" and form.is_valid():
        terms = {name: int(form.cleaned_data[name]) for name in ("raw_days", "row_days")}
        if "confirm" in request.POST:
            services.set_retention(organisation=request.organisation, actor=actors.of(request), **terms)
            messages.success(
                request,
                _("Saved. What is older goes bit by bit from now on: within minutes, or hours where it is much."),
            )
            return redirect("report_settings")
        wanted = Retention(organisation=request.organisation, **terms)
        context |= {"wanted": wanted, "preview": services.preview(request.organisation, wanted, timezone.now())}
    return render(request, "web/retention.html", context)
