"""Read a report (public): a file or a text comes in, is explained, and is forgotten."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from trinco.core.errors import InputError
from trinco.core.tlsrpt import parse
from trinco.panel import limits
from trinco.panel.accounts.actors import client_address
from trinco.panel.web import uploads
from trinco.panel.web.access import public
from trinco.panel.web.presenters.reading import ReadView, read_views
from trinco.panel.web.reasons import reason


@public
@csrf_exempt  # here alone: `_explained` is protected, once the form was taken into memory
@never_cache
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest) -> HttpResponseBase:
    """The form; posted, the report explained. Nothing of it is kept, on no disk and in no log."""
    if request.method == "GET":
        return _page(request)
    if not limits.allowed("read", client_address(request), limits.READINGS):
        return _page(request, _("That was a lot at once. Wait a minute, then go on."), status=429)
    try:
        uploads.read_into_memory(request)
    except uploads.UploadTooLarge:
        text = _("That is more than is read here: 10 MiB of a file, 2.5 MiB of pasted text.")
        return _page(request, text, status=413)
    return _explained(request)


@csrf_protect
def _explained(request: HttpRequest) -> HttpResponse:
    data = _given(request)
    if not data.strip():
        return _page(request, _("Choose a file, or paste the text of a report."), status=400)
    try:
        found = parse.reports(data)
    except InputError as error:
        return _page(request, _("This cannot be read as a TLS report: %s.") % reason(error), status=400)
    return _page(request, found=read_views(found))


def _given(request: HttpRequest) -> bytes:
    """The file, or else what was pasted."""
    upload = request.FILES.get("file")
    return upload.read() if upload else request.POST.get("text", "").encode("utf-8", "replace")


def _page(request: HttpRequest, problem: str = "", *, found: ReadView | None = None, status: int = 200) -> HttpResponse:
    base = "web/base.html" if request.user.is_authenticated else "web/public.html"
    context = {"nav": "read", "base": base, "problem": problem, "found": found}
    return render(request, "web/read.html", context, status=status)
