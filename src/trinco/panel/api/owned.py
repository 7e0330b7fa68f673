"""What an address names, of the caller's organisation: what is somebody else's does not exist."""

from __future__ import annotations

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import Problem
from trinco.panel.domains.models import HostedDomain, State


def domain_of(request: HttpRequest, name: str) -> HostedDomain:
    """The domain of this name, typed as people do. Raises Problem 404, Http404."""
    try:
        wanted = Domain.parse(name)
    except DomainSyntaxError:
        raise Problem(kinds.NOT_FOUND) from None
    mine = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    return get_object_or_404(
        mine.select_related("organisation", "standing__current", "standing__announced"), name=str(wanted)
    )
