"""Webhooks: what there is, one with its deliveries, and the deeds on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.errors import TrincoError
from trinco.panel import clock, limits
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.web import paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.refusals import refusal
from trinco.panel.web.webhook_form import WebhookForm
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, DeliveryState, Webhook


@require_http_methods(["GET", "POST"])
@may(Deed.WEBHOOKS_MANAGE)
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]
def show(request: MemberRequest) -> HttpResponse:
    """The list, and a form for one more. The new secret stands on the answer to the form and nowhere else."""
    form, secret = WebhookForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        actor = actors.of(request)
        try:
            _hook, secret = services.create_webhook(organisation=request.organisation, terms=form.terms, actor=actor)
            form = WebhookForm()
        except TrincoError as error:
            form.add_error(None, refusal(error))
    failed = Count("deliveries", Q(deliveries__state=DeliveryState.FAILED))
    hooks = list(Webhook.objects.of(request.organisation).annotate(failed=failed))
    unopened = services.unopened(hooks, clock.now())
    context = {"nav": "account", "form": form, "secret": secret, "hooks": hooks, "unopened": unopened}
    return render(request, "web/webhooks.html", context)


@require_http_methods(["GET", "POST"])
@may(Deed.WEBHOOKS_MANAGE)
def one(request: MemberRequest, pk: int) -> HttpResponse:
    """The webhook and its deliveries; posted, it is changed."""
    hook = _hook(request, pk)
    form = WebhookForm(request.POST) if request.method == "POST" else WebhookForm.of(hook)
    if request.method == "POST" and form.is_valid():
        answer: HttpResponse = (_changed if form.terms.url == hook.url else _moved)(request, hook, form)
        return answer
    return _page(request, hook, form)


def _changed(request: MemberRequest, hook: Webhook, form: WebhookForm) -> HttpResponse:
    services.change_webhook(webhook=hook, terms=form.terms, actor=actors.of(request))
    messages.success(request, _("Saved."))
    return redirect("webhook", pk=hook.pk)


_moved = reauthentication_required(_changed)
"""Another address is another reader of what is told: as for a new webhook, a fresh sign-in comes first."""


@require_POST
@may(Deed.WEBHOOKS_MANAGE)
def secret(request: MemberRequest, pk: int) -> HttpResponse:
    """A new secret, which stands on the answer and nowhere else."""
    answer: HttpResponse = _renewed(request, _hook(request, pk))
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _renewed(request: MemberRequest, hook: Webhook) -> HttpResponse:
    leaked = request.POST.get("leaked") == "on"
    made = services.rotate_secret(webhook=hook, actor=actors.of(request), leaked=leaked)
    return _page(request, hook, WebhookForm.of(hook), made)


@require_POST
@may(Deed.WEBHOOKS_MANAGE)
def test(request: MemberRequest, pk: int) -> HttpResponse:
    """Have a test sent."""
    hook = _hook(request, pk)
    deed = partial(services.send_test, webhook=hook)
    return _sent(request, hook, deed, _("The test is on its way. Its line below says what came of it."))


@require_POST
@may(Deed.WEBHOOKS_MANAGE)
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    """It is told nothing more."""
    hook = _hook(request, pk)
    services.remove_webhook(webhook=hook, actor=actors.of(request))
    messages.success(request, _("Removed: %s") % hook.name)
    return redirect("webhooks")


@require_POST
@may(Deed.WEBHOOKS_MANAGE)
def redeliver(request: MemberRequest, pk: int) -> HttpResponse:
    """Have one delivery sent once more."""
    rows = Delivery.objects.of(request.organisation).select_related("webhook__organisation")
    row: Delivery = get_object_or_404(rows, pk=pk)
    return _sent(request, row.webhook, partial(services.redeliver, delivery=row), _("It is sent once more."))


def _sent(request: MemberRequest, hook: Webhook, deed: Callable[..., Delivery], words: str) -> HttpResponse:
    if not limits.allowed("webhook-sent", actors.client_address(request), limits.WEBHOOKS_SENT):
        messages.error(request, _("That was a lot at once. Wait a minute, then go on."))
        return redirect("webhook", pk=hook.pk)
    try:
        deed(actor=actors.of(request))
        messages.success(request, words)
    except TrincoError as error:
        messages.error(request, refusal(error))
    return redirect("webhook", pk=hook.pk)


def _hook(request: MemberRequest, pk: int) -> Webhook:
    rows = Webhook.objects.of(request.organisation).select_related("organisation")
    found: Webhook = get_object_or_404(rows, pk=pk)
    return found


def _page(request: MemberRequest, hook: Webhook, form: WebhookForm, made: str = "") -> HttpResponse:
    chosen = request.GET.get("show", "")
    rows = Delivery.objects.of(request.organisation).filter(webhook=hook)
    if chosen in DeliveryState.values:
        rows = rows.filter(state=chosen)
    page, deliveries = paging.page_of(request, rows.defer("body"))
    context = {
        "nav": "account",
        "hook": hook,
        "unopened": services.unopened([hook], clock.now()),
        "form": form,
        "secret": made,
        "page": page,
        "page_query": paging.query_without_page(request),
        "deliveries": deliveries,
        "chosen": chosen,
        "states": [("", _("All")), *DeliveryState.choices],
    }
    return render(request, "web/webhook.html", context)
