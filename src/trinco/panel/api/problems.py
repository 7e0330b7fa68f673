"""What goes wrong in the API, as RFC 9457 has it: `application/problem+json` with title, status and a sentence."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

ROOT = "/api/"
MEDIA_TYPE = "application/problem+json"
PRIVATE = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie"}

SENTENCES = {
    HTTPStatus.UNAUTHORIZED: "Send a token as `Authorization: Bearer trinco_…`, or sign in.",
    HTTPStatus.FORBIDDEN: "You belong to no organisation that could be shown.",
    HTTPStatus.NOT_FOUND: "There is nothing of yours at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address is for reading: GET.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests. Try again later.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The fault is ours. It has been written down.",
}


class Problem(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: HTTPStatus, detail: str, parameter: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter


def answer(status: int, detail: str = "", parameter: str = "") -> HttpResponse:
    """The document. `parameter` is the part of the address that is wrong."""
    known = HTTPStatus(status)
    told = {"type": "about:blank", "title": known.phrase, "status": status}
    sentence = detail or SENTENCES.get(known, "")
    if sentence:
        told["detail"] = sentence
    if parameter:
        told["parameter"] = parameter
    headers = {**PRIVATE, **({"WWW-Authenticate": 'Bearer realm="trinco"'} if known is HTTPStatus.UNAUTHORIZED else {})}
    return JsonResponse(told, status=status, content_type=MEDIA_TYPE, headers=headers)


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
        problem = answer(response.status_code)
        if "Allow" in response.headers:
            problem.headers["Allow"] = response.headers["Allow"]
        return problem
