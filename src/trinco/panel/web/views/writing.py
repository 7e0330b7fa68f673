"""Writing a domain's three CNAMEs at its DNS provider, once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from trinco.core import dnshosts
from trinco.core.names import Domain
from trinco.net.dnswriting import WritingFailed, mark
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain
from trinco.panel.limits import allowed
from trinco.panel.web import writing
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.forms import CredentialsForm
from trinco.panel.web.presenters.writing import place_rows, trouble_words
from trinco.panel.web.writing import Access, WritingBusy

T = TypeVar("T")
MOST_A_MINUTE = 6
"""Conversations of one organisation: each keeps a thread of the panel waiting."""


@sensitive_post_parameters()
@sensitive_variables("form", "access")
@never_cache
@require_http_methods(["GET", "POST"])
@may(Deed.DOMAINS_WRITE)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """The provider is in the address; posted with its credentials, write, and show what stands there then."""
    domain, known = domain_of(request, name), writing.fields()
    provider = chosen(request, domain, known)
    context = {"nav": "overview", "domain": domain, "providers": sorted(known), "provider": provider}
    form = CredentialsForm(known.get(provider, ()), request.POST if provider and request.method == "POST" else None)
    if form.is_valid():
        access = Access(provider, form.credentials)
        talk = partial(writing.write_records, domain=domain, actor=actors.of(request), access=access)
        places, context["problem"] = talked(domain, partial(talk, confirmed=form.confirmed))
        if places is not None:
            context |= {"places": place_rows(places), "mark": mark(places)}
            form = CredentialsForm(known[provider], initial={"seen": mark(places)})
    return render(request, "web/write_records.html", {**context, "form": form})


def talked(domain: HostedDomain, talk: Callable[[], T]) -> tuple[T | None, str]:
    """What came of a conversation with the provider; None: there was none, or it failed, and a sentence says why."""
    if not allowed(f"writing:{domain.organisation_id}", "", MOST_A_MINUTE):
        return None, _("That was a lot at once. Wait a minute, then go on.")
    try:
        return talk(), ""
    except WritingFailed as error:
        return None, trouble_words(error)
    except WritingBusy:
        return None, _("Records are being written already. Wait a minute, then go on.")


def chosen(request: MemberRequest, domain: HostedDomain, known: dict[str, tuple[str, ...]]) -> str:
    """The provider that was asked for, or the one that the name servers tell of; "" where nothing is known."""
    seen = [host.lexicon for host in dnshosts.hosts_of(domain.nameservers)]
    wanted = [request.GET.get("provider", ""), *seen]
    return next((provider for provider in wanted if provider in known), "")
