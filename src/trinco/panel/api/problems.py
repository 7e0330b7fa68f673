"""What goes wrong in the API, as RFC 9457 has it: `application/problem+json` with a type, a title and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from trinco.panel.api import kinds
from trinco.panel.api.kinds import Kind

ROOT = "/api/"
MEDIA_TYPE = "application/problem+json"
PRIVATE = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie"}


class Problem(Exception):
    """An answer that is not what was asked for.

    `what`: its kind, or a status that says it all. `parameter`: the part of the address that is wrong; `more`: further
    members of the document; `headers`: further headers of the answer.
    """

    def __init__(self, what: Kind | HTTPStatus, detail: str = "", parameter: str = "", **more: Any) -> None:
        self.kind = what if isinstance(what, Kind) else kinds.of_status(what)
        self.detail = detail or self.kind.says
        super().__init__(self.detail)
        self.more = {**({"parameter": parameter} if parameter else {}), **more}
        self.headers: dict[str, str] = {}

    @property
    def document(self) -> dict[str, Any]:
        """What it says, as its members."""
        told: dict[str, Any] = {"type": self.kind.uri, "title": self.kind.title, "status": int(self.kind.status)}
        return {**told, **({"detail": self.detail} if self.detail else {}), **self.more}

    def with_headers(self, **headers: str) -> Problem:
        """The same with headers: `ETag="…"`, `Retry_After="3"`."""
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self


def answer(problem: Problem) -> HttpResponse:
    """The document."""
    headers: Mapping[str, str] = {**PRIVATE, **problem.headers}
    if problem.kind.status is HTTPStatus.UNAUTHORIZED:
        headers = {**headers, "WWW-Authenticate": 'Bearer realm="trinco"'}
    return JsonResponse(problem.document, status=problem.kind.status, content_type=MEDIA_TYPE, headers=headers)


def of_status(status: int) -> HttpResponse:
    """The document that says no more than the status does."""
    return answer(Problem(HTTPStatus(status)))


class ProblemMiddleware:
    """Every error below `/api/` is a problem document, whoever made it: the router, Django, or a fault of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(ROOT) or response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        if response.headers.get("Content-Type") == MEDIA_TYPE:
            return response
        problem = of_status(response.status_code)
        if "Allow" in response.headers:
            problem.headers["Allow"] = _allowed(response.headers["Allow"].split(", "))
        return problem


def _allowed(methods: list[str]) -> str:
    """What is read by GET is asked after by HEAD as well (`heads`)."""
    return ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
