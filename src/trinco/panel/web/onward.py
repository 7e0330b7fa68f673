"""Going on after a deed by which the host of a label may have ceased to be one: nothing answers there any more."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from trinco.panel import doors
from trinco.panel.accounts import labels


def go_on(request: HttpRequest, to: str) -> HttpResponse:
    """To this view or path; at the panel's own host where the door by which the request came is closed now.

    By a page that goes on by itself: browsers hold a form's redirect against `form-action`.
    """
    label = doors.label_here(request)
    if label is None or labels.at(str(label.host)) is not None:
        return redirect(to)
    address = f"{labels.root(None)}{resolve_url(to)}"
    response = render(request, "web/onward.html", {"address": address})
    response["Refresh"] = f"0; url={address}"
    return response
