"""The password that binds an account to what the OpenID provider says."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from trinco.panel.accounts.models import User


class BindForm(forms.Form):
    """Counted as every attempt at signing in is."""

    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, request: HttpRequest, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request, self._user = request, user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        found = get_adapter().authenticate(self._request, email=self._user.email, password=password)
        if found is None or found.pk != self._user.pk:
            raise ValidationError(_("This is not the password of the account."))
        return password
