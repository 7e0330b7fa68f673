"""Who gets copies of a domain's reports: added and removed by its editors, confirmed by the address itself."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.names import Domain
from trinco.panel import limits
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.errors import AddressRefused, ConfirmationRefused, ReportsError
from trinco.panel.web.access import MemberRequest, domain_of, may, public
from trinco.panel.web.context import show_label_of
from trinco.panel.web.refusals import refusal


@require_POST
@may(Deed.DOMAINS_WRITE)
def add(request: MemberRequest, name: Domain) -> HttpResponse:
    """Ask an address whether it wants copies."""
    domain = domain_of(request, name)
    if not limits.allowed("recipient", actors.client_address(request), limits.RECIPIENTS):
        messages.error(request, _("That was a lot at once. Wait a minute, then go on."))
        return _back(domain)
    try:
        row = services.add_recipient(
            domain=domain, address=request.POST.get("address", "")[:254], actor=actors.of(request)
        )
    except (AddressRefused, ReportsError) as error:
        messages.error(request, refusal(error))
    else:
        text = _("We ask %s by mail. Copies go there once the link in it was followed and confirmed.")
        messages.success(request, text % row.address)
    return _back(domain)


@require_POST
@may(Deed.DOMAINS_WRITE)
def remove(request: MemberRequest, name: Domain, pk: int) -> HttpResponse:
    """No more copies."""
    domain = domain_of(request, name)
    row = get_object_or_404(domain.recipients.select_related("domain__organisation"), pk=pk)
    services.remove_recipient(recipient=row, actor=actors.of(request))
    messages.success(request, _("%s gets no more copies.") % row.address)
    return _back(domain)


@public
@never_cache
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever reads mail at the address says yes. A link alone says nothing: mail scanners follow links."""
    try:
        if request.method == "POST":
            row = services.confirm_recipient(token=token, source=actors.client_address(request))
        else:
            row = services.recipient_of(token=token)
        show_label_of(request, row.domain.organisation)
    except ConfirmationRefused as error:
        return render(request, "web/recipient_confirm.html", {"problem": refusal(error)}, status=404)
    return render(request, "web/recipient_confirm.html", {"recipient": row})


def _back(domain: HostedDomain) -> HttpResponse:
    return redirect(f"{reverse('domain', args=[domain.name])}#tlsrpt")
