"""The words of the pages that more than one of them needs: modes, findings, spans of time."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

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

DAY = 86_400
SPANS = (
    (7 * DAY, gettext_noop("%(n)d week"), gettext_noop("%(n)d weeks")),
    (DAY, gettext_noop("%(n)d day"), gettext_noop("%(n)d days")),
    (3600, gettext_noop("%(n)d hour"), gettext_noop("%(n)d hours")),
)
"""Seconds of a span that a max_age may be a multiple of, with its words, longest first."""

MAX_AGES = (DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY)
"""The max_age values offered for enforce. RFC 8461 section 3.2 wants weeks or more; the most is 31557600 s."""
