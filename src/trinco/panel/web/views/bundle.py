"""A domain as files, for going on without Trinco."""

from __future__ import annotations

import io

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from trinco.core.names import Domain
from trinco.panel.accounts.roles import Deed
from trinco.panel.policies import bundles
from trinco.panel.web.access import MemberRequest, domain_of, may


@require_GET
@may(Deed.READ)
def download(request: MemberRequest, name: Domain) -> HttpResponse:
    """The ZIP. A domain without a policy has none."""
    domain, content = domain_of(request, name), io.BytesIO()
    if not bundles.write_zip(content, [domain]):
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{domain.name}.zip"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content.getvalue(), content_type="application/zip", headers=headers)
