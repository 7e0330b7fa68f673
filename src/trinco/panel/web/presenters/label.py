"""What the page of a label shows: how it would look, and how far its host is."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from trinco.panel.accounts import labels
from trinco.panel.accounts.logos import Picture
from trinco.panel.accounts.models import HostClaim, Label
from trinco.panel.web.label_forms import LabelForm, kept
from trinco.panel.web.presenters.brand import PREVIEW, accent_address, brand_of

DEFAULT = "#2f5bd7"
"""The accent of pages that have no label, as in the style sheet."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`logo`, `logo_dark`: where the pictures are, or they themselves; `kept`: fields for those not saved yet."""

    product: str
    accent: str
    sheet: str
    logo: str
    logo_dark: str
    powered: bool
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HostView:
    """The host that is wanted; `record`, `text`: what DNS has to say; `look` and `word`: whether it does."""

    name: str
    record: str
    text: str
    look: str
    word: str
    address: str


def preview(label: Label | None, form: LabelForm) -> Preview:
    """As the form says, where it says something that may be; else as it is."""
    form.is_valid()  # fills `cleaned_data` where it was posted, also beside a fault
    brand, data = brand_of(label), getattr(form, "cleaned_data", {})
    accent = data.get("accent", label.accent if label else "") or form.suggestion
    pictures: dict[str, Picture | None] = data.get("pictures", {})
    logo = _shown(pictures, "logo", brand.logo)
    dark = _shown(pictures, "logo_dark", brand.logo_dark if label and label.logo_dark else "")
    fields = tuple((f"kept_{name}", kept(picture)) for name, picture in pictures.items() if picture)
    product = data.get("product") or (label.product if label else str(form.initial.get("product", "")))
    powered = data.get("powered", label.powered if label else True)
    sheet = accent_address(accent or DEFAULT, PREVIEW)
    return Preview(product, accent, sheet, logo, dark or logo, powered, fields)


def host_view(label: Label | None, claim: HostClaim | None) -> HostView | None:
    """None: no host is wanted."""
    if claim is None:
        return None
    record, text = labels.proof(claim)
    proven = label is not None and label.host == claim.host
    look, word = _standing(claim, proven=proven)
    return HostView(claim.host, record, text, look, word, labels.root(label) if proven else "")


def _standing(claim: HostClaim, *, proven: bool) -> tuple[str, str]:
    if proven and claim.found_at != claim.looked_at:
        return "warn", _("The record is gone. Without it the host is no longer yours after three days.")
    if proven:
        return "ok", _("Proven: the pages answer there under your label.")
    if claim.taken:
        return "bad", _("Another label has this host, and its record stands there as well. Delete that one first.")
    return "mute", _("Not found yet.") if claim.looked_at else _("Not looked at yet.")


def _shown(pictures: dict[str, Picture | None], name: str, now: str) -> str:
    if name not in pictures:
        return now
    picture = pictures[name]
    return f"data:image/png;base64,{kept(picture)}" if picture else ""
