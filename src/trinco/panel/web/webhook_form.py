"""The form of a webhook."""

from __future__ import annotations

from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trinco.core.errors import TrincoError
from trinco.panel.web.forms import purpose
from trinco.panel.web.refusals import refusal
from trinco.panel.webhooks.models import CHOICES, Webhook
from trinco.panel.webhooks.services import Terms
from trinco.panel.webhooks.urls import LONGEST, url_of


class WebhookForm(forms.Form):
    """What it is for, where it leads, what it is told."""

    name = purpose()
    url = forms.CharField(
        label=_("Address"),
        max_length=LONGEST,
        help_text=_("https://, port 443 or 8443. It must be reachable from the internet; a redirect is not followed."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}),
    )
    kinds = forms.MultipleChoiceField(
        label=_("What it is told"), choices=CHOICES, widget=forms.CheckboxSelectMultiple, required=True
    )
    on = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    @classmethod
    def of(cls, hook: Webhook) -> Self:
        """The form as the webhook is."""
        return cls(initial={"name": hook.name, "url": hook.url, "kinds": hook.kinds, "on": hook.on})

    def clean_url(self) -> str:
        try:
            return url_of(self.cleaned_data["url"])
        except TrincoError as error:
            raise ValidationError(refusal(error)) from error

    @property
    def terms(self) -> Terms:
        """What was filled in."""
        told: dict[str, Any] = self.cleaned_data
        return Terms(told["name"], told["url"], tuple(told["kinds"]), told["on"])
