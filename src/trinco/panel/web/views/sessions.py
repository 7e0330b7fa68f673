"""Where a person is signed in: allauth's page, on which one session can be ended as well."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.views import ListUserSessionsView
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from trinco.panel.accounts import browsers


class SessionsForm(ManageUserSessionsForm):  # type: ignore[misc]
    """One of them, or all others where none is named."""

    session = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)

    def save(self, request: HttpRequest) -> None:
        chosen = self.cleaned_data["session"]
        if chosen is None:
            browsers.end_others(request, request.user)  # type: ignore[arg-type] # the view wants somebody signed in
        else:
            browsers.end(request.user, chosen)  # type: ignore[arg-type]


class SessionsView(ListUserSessionsView):  # type: ignore[misc]
    """The list; posted, sessions are over from their next request on."""

    form_class = SessionsForm

    def get_context_data(self, **facts: Any) -> dict[str, Any]:
        rows = browsers.signed_in(self.request, self.request.user)
        return {**super().get_context_data(**facts), "rows": rows}

    def form_valid(self, form: SessionsForm) -> HttpResponse:
        form.save(self.request)
        messages.success(self.request, _("Ended."))
        return redirect("usersessions_list")


show = SessionsView.as_view()
