"""The forms of tags and saved filters."""

from __future__ import annotations

import unicodedata

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from trinco.core import tags
from trinco.core.errors import TagSyntaxError
from trinco.panel.web.reasons import reason


class TagsForm(forms.Form):
    """One tag or several, parted by commas."""

    tags = forms.CharField(max_length=200)

    def clean_tags(self) -> tuple[str, ...]:
        try:
            return tags.parse_list(self.cleaned_data["tags"])
        except TagSyntaxError as error:
            raise ValidationError(reason(error)) from None


class FilterNameForm(forms.Form):
    """What a saved filter is called."""

    name = forms.CharField(max_length=60)

    def clean_name(self) -> str:
        name = unicodedata.normalize("NFKC", self.cleaned_data["name"]).strip()
        if not name.isprintable() or not 0 < len(name) <= 60:
            raise ValidationError(_("Letters, digits and signs alone."))
        return name
