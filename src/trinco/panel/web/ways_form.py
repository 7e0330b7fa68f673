"""The form of the ways in which the three records are published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.panel.policies.ways import CHOICES, RECORDS, Ways

HINTS: dict[str, Promise] = {
    "host": _(
        "With addresses, you change them when ours change, and a policy host that fails is not taken out for you."
    ),
    "sts": _("With a TXT record, a change of the policy counts as announced once you have published its id."),
    "tlsrpt": _("With a TXT record, you can have the reports sent elsewhere as well."),
}


class WaysForm(forms.Form):
    """One choice for each record."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, ways in CHOICES.items():
            choices = [(way.value, way.label) for way in ways]
            self.fields[name] = forms.ChoiceField(choices=choices, widget=forms.RadioSelect)

    @property
    def told(self) -> Iterator[tuple[forms.BoundField, str, Promise]]:
        """(field, the record's name, what the choice means)."""
        for name, record in RECORDS.items():
            yield self[name], str(record.value), HINTS[name]

    @property
    def ways(self) -> Ways:
        """What was chosen."""
        return cast("Ways", {name: self.cleaned_data[name] for name in CHOICES})
