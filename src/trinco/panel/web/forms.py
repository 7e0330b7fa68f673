"""What people type and choose, turned into values of core."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from trinco.core.errors import DomainSyntaxError, PolicySyntaxError
from trinco.core.mailhosts import too_wide
from trinco.core.mtasts import mx as mx_patterns
from trinco.core.mtasts.policy import MAX_AGE_LIMIT, Mode, Policy
from trinco.core.names import MAX_TYPED, Domain
from trinco.panel.policies.errors import WildcardTooWide
from trinco.panel.reports.retention import MOST_DAYS
from trinco.panel.web import words
from trinco.panel.web.reasons import reason
from trinco.panel.web.refusals import refusal
from trinco.panel.web.templatetags.trinco import span

MIN_MAX_AGE = words.DAY
"""Seconds: the least that a person may choose."""
MANY_MX = 100
"""More patterns than any policy needs; a page that shows them stays readable."""

_span_lazy = lazy(span, str)


@dataclass(frozen=True, slots=True)
class Marked:
    """What was typed, cut where the fault begins and ends."""

    before: str
    marked: str
    after: str

    @classmethod
    def of(cls, error: DomainSyntaxError) -> Marked | None:
        """None when the error has no place."""
        if error.source is None or error.span is None:
            return None
        start, end = error.span
        return cls(error.source[:start], error.source[start:end], error.source[end:])


def printable(text: str) -> None:
    """For what is shown: no control or direction character. Raises ValidationError."""
    if not text.isprintable():
        raise ValidationError(_("Letters, digits and signs alone."))


def purpose() -> forms.CharField:
    """What a token or a webhook is for, in its people's words."""
    return forms.CharField(
        label=_("What it is for"),
        max_length=80,
        help_text=_("So that you know in a year which one it is: “monitoring”, “ticket system”."),
        validators=[printable],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class DomainField(forms.CharField):
    """A mail domain. The error keeps the place of the fault, so that the page can underline it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_TYPED, strip=True, **options)

    def clean(self, value: Any) -> Domain:
        text = super().clean(value)
        try:
            return Domain.parse(text)
        except DomainSyntaxError as error:
            raise ValidationError(reason(error), params={"fault": error}) from error


class AddDomainForm(forms.Form):
    """One name."""

    name = DomainField(
        label=_("Mail domain"),
        help_text=_("The part after the @ of your addresses, such as example.com."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )

    @property
    def marked(self) -> Marked | None:
        """The name with its fault's place; None: nothing of that kind is wrong."""
        errors = self.errors.as_data().get("name", [])
        faults = [error.params["fault"] for error in errors if error.params and "fault" in error.params]
        return Marked.of(faults[0]) if faults else None


class MxField(forms.CharField):
    """A list of `mx` patterns, one a line: A-labels, lower case, each once."""

    widget = forms.Textarea(attrs={"class": "mono", "rows": 4, "spellcheck": "false", "autocapitalize": "none"})

    def clean(self, value: Any) -> tuple[str, ...]:
        typed = [word for word in re.split(r"[\s,;]+", super().clean(value)) if word]
        if len(typed) > MANY_MX:
            raise ValidationError(_("More than %(n)d lines."), params={"n": MANY_MX})
        return tuple(dict.fromkeys(_pattern(word) for word in typed))


def _pattern(word: str) -> str:
    try:
        return mx_patterns.pattern(word)
    except PolicySyntaxError as error:
        raise ValidationError(
            _("%(word)s is not a host name, nor a pattern such as *.example.com."), params={"word": word}
        ) from error


class MxForm(forms.Form):
    """The mail servers that a policy names."""

    mx = MxField(
        label=_("Mail servers that may receive mail for this domain"),
        help_text=_("One host name a line, as in the MX records. *.example.net stands for any one name below it."),
    )

    def clean_mx(self) -> tuple[str, ...]:
        """The same refusal as the service's, beside what was typed."""
        patterns: tuple[str, ...] = self.cleaned_data["mx"]
        for pattern in patterns:
            if width := too_wide(pattern):
                raise ValidationError(refusal(WildcardTooWide(pattern, width)))
        return patterns


class CredentialsForm(forms.Form):
    """What one provider wants to know, used for one conversation and shown to nobody again."""

    seen = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    """The mark of the records that the page showed as being in the way."""
    replace = forms.BooleanField(required=False)

    def __init__(self, names: tuple[str, ...], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for name in names:
            self.fields[f"key-{name}"] = forms.CharField(
                required=False,
                max_length=8192,
                label=name,
                widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=False),
            )

    @property
    def credentials(self) -> dict[str, str]:
        """The fields that were filled in, of a valid form."""
        typed = {name: value for name, value in self.cleaned_data.items() if name.startswith("key-") and value}
        return {name.removeprefix("key-"): value for name, value in typed.items()}

    @property
    def confirmed(self) -> str:
        """The mark, where the person said that what it stands for may be replaced."""
        return str(self.cleaned_data["seen"]) if self.cleaned_data["replace"] else ""

    @property
    def keys(self) -> list[forms.BoundField]:
        """The fields for credentials alone."""
        return [self[name] for name in self.fields if name.startswith("key-")]


class SecondsField(forms.IntegerField):
    """A number of seconds in the digits 0-9: `int` would take those of any script, and underscores."""

    def to_python(self, value: Any) -> int | None:
        if value not in self.empty_values and not re.fullmatch(r"[0-9]{1,10}", str(value)):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class UndoForm(forms.Form):
    """What the page of an undo carries: the number of the version that the person looked at."""

    version = forms.IntegerField(required=False)
    override = forms.BooleanField(required=False)


class PolicyForm(forms.Form):
    """A whole policy, as the confirmation carries it."""

    MAX_AGES: ClassVar[list[tuple[int, Any]]] = [(seconds, _span_lazy(seconds)) for seconds in words.MAX_AGES]

    mode = forms.ChoiceField(choices=[(mode.value, mode.value) for mode in Mode])
    mx = MxField(required=False)
    max_age = SecondsField(min_value=MIN_MAX_AGE, max_value=MAX_AGE_LIMIT)
    version = forms.IntegerField(required=False)
    """The number of the version that the person looked at."""
    override = forms.BooleanField(required=False)

    @property
    def policy(self) -> Policy:
        """The policy of a valid form."""
        mode = Mode(self.cleaned_data["mode"])
        return Policy(mode, () if mode is Mode.NONE else self.cleaned_data["mx"], self.cleaned_data["max_age"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                _ = self.policy
            except PolicySyntaxError as error:
                raise ValidationError(reason(error)) from error
        return data


class RetentionForm(forms.Form):
    """How many days what lies below the totals is kept."""

    raw_days = SecondsField(
        min_value=1,
        max_value=MOST_DAYS,
        label=_("Days until a raw report goes"),
        help_text=_(
            "As it came, compressed. It is what can be downloaded, and what the totals can be built again from."
        ),
    )
    row_days = SecondsField(
        min_value=1,
        max_value=MOST_DAYS,
        label=_("Days until a report goes"),
        help_text=_("What it says, row by row. The daily totals stay for ever."),
    )


class ActivityFilter(forms.Form):
    """Which lines of the log are asked for."""

    domain = forms.CharField(required=False, max_length=254, label=_("Domain"))
    action = forms.CharField(required=False, max_length=40, label=_("What"))
