"""What is hosted, as files: for going on without Trinco, for keeping, and for `trinco apply`."""

from __future__ import annotations

import io

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.core.names import Domain
from trinco.panel.accounts import mfa, sso_terms
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.roles import Deed
from trinco.panel.declared import present
from trinco.panel.declared.writing import written
from trinco.panel.policies import bundles
from trinco.panel.web.access import MemberRequest, domain_of, may


@require_GET
@may(Deed.READ)
def download(request: MemberRequest, name: Domain) -> HttpResponse:
    """The ZIP of one domain. A domain without a policy has none."""
    domain, content = domain_of(request, name), io.BytesIO()
    if not bundles.write_zip(content, bundles.entries([domain])):
        raise Http404
    headers = _headers(f"{domain.name}.zip")
    return HttpResponse(content.getvalue(), content_type="application/zip", headers=headers)


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """What there is to take along."""
    counts = {"own": bundles.taken_along([request.organisation]).count()}
    if request.membership.provides:
        counts["all"] = bundles.taken_along(_with_clients(request)).values("name").distinct().order_by().count()
    context = {
        "nav": "overview",
        "counts": counts,
        "locked": mfa.locked_clients(request.membership),
        "locked_sso": sso_terms.locked_clients(request.membership),
    }
    return render(request, "web/takeout.html", context)


@require_GET
@may(Deed.READ)
def everything(request: MemberRequest, whose: str) -> StreamingHttpResponse:
    """The ZIP of the organisation's domains, or of those of a provider and all its clients."""
    if whose not in ("own", "all"):
        raise Http404
    domains = bundles.taken_along(_with_clients(request) if whose == "all" else [request.organisation])
    if not domains.exists():
        raise Http404
    pieces = bundles.zip_pieces(bundles.entries_of_many(domains))
    headers = _headers(f"mta-sts-{request.organisation.pk}-{whose}.zip")
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


@require_GET
@may(Deed.READ)
def state(request: MemberRequest) -> HttpResponse:
    """The organisation and its clients as `trinco apply` takes them."""
    content = written(*present.own(request.organisation, mfa.open_clients(request.membership)))
    headers = _headers(f"trinco-{request.organisation.pk}.yaml")
    return HttpResponse(content, content_type="application/yaml", headers=headers)


def _with_clients(request: MemberRequest) -> list[Organisation]:
    """Raises Http404: a client has no clients."""
    if request.organisation.parent_id is not None:
        raise Http404
    return [request.organisation, *mfa.open_clients(request.membership)]


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
