"""A certificate that the owner brings for the policy host, and taking it out again."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.certificates import own
from trinco.panel.certificates.errors import CertificateRefused
from trinco.panel.certificates.judging import MOST
from trinco.panel.policies.errors import NotHosted
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.refusals import refusal

_PARTS = ("certificate", "key")


@sensitive_post_parameters()
@sensitive_variables("pem")
@never_cache
@require_http_methods(["GET", "POST"])
@may(Deed.POLICY_WRITE)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """The form; posted, the certificate is judged and served. What was typed is never shown again."""
    domain, problem = domain_of(request, name), ""
    if request.method == "POST":
        pem = _given(request)
        try:
            own.bring(domain=domain, actor=actors.of(request), pem=pem)
        except (CertificateRefused, NotHosted) as error:
            problem = refusal(error)
        else:
            messages.success(request, _("Your certificate is served within seconds."))
            return redirect("domain", domain.name)
    context = {"nav": "overview", "domain": domain, "problem": problem, "held": own.brought(domain)}
    context["authority"] = bool(settings.CONFIG.acme_directory)
    return render(request, "web/own_certificate.html", context)


@require_http_methods(["POST"])
@may(Deed.POLICY_WRITE)
def remove(request: MemberRequest, name: Domain) -> HttpResponse:
    """Have certificates obtained again."""
    domain = domain_of(request, name)
    try:
        removed = own.remove(domain=domain, actor=actors.of(request))
    except NotHosted as error:
        messages.error(request, refusal(error))
    else:
        if removed:
            messages.success(request, _("Removed. It is served until the next one is there."))
    return redirect("own_certificate", domain.name)


def _given(request: MemberRequest) -> bytes:
    """What was pasted and uploaded, up to more than is taken."""
    pasted = [request.POST.get(part, "")[: MOST + 1].encode("utf-8", "replace") for part in _PARTS]
    files = [request.FILES.get(f"{part}_file") for part in _PARTS]
    return b"\n".join([*pasted, *(file.read(MOST + 1) for file in files if file)])
