"""The label of a provider: its look with a preview, and its host. Its owner's alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.errors import TrincoError
from trinco.panel.accounts import actors, labels
from trinco.panel.accounts.models import Label
from trinco.panel.accounts.roles import Deed
from trinco.panel.checks import label_hosts
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.label_forms import HostForm, LabelForm
from trinco.panel.web.onward import go_on
from trinco.panel.web.presenters.label import host_view, preview
from trinco.panel.web.refusals import refusal


@require_http_methods(["GET", "POST"])
@may(Deed.ORGANISATION_MANAGE)
def show(request: MemberRequest) -> HttpResponse:
    """The forms; posted, the look is kept, or shown as it would be."""
    label = _label(request)
    if request.method != "POST":
        return _page(request, label, LabelForm.of(label, request.organisation.name))
    form = LabelForm(_posted(request), request.FILES)
    if "preview" in request.POST or not form.is_valid():
        return _page(request, label, form)
    labels.change(organisation=request.organisation, wanted=form.wanted, actor=actors.of(request))
    messages.success(request, _("Saved."))
    return redirect("label")


@require_POST
@may(Deed.ORGANISATION_MANAGE)
def remove(request: MemberRequest) -> HttpResponse:
    """Trinco's name and look again."""
    _label(request)
    labels.remove(organisation=request.organisation, actor=actors.of(request))
    messages.success(request, _("Removed. The pages look as Trinco’s do."))
    return go_on(request, "label")


@require_POST
@may(Deed.ORGANISATION_MANAGE)
def host(request: MemberRequest) -> HttpResponse:
    """Want a host of one's own."""
    label, form = _label(request), HostForm(request.POST)
    if label is not None and form.is_valid():
        try:
            labels.claim(organisation=request.organisation, name=form.cleaned_data["host"], actor=actors.of(request))
            return go_on(request, "label")
        except TrincoError as error:
            form.add_error("host", refusal(error))
    return _page(request, label, LabelForm.of(label, request.organisation.name), form)


@require_POST
@may(Deed.ORGANISATION_MANAGE)
def check_host(request: MemberRequest) -> HttpResponse:
    """Have the worker look at DNS at once."""
    _label(request)
    label_hosts.check_now(request.organisation)
    messages.success(request, _("We look now. Load the page again in a few seconds."))
    return redirect("label")


@require_POST
@may(Deed.ORGANISATION_MANAGE)
def remove_host(request: MemberRequest) -> HttpResponse:
    """No host of one's own any more."""
    _label(request)
    labels.release(organisation=request.organisation, actor=actors.of(request))
    messages.success(request, _("Removed."))
    return go_on(request, "label")


def _posted(request: MemberRequest) -> QueryDict:
    """What was typed, with the colour that was offered where that was taken."""
    data = request.POST.copy()
    if "take" in data:
        data["accent"] = request.POST["take"]
    return data


def _label(request: MemberRequest) -> Label | None:
    """The provider's label. Raises Http404: a client has none of its own."""
    if request.organisation.parent_id is not None:
        raise Http404
    return labels.of(request.organisation)


def _page(
    request: MemberRequest, label: Label | None, form: LabelForm, host_form: HostForm | None = None
) -> HttpResponse:
    claim = labels.claim_of(request.organisation)
    context: dict[str, Any] = {
        "nav": "label",
        "label": label,
        "form": form,
        "preview": preview(label, form),
        "host": host_view(label, claim),
        "host_form": host_form or HostForm(),
    }
    return render(request, "web/label.html", context)
