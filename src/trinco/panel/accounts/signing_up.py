"""The form by which somebody makes an account."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm
from django.http import HttpRequest

from trinco.panel.accounts.models import User


class SignUpForm(SignupForm):  # type: ignore[misc]
    """Whoever has an account already is told so by mail alone, and the answer comes no sooner for them."""

    def try_save(self, request: HttpRequest) -> Any:
        """Called by allauth, whose signature this is."""
        if self.account_already_exists:
            User().set_password(self.cleaned_data["password1"])  # what takes most of the time of making an account
        return super().try_save(request)
