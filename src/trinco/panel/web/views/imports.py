"""Many domains at once: a list is given, and its page says how each line ends."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from trinco.core.tables import as_csv
from trinco.panel.accounts import actors
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.roles import Deed
from trinco.panel.policies import imports
from trinco.panel.policies.errors import ImportRefused, ImportUnderWay
from trinco.panel.policies.import_lines import MOST_OCTETS
from trinco.panel.policies.import_models import REFUSED, DomainImport, ImportLine
from trinco.panel.policies.import_places import places_of
from trinco.panel.web import paging, uploads
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters.imports import COLUMNS, bad_lines, clients, result_rows, standing
from trinco.panel.web.refusals import refusal
from trinco.panel.web.views.setup import STOP_POLLING


@csrf_exempt  # here alone: `_given` is protected, once the form was taken into memory
@require_http_methods(["GET", "POST"])
@may(Deed.DOMAINS_WRITE)
def show_all(request: MemberRequest) -> HttpResponseBase:
    """The form and the last imports; posted, another one."""
    if request.method == "GET":
        return _page(request)
    try:
        uploads.read_into_memory(request)
    except uploads.UploadTooLarge:
        return _page(request, _too_large(), status=413)
    return _given(request)


@csrf_protect
def _given(request: MemberRequest) -> HttpResponse:
    upload, pasted = request.FILES.get("file"), request.POST.get("text", "")
    data = upload.read() if upload else pasted.encode("utf-8", "replace")
    if len(data) > MOST_OCTETS:
        return _page(request, _too_large(), status=413)
    try:
        text = data.decode()
        places = places_of(request.membership)
        job = imports.start(organisation=request.organisation, text=text, actor=actors.of(request), places=places)
    except UnicodeDecodeError:
        return _page(request, _("This is no text in UTF-8. Save it as CSV UTF-8, then go on."), status=400)
    except ImportRefused as error:
        return _page(request, refusal(error), text=text, status=400)
    return redirect("import", job.pk)


def _too_large() -> str:
    return _("That is more than is read here: 1 MiB.")


def _page(request: MemberRequest, problem: str = "", *, text: str = "", status: int = 200) -> HttpResponse:
    jobs = DomainImport.objects.of(request.organisation)[: imports.KEPT]
    context = {"nav": "overview", "problem": problem, "text": text, "jobs": jobs, **_examples(request)}
    return render(request, "web/imports.html", context, status=status)


def _examples(request: MemberRequest) -> dict[str, object]:
    """Whose the line is that is shown as an example: a client's, where there is one."""
    access = request.membership
    clients = Organisation.objects.filter(parent=request.organisation).order_by("name") if access.provides else ()
    return {"provider": access.provides or access.may_have_clients, "client": next(iter(clients[:1]), None)}


@require_GET
@may(Deed.READ)
def show(request: MemberRequest, pk: int) -> HttpResponse:
    """How far it is, and what was refused."""
    return render(request, "web/import.html", {"nav": "overview", **_view(request, pk)})


@require_GET
@may(Deed.READ)
def live(request: MemberRequest, pk: int) -> HttpResponse:
    """The part that changes."""
    view = _view(request, pk)
    return render(request, "web/_import.html", view, status=200 if view["running"] else STOP_POLLING)


def _view(request: MemberRequest, pk: int) -> dict[str, object]:
    job = _job(request, pk)
    view = standing(job)
    lines = ImportLine.objects.of(request.organisation).filter(job=pk, ending__in=REFUSED)
    page, rows = paging.page_of(request, lines, view.refused)
    told = {
        "view": view,
        "running": view.running,
        "clients": clients(job),
        "lines": bad_lines(request.membership, rows),
    }
    told["unheeded"] = imports.is_unheeded(job, timezone.now())
    return {**told, "page": page, "page_query": ""}


def _job(request: MemberRequest, pk: int) -> DomainImport:
    return get_object_or_404(DomainImport.objects.of(request.organisation).select_related("organisation"), pk=pk)


@require_POST
@may(Deed.DOMAINS_WRITE)
def run(request: MemberRequest, pk: int) -> HttpResponse:
    """Stop it, or have it go on."""
    job, deed = _job(request, pk), {"stop": imports.stop, "go-on": imports.go_on}.get(request.POST.get("do", ""))
    if deed is None:
        return HttpResponseBadRequest()
    try:
        deed(job=job, actor=actors.of(request))
    except ImportUnderWay as error:
        messages.warning(request, refusal(error))
    return redirect("import", job.pk)


@require_GET
@may(Deed.READ)
def results(request: MemberRequest, pk: int) -> HttpResponse:
    """Every line and how it ended, as CSV."""
    lines = ImportLine.objects.of(request.organisation).filter(job=_job(request, pk)).order_by("number")
    rows = result_rows(request.membership, list(lines.select_related("client")))
    headers = {
        "Content-Disposition": f'attachment; filename="import-{pk}.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    text = "".join(as_csv(rows, COLUMNS))
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
