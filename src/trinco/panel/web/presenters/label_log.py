"""The lines of the log about a label in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_WORDS: Final = {"product": gettext_lazy("product name"), "accent": gettext_lazy("accent colour")}
_PICTURES: Final = {"logo": gettext_lazy("logo"), "logo_dark": gettext_lazy("logo for the dark theme")}


def label_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What differs."""
    for key, word in _WORDS.items():
        if key in after and before.get(key, "") != after[key]:
            yield f"{word}: {before.get(key) or '–'} → {after[key] or '–'}"
    yield from (str(word) for key, word in _PICTURES.items() if before.get(key, "") != after.get(key, ""))
    if "powered" in after and before.get("powered", True) != after["powered"]:
        yield _("“Powered by Trinco” is shown") if after["powered"] else _("“Powered by Trinco” is not shown")
    if "host" in after:
        yield after["host"]
