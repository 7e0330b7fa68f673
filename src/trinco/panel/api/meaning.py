"""What a kind of problem means, at the address that is its `type`. For anybody: it tells of nobody."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from trinco.panel.api.kinds import KINDS


@require_GET
def meaning(_request: HttpRequest, slug: str) -> HttpResponse:
    """Its title, its status and its sentence."""
    kind = next((each for each in KINDS if each.slug == slug), None)
    if kind is None:
        raise Http404
    text = f"{kind.title}\n\n{kind.says}\n\nStatus {int(kind.status)}. All kinds are in docs/api.md of Trinco.\n"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
