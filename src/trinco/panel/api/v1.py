"""`/api/v1`: the operations, how they are described, and what becomes of an error."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from trinco.panel.api import domains, problems, reports
from trinco.panel.api.auth import needs
from trinco.panel.api.problems import PRIVATE, Problem

DESCRIPTION = """What Trinco knows of your domains and of the TLS reports about them, for programs.

Sign in with a token of yours: `Authorization: Bearer trinco_…`. All days are UTC.
Errors are RFC 9457 problem documents.
"""


class Api(NinjaAPI):
    """Every answer is its caller's alone, and nobody keeps it on the way."""

    def create_response(self, *args: Any, **options: Any) -> HttpResponse:
        response = super().create_response(*args, **options)
        for name, value in PRIVATE.items():
            response.headers[name] = value
        return response


api = Api(title="Trinco", version="1", description=DESCRIPTION, auth=needs(None))
api.add_router("/domains", domains.router)
api.add_router("/reports", reports.router)


@api.exception_handler(Problem)
def _problem(_request: HttpRequest, error: Problem) -> HttpResponse:
    return problems.answer(error.status, error.detail, error.parameter)


@api.exception_handler(Http404)
def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problems.answer(HTTPStatus.NOT_FOUND)


@api.exception_handler(HttpError)
def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    return problems.answer(error.status_code)


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What the framework itself refuses, before an operation has seen it."""
    first = error.errors[0] if error.errors else {}
    name = str(first.get("loc", ("",))[-1])
    return problems.answer(HTTPStatus.BAD_REQUEST, str(first.get("msg", "")), name)
