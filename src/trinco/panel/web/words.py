"""The words of the pages that more than one of them needs: modes, findings, spans of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy, pgettext_lazy

from trinco.core.mtasts.policy import Mode


@dataclass(frozen=True, slots=True)
class ModeWords:
    """A mode as people read it, and what it means for their mail."""

    mode: Mode
    word: Promise
    means: Promise


MODES: dict[str, ModeWords] = {
    Mode.NONE: ModeWords(
        Mode.NONE, pgettext_lazy("policy mode", "None"), _("Policy off. Senders are told to forget it.")
    ),
    Mode.TESTING: ModeWords(
        Mode.TESTING, pgettext_lazy("policy mode", "Testing"), _("Failures are reported; mail is still delivered.")
    ),
    Mode.ENFORCE: ModeWords(
        Mode.ENFORCE,
        pgettext_lazy("policy mode", "Enforce"),
        _("Mail is not delivered over an unverified connection."),
    ),
}

OF_DJANGO = (
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
    ),
)
"""What Django says, and its Portuguese catalogue lacks: ours goes before it."""

DAY = 86_400
SPANS: tuple[tuple[int, Callable[[int], str]], ...] = (
    (7 * DAY, lambda n: ngettext("%(n)d week", "%(n)d weeks", n) % {"n": n}),
    (DAY, lambda n: ngettext("%(n)d day", "%(n)d days", n) % {"n": n}),
    (3600, lambda n: ngettext("%(n)d hour", "%(n)d hours", n) % {"n": n}),
    (1, lambda n: ngettext("%(n)d second", "%(n)d seconds", n) % {"n": n}),
)
"""Seconds of a span that a max_age may be a multiple of, with its words, longest first."""

MAX_AGES = (DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY)
"""The max_age values offered for enforce. RFC 8461 section 3.2 wants weeks or more; the most is 31557600 s."""
