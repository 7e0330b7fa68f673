"""The forms of a label. A logo that was looked at in the preview comes along, since a browser keeps no file."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trinco.core.errors import DomainSyntaxError, TrincoError
from trinco.core.names import Domain
from trinco.panel.accounts import accents, logos
from trinco.panel.accounts.errors import AccentTooFaint
from trinco.panel.accounts.labels import PICTURES, Wanted
from trinco.panel.accounts.logos import Picture
from trinco.panel.accounts.models import Label
from trinco.panel.web.forms import printable
from trinco.panel.web.reasons import reason
from trinco.panel.web.refusals import refusal

_ACCEPT: Final = "image/png,image/jpeg,image/webp"
_MOST_KEPT: Final = 4 * logos.MOST_OCTETS // 3 + 4


def _file(label: Any, help_text: Any = "") -> forms.FileField:
    widget = forms.FileInput(attrs={"accept": _ACCEPT})
    return forms.FileField(label=label, required=False, widget=widget, help_text=help_text, allow_empty_file=True)


def _hidden() -> forms.CharField:
    return forms.CharField(required=False, max_length=_MOST_KEPT, widget=forms.HiddenInput)


class LabelForm(forms.Form):
    """How the pages look. `suggestion` is the nearest colour that can be read, where the one given cannot."""

    product = forms.CharField(label=gettext_lazy("Product name"), max_length=60, validators=[printable])
    accent = forms.CharField(
        label=gettext_lazy("Accent colour"),
        max_length=9,
        required=False,
        help_text=gettext_lazy("As #2f5bd7, for the light theme; the dark one gets a lighter form of it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "#2f5bd7"}),
    )
    logo = _file(
        gettext_lazy("Logo"), gettext_lazy("PNG, JPEG or WebP, 512 KiB at most. It is shown 44 pixels high at most.")
    )
    no_logo = forms.BooleanField(label=gettext_lazy("Without a logo"), required=False)
    logo_dark = _file(gettext_lazy("Logo for the dark theme"), gettext_lazy("Where the other cannot be seen on dark."))
    no_logo_dark = forms.BooleanField(label=gettext_lazy("The same logo in both themes"), required=False)
    powered = forms.BooleanField(label=gettext_lazy("Show “Powered by Trinco” below"), required=False)
    kept_logo = _hidden()
    kept_logo_dark = _hidden()

    suggestion = ""

    @classmethod
    def of(cls, label: Label | None, product: str) -> LabelForm:
        """As it is now; before there is one, with this name."""
        if label is None:
            return cls(initial={"product": product[:60], "powered": True})
        return cls(initial={"product": label.product, "accent": label.accent, "powered": label.powered})

    def clean_accent(self) -> str:
        typed = self.cleaned_data["accent"].strip()
        if not typed:
            return ""
        try:
            accent = accents.parse(typed)
            accents.require(accent)
        except AccentTooFaint as error:
            self.suggestion = error.nearest
            raise ValidationError(refusal(error)) from error
        except TrincoError:
            raise ValidationError(_("This is no colour. Write it as #2f5bd7.")) from None
        return accent

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        data["pictures"] = {name: picture for name in PICTURES for picture in self._picture(name)}
        return data

    @property
    def wanted(self) -> Wanted:
        """Of a valid form."""
        data = self.cleaned_data
        return Wanted(data["product"], data["accent"], data["powered"], data["pictures"])

    def _picture(self, name: str) -> list[Picture | None]:
        """The picture that comes in, None where one goes; empty: it stays."""
        if self.cleaned_data.get(f"no_{name}"):
            return [None]
        upload = self.cleaned_data.get(name)
        data = upload.read(logos.MOST_OCTETS + 1) if upload else _decoded(self.cleaned_data.get(f"kept_{name}", ""))
        if not data:
            return []
        try:
            return [logos.picture(data)]
        except TrincoError as error:
            self.add_error(name, refusal(error))
            return []


class HostForm(forms.Form):
    """The host of the pages."""

    host = forms.CharField(
        label=gettext_lazy("Host"),
        max_length=255,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "tls.provider.example"}
        ),
    )

    def clean_host(self) -> Domain:
        try:
            return Domain.parse(self.cleaned_data["host"])
        except DomainSyntaxError as error:
            raise ValidationError(reason(error)) from error


def kept(picture: Picture) -> str:
    """A picture as a hidden field has it."""
    return base64.b64encode(picture.png).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
