"""Access to a domain's DNS provider that is kept: given after a look at what would be written, seen, forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain, KeptAccess
from trinco.panel.policies.errors import PolicyRefused
from trinco.panel.policies.kept import forget_access, keep_access
from trinco.panel.web import writing
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.forms import CredentialsForm
from trinco.panel.web.levels import work_out
from trinco.panel.web.presenters.writing import TextRow, kept_words, text_rows
from trinco.panel.web.refusals import refusal
from trinco.panel.web.views.writing import chosen, talked
from trinco.panel.web.writing import Access


@sensitive_post_parameters()
@sensitive_variables("form", "access")
@never_cache
@require_http_methods(["GET", "POST"])
@may(Deed.DOMAINS_WRITE)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """Posted: look with these credentials, show what would be written; with `keep`, keep them. Nothing is written."""
    domain, known = domain_of(request, name), writing.fields()
    provider = chosen(request, domain, known)
    form = CredentialsForm(known.get(provider, ()), request.POST if provider and request.method == "POST" else None)
    context = {"nav": "overview", "domain": domain, "providers": sorted(known), "provider": provider}
    if form.is_valid():
        access = Access(provider, form.credentials)
        seen, context["problem"] = talked(domain, partial(writing.look_at_texts, domain=domain, access=access))
        context["places"] = places = text_rows(seen or ())
        try:
            if seen is not None and "keep" in request.POST:
                keep_access(domain=domain, actor=actors.of(request), access=access)
                return _kept(request, domain, places)
        except PolicyRefused as error:
            context["problem"] = refusal(error)
    kept = KeptAccess.objects.of(domain.organisation).filter(domain=domain).defer("sealed_key").first()
    told = kept_words(kept.trouble, kept.said) if kept else ""
    return render(request, "web/kept_access.html", {**context, "form": form, "kept": kept, "kept_trouble": told})


def _kept(request: MemberRequest, domain: HostedDomain, places: Iterable[TextRow]) -> HttpResponse:
    """The page anew, so that none sends credentials once more."""
    told = " ".join(f"{place.name}: {place.word}." for place in places)
    messages.success(request, _("Kept. Nothing was written by this look.") + f" {told}")
    return redirect("kept_access", domain.name)


@require_POST
@may(Deed.DOMAINS_WRITE)
def forget(request: MemberRequest, name: Domain) -> HttpResponse:
    """Forget the credentials; the texts are the owner's to change from then on."""
    domain = domain_of(request, name)
    if forget_access(domain=domain, actor=actors.of(request)):
        work_out([domain])
        messages.success(request, _("Forgotten. You change the texts yourself from now on."))
    return redirect("setup", domain.name)
