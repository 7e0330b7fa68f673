"""What a label's pages are drawn with: its style sheet and its logo, at addresses that say what stands there."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from trinco.panel import doors, wall
from trinco.panel.accounts import accents
from trinco.panel.accounts.errors import AccentSyntaxError
from trinco.panel.accounts.models import Logo
from trinco.panel.web.access import public
from trinco.panel.web.csp import HEADER
from trinco.panel.web.presenters.brand import SELECTORS

_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    HEADER: "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@public
@require_safe
def accent(_request: HttpRequest, where: str, digits: str, mark: str) -> HttpResponse:
    """The tokens of the pages in this colour. The address alone says which, so that no table is asked."""
    try:
        colour = accents.parse(digits)
    except AccentSyntaxError:
        raise Http404 from None
    if where not in SELECTORS or not accents.passes(colour, accents.LIGHT):
        raise Http404
    sheet = accents.stylesheet(colour, SELECTORS[where])
    if accents.fingerprint(sheet) != mark:
        raise Http404
    return HttpResponse(sheet, content_type="text/css; charset=utf-8", headers=_HEADERS)


@public
@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """The picture; at a label's host that label's alone."""
    with wall.lifted():
        rows = Logo.objects.everywhere().filter(digest=digest)
        seen = doors.here(request)
        row = (rows if seen is None else rows.filter(organisation__in=seen)).first()
    if row is None:
        raise Http404
    return HttpResponse(bytes(row.png), content_type="image/png", headers=_HEADERS)
