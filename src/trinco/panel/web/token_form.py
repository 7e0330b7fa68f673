"""The form that makes a key to the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from trinco.panel.accounts.models import TokenScope
from trinco.panel.accounts.tokens import LIFETIME, LIFETIMES
from trinco.panel.web.forms import purpose


def _lifetimes() -> list[tuple[int, str]]:
    return [(days, ngettext("%(n)d day", "%(n)d days", days) % {"n": days}) for days in LIFETIMES]


class TokenForm(forms.Form):
    """What it is for, what it opens, and for how long."""

    name = purpose()
    scope = forms.ChoiceField(
        label=_("What it may do"),
        choices=TokenScope.choices,
        initial=TokenScope.READ,
        help_text=_("Never more than your own role. A program that only looks needs no more than reading."),
    )
    days = forms.TypedChoiceField(label=_("Valid for"), coerce=int, choices=_lifetimes, initial=LIFETIME)

    def __init__(self, scopes: Sequence[TokenScope], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["scope"].choices = [(scope.value, scope.label) for scope in scopes]  # type: ignore[attr-defined]
