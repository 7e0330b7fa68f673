"""`/api/v1`: the operations, how they are described, and what becomes of an error."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render
from django.urls import get_script_prefix
from django.utils.translation import get_language
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema

from trinco.core.errors import TrincoError
from trinco.panel.api import (
    activity,
    arrivals,
    certificates,
    domains,
    edges,
    imports,
    kinds,
    labels,
    many,
    organisation,
    people,
    policies,
    problems,
    reading,
    recipients,
    records,
    reports,
    state,
    takeout,
    tokens,
    webhooks,
)
from trinco.panel.api.auth import needs
from trinco.panel.api.bodies import StrictParser
from trinco.panel.api.budget import Budget
from trinco.panel.api.describing import complete
from trinco.panel.api.invalid import invalid
from trinco.panel.api.once import framed, once
from trinco.panel.api.problems import PRIVATE, Problem
from trinco.panel.api.refusals import problem_of

DESCRIPTION = """Your domains, their policies, and the TLS reports about them, for programs.

Sign in with a token of yours: `Authorization: Bearer trinco_…`. All days are UTC.
Errors are RFC 9457 problem documents; `type` tells them apart.
"""


class Page(Swagger):
    """The page of the description, by the templates and files that the settings name: the library is no app."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **path: Any) -> HttpResponse:
        of_swagger = {**self.settings, "url": self.get_openapi_url(api, path)}
        return render(request, self.template, {"swagger_settings": json.dumps(of_swagger), "api": api})


class Api(NinjaAPI):
    """Every answer is its caller's alone, and nobody keeps it on the way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._described: dict[tuple[str, str | None, str], OpenAPISchema] = {}

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        response = super().create_temporal_response(request)
        for name, value in PRIVATE.items():
            response.headers[name] = value
        return response

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The description, for reading alone. Made once: that takes seconds, and anybody may ask for it."""
        asked = (get_script_prefix(), get_language(), repr(options))
        if asked not in self._described:
            described = super().get_openapi_schema(**options)
            complete(described)
            self._described[asked] = described
        return self._described[asked]


api = Api(
    title="Trinco",
    version="1",
    description=DESCRIPTION,
    auth=needs(None),
    throttle=[Budget()],
    parser=StrictParser(),
    docs=Page(),
)
api.add_decorator(once, mode="operation")
api.add_decorator(framed, mode="view")
api.add_router("/domains", domains.router)
for _below_a_domain in (policies.router, recipients.router, records.router, certificates.own_router):
    api.add_router("/domains", _below_a_domain)
api.add_router("/imports", imports.router)
api.add_router("/certificates", certificates.router)
api.add_router("", many.router)
api.add_router("/reports", reports.router)
api.add_router("/arrivals", arrivals.router)
api.add_router("/retention", arrivals.retention_router)
api.add_router("/read", reading.router)
api.add_router("/activity", activity.router)
api.add_router("/organisation", organisation.router)
api.add_router("/organisation/label", labels.router)
api.add_router("/clients", organisation.clients_router)
api.add_router("/people", people.router)
api.add_router("/invitations", people.invitations_router)
api.add_router("/tokens", tokens.router)
api.add_router("/webhooks", webhooks.router)
api.add_router("/deliveries", webhooks.deliveries_router)
api.add_router("/takeout", takeout.router)
api.add_router("/edges", edges.router)
api.add_router("/state", state.router)


@api.exception_handler(Problem)
def _problem(_request: HttpRequest, error: Problem) -> HttpResponse:
    return problems.answer(error)


@api.exception_handler(TrincoError)
def _refused(_request: HttpRequest, error: TrincoError) -> HttpResponse:
    return problems.answer(problem_of(error))


@api.exception_handler(Http404)
def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problems.answer(Problem(kinds.NOT_FOUND))


@api.exception_handler(AuthenticationError)
def _unauthorized(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return problems.answer(Problem(kinds.UNAUTHORIZED))


@api.exception_handler(Throttled)
def _throttled(_request: HttpRequest, _error: Throttled) -> HttpResponse:
    return problems.answer(Problem(kinds.TOO_MANY))


@api.exception_handler(RequestDataTooBig)
def _too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return problems.answer(Problem(kinds.TOO_LARGE))


@api.exception_handler(UnreadablePostError)
def _unreadable(_request: HttpRequest, _error: UnreadablePostError) -> HttpResponse:
    return problems.answer(Problem(kinds.BAD_BODY, "The body broke off."))


@api.exception_handler(HttpError)
def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    """The framework tells of every body that cannot be read in the same words; ours are behind them."""
    cause: Any = error.__cause__
    return problems.answer(cause) if isinstance(cause, Problem) else problems.of_status(error.status_code)


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problems.answer(invalid(error))
