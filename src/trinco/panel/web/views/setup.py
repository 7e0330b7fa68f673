"""Setting up a domain: its mail servers, its three records, and what follows by itself."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.core.names import Domain
from trinco.panel.accounts.roles import Deed
from trinco.panel.checks.services import watch
from trinco.panel.domains.models import HostedDomain, KeptAccess
from trinco.panel.policies.instructions import TEXTS
from trinco.panel.policies.proposals import mx_hosts
from trinco.panel.web import confirming, listing
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.forms import MxForm
from trinco.panel.web.presenters.providers import known_offers
from trinco.panel.web.presenters.setup import FORMATS, setup_view
from trinco.panel.web.presenters.writing import kept_words

STOP_POLLING = 286
"""htmx's status for: this was the last answer that you need."""


@require_GET
@may(Deed.READ)
def show(request: MemberRequest, name: Domain) -> HttpResponse:
    """The whole page; `?as=zone`, `?as=terraform` and `?as=octodns` show the records in another form."""
    domain = domain_of(request, name)
    chosen = request.GET.get("as", "fields")
    text = TEXTS[chosen](domain) if chosen in TEXTS else ""
    version = confirming.current(domain)
    context = {
        "nav": "overview",
        **setup_view(domain),
        **_offer(domain),
        **_kept(domain),
        **listing.tags_of(domain),
        "formats": FORMATS,
        "format": chosen if text else "fields",
        "text": text,
        "mx": version.mx if version else (),
    }
    return render(request, "web/setup.html", context)


def _kept(domain: HostedDomain) -> dict[str, object]:
    kept = KeptAccess.objects.of(domain.organisation).filter(domain=domain).defer("sealed_key").first()
    return {"kept": kept, "kept_trouble": kept_words(kept.trouble, kept.said) if kept else ""}


def _offer(domain: HostedDomain) -> dict[str, object]:
    hosts = mx_hosts(domain)
    form = MxForm(initial={"mx": confirming.offered(domain)})
    return {"suggested": hosts, "offers": known_offers(hosts), "form": form}


@require_GET
@may(Deed.READ)
def live(request: MemberRequest, name: Domain) -> HttpResponse:
    """What follows by itself. Whoever looks at this page wants DNS to be looked at."""
    domain = domain_of(request, name)
    watch(domain)
    view = setup_view(domain)
    status = STOP_POLLING if view["progress"].live else 200
    return render(request, "web/_setup_live.html", view, status=status)


@require_GET
@may(Deed.DOMAINS_WRITE)
def mx(request: MemberRequest, name: Domain) -> HttpResponse:
    """The MX hosts once they were read: nothing before that, so that nothing typed meanwhile is lost."""
    domain = domain_of(request, name)
    if domain.mx_checked_at is None:
        return HttpResponse(status=204)
    return render(request, "web/_mx_offer.html", {"domain": domain, **_offer(domain)})
