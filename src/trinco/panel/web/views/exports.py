"""Tables of the TLS reports as files, for spreadsheets and for programs."""

from __future__ import annotations

from django.http import Http404, StreamingHttpResponse
from django.views.decorators.http import require_GET

from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import exports
from trinco.panel.reports.drill import Wanted
from trinco.panel.reports.scope import Scope
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.overview import typed
from trinco.panel.web.scopes import scope_of

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@require_GET
@may(Deed.READ)
def show(request: MemberRequest, kind: str, form: str) -> StreamingHttpResponse:
    """The table of this kind, for what the address asks."""
    if kind not in exports.KINDS or form not in MEDIA_TYPES:
        raise Http404
    scope, table = scope_of(request), exports.KINDS[kind]
    rows = table.rows(scope, _wanted(request))
    pieces = exports.csv(table, rows) if form == "csv" else exports.as_json(exports.facts(kind, scope), rows)
    headers = {
        "Content-Disposition": f'attachment; filename="{_name(kind, scope)}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(pieces, content_type=MEDIA_TYPES[form], headers=headers)


def _wanted(request: MemberRequest) -> Wanted:
    """Which failure details: those of one result, mail server or policy type."""
    return Wanted(**{name: typed(request.GET, name) for name in Wanted.names() if name in request.GET})


def _name(kind: str, scope: Scope) -> str:
    about = scope.domain.name if scope.domain else "all"
    return f"tls-{kind}-{about}-{scope.first}-{scope.last}"
