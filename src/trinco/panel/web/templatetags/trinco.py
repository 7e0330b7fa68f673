"""Words, icons and small numbers for the templates."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from heroicons.templatetags.heroicons import heroicon_micro, heroicon_mini, heroicon_outline, heroicon_solid

from trinco.panel.web import dates, foreign
from trinco.panel.web.words import MODES, SPANS

register = template.Library()

DRAW = {"micro": heroicon_micro, "mini": heroicon_mini, "outline": heroicon_outline, "solid": heroicon_solid}
ICONS = {
    "overview": "outline/squares-2x2",
    "activity": "outline/clock",
    "reports": "outline/chart-bar",
    "certificates": "outline/shield-check",
    "filter": "micro/funnel",
    "playground": "outline/puzzle-piece",
    "read": "outline/document-magnifying-glass",
    "key": "outline/key",
    "people": "outline/users",
    "clients": "outline/building-office-2",
    "label": "outline/swatch",
    "sessions": "outline/computer-desktop",
    "sign-out": "outline/arrow-right-start-on-rectangle",
    "burger": "outline/bars-3",
    "search": "mini/magnifying-glass",
    "theme": "outline/moon",
    "light": "outline/sun",
    "dark": "outline/moon",
    "auto": "outline/computer-desktop",
    "plus": "mini/plus",
    "copy": "mini/clipboard-document",
    "records": "mini/list-bullet",
    "check-now": "mini/arrow-path",
    "undo": "mini/arrow-uturn-left",
    "edit": "mini/pencil-square",
    "download": "mini/arrow-down-tray",
    "back": "mini/arrow-left",
    "next": "mini/arrow-right",
    "passkey": "mini/finger-print",
    "envelope": "outline/envelope",
    "app": "outline/device-phone-mobile",
    "inbox": "outline/inbox",
    "ok": "solid/check-circle",
    "warn": "solid/exclamation-triangle",
    "bad": "solid/x-circle",
    "info": "solid/information-circle",
    "mute": "solid/ellipsis-horizontal-circle",
    "ready": "solid/arrow-up-circle",
    "leaving": "solid/arrow-right-start-on-rectangle",
    "open": "outline/x-circle",
    "enforce": "mini/lock-closed",
    "testing": "mini/beaker",
    "none": "mini/minus-circle",
}

NOTICES = {"success": "ok", "warning": "warn", "error": "bad", "info": "info", "debug": "mute"}


for _filter in (dates.day, dates.short_day, dates.minute, dates.second, dates.weekday, foreign.plain):
    register.filter(_filter)


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 16) -> SafeString:
    """An icon of ours, drawn by heroicons; always beside a word, so hidden from readers of the page."""
    style, shape = ICONS[name].split("/")
    return mark_safe(DRAW[style](shape, size=size, aria_hidden="true"))  # noqa: S308 - drawn from a fixed table


@register.filter
def notice(level_tag: str) -> str:
    """The look of a message of Django's by its level."""
    return NOTICES.get(level_tag, "info")


@register.filter
def coded(sentence: str) -> SafeString:
    """What stands between backticks, as the command line and the mails say it too, drawn as code; all of it escaped."""
    escaped = str(conditional_escape(sentence))
    return mark_safe(re.sub("`([^`]*)`", r"<code>\1</code>", escaped))  # noqa: S308 - escaped in the line above


@register.filter
def initials(name: str) -> str:
    """One or two capitals for an avatar."""
    parts = [part for part in re.split(r"[\s.@_-]+", name) if part]
    return "".join(part[0] for part in parts[:2]).upper()


@register.filter
def mode_word(mode: Any) -> str:
    """The mode as people read it."""
    return str(MODES[str(mode)].word)


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago, short: `3 s ago`, `4 min ago`."""
    if moment is None:
        return _("never")
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    for size, text in ((86400 * 2, _("%d days ago")), (3600, _("%d h ago")), (60, _("%d min ago"))):
        if seconds >= size:
            return text % (seconds // min(size, 86400))
    return _("%d s ago") % seconds


@register.filter
def days_until(moment: datetime | None) -> int | None:
    """Whole days left; negative when it is over."""
    return None if moment is None else (moment - timezone.now()).days


@register.filter
def in_days(days: int) -> str:
    """`1 day`, `14 days`."""
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


@register.filter
def span(seconds: int) -> str:
    """A max_age as people say it: whole weeks and days where it is that, else hours or seconds."""
    size, said = next((size, said) for size, said in SPANS if (seconds >= size and seconds % size == 0) or size == 1)
    return said(seconds // size)
