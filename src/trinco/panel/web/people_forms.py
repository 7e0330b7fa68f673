"""The forms of people and organisations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from trinco.panel.accounts import provider, roles
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.roles import Role
from trinco.panel.web.forms import printable


def given_by(access: Access) -> list[tuple[str, Any]]:
    """The roles that the person may give: none above their own, the lowest first."""
    return [(role.value, role.label) for role in reversed(Role) if roles.rank(role) <= roles.rank(access.role)]


class InviteForm(forms.Form):
    """Who, and as what."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, access: Access, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"].choices = given_by(access)  # type: ignore[attr-defined]


class OrganisationForm(forms.Form):
    """Its name, and what it demands of its people."""

    name = forms.CharField(label=_("Name"), max_length=120, validators=[printable])
    mfa_required = forms.BooleanField(label=_("Everybody needs a second factor to sign in"), required=False)
    sso_required = forms.BooleanField(
        label=_("Everybody signs in by single sign-on, except owners"),
        help_text=_(
            "Owners still come in with a password when the provider is away: give them a second factor. Tokens of the "
            "API go on."
        ),
        required=False,
    )

    def __init__(self, organisation: Organisation, data: Any = None) -> None:
        terms = ("name", "mfa_required", "sso_required")
        super().__init__(data, initial={key: getattr(organisation, key) for key in terms})
        if not (provider.configured() or organisation.sso_required):
            del self.fields["sso_required"]


class ClientForm(forms.Form):
    """A new client."""

    name = forms.CharField(label=_("Name of the client"), max_length=120, validators=[printable])


class PasswordForm(forms.Form):
    """The password of a new account."""

    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("12 characters at least."),
    )

    def __init__(self, email: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.email = email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.email))
        return password
