"""Under what name and in what colour a page is shown: Trinco's, or a label's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from trinco.panel.accounts import accents, labels
from trinco.panel.accounts.models import Label

PAGE: Final = "page"
PREVIEW: Final = "preview"
SELECTORS: Final = {PAGE: ":root", PREVIEW: ".label-preview"}
"""Where a style sheet of an accent counts: on the whole page, or in its preview."""


@dataclass(frozen=True, slots=True)
class Brand:
    """`logo`, `logo_dark`, `accent`: addresses; "": there is none."""

    product: str
    labelled: bool = False
    powered: bool = False
    logo: str = ""
    logo_dark: str = ""
    accent: str = ""


OURS: Final = Brand(labels.PRODUCT)


def brand_of(label: Label | None) -> Brand:
    """As the page shows it."""
    if label is None:
        return OURS
    logo = _address(label.logo)
    return Brand(
        label.product, True, label.powered, logo, _address(label.logo_dark) or logo, accent_address(label.accent)
    )


def accent_address(accent: str, where: str = PAGE) -> str:
    """The address of an accent's style sheet: what stands there never changes."""
    if not accent:
        return ""
    sheet = accents.stylesheet(accent, SELECTORS[where])
    return reverse("accent", args=[where, accent[1:], accents.fingerprint(sheet)])


def _address(digest: str) -> str:
    return reverse("logo", args=[digest]) if digest else ""
