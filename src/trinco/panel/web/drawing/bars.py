"""Small bars within a table: a share, and a volume with its failures at the end."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe

from trinco.panel.web.drawing.scale import percent

LEAST = 0.012
"""Of the width: what a failure has at least."""


def share(part: int, whole: int, look: str) -> SafeString:
    """A bar of 64 pixels, filled by the share, in the colour of `look`: bad, warn, info, mute."""
    filled = percent(min(part / whole, 1) if whole else 0)
    return _svg(
        '<svg class="share-bar" width="64" height="8" aria-hidden="true">'
        '<rect width="64" height="8" rx="4" class="mt"/>'
        f'<rect width="{filled}" height="8" rx="4" class="f-{look}"/></svg>'
    )


def volume(successful: int, failed: int, most: int) -> SafeString:
    """A bar as wide as its column for the largest of the table, the failures at its end at least a hair."""
    full = max(most, 1)
    first, second = successful / full, max(failed / full, LEAST) if failed else 0
    first = min(first, 1 - second)
    bars = f'<rect width="{percent(first)}" height="12" rx="3" class="c-ok"/>' if successful else ""
    if failed:
        bars += f'<rect x="{percent(first)}" width="{percent(second)}" height="12" rx="2" class="c-fail"/>'
    return _svg(f'<svg class="volume" width="100%" height="12" aria-hidden="true">{bars}</svg>')


def _svg(drawn: str) -> SafeString:
    return mark_safe(drawn)  # noqa: S308 - numbers and words of ours
