"""The certificate of a policy host, in short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.panel.certificates.authority import OWN
from trinco.panel.certificates.models import Attempt, Certificate
from trinco.panel.certificates.queue import Expected
from trinco.panel.certificates.terms import wanted_at
from trinco.panel.web.dates import minute
from trinco.panel.web.templatetags.trinco import in_days


def moment(when: datetime) -> str:
    """`14:30` within a day, else the date as well."""
    return f"{when:%H:%M} UTC" if when - timezone.now() < timedelta(days=1) else f"{minute(when)} UTC"


def expected_words(at: datetime, before: int) -> str:
    """`Certificate expected about 14:30 UTC: 812 domains before it`."""
    words = ngettext(
        "Certificate expected about %(time)s: %(n)s domain before it",
        "Certificate expected about %(time)s: %(n)s domains before it",
        before,
    )
    return words % {"time": moment(at), "n": before}


SOON = 7
"""Days: renewal has failed for long when so few are left."""


@dataclass(frozen=True, slots=True)
class CertificateView:
    """The newest certificate, or that there is none. `expected`: when the first one will be there; `attempt`: the last
    time that one could not be had."""

    row: Certificate | None
    expected: Expected | None = None
    attempt: Attempt | None = None

    @property
    def own(self) -> bool:
        """Its owner brought it."""
        return self.row is not None and self.row.directory == OWN

    @property
    def to_bring(self) -> bool:
        """The owner should bring the next one."""
        return (
            self.own and self.row is not None and wanted_at(self.row.not_before, self.row.not_after) <= timezone.now()
        )

    @property
    def days(self) -> int | None:
        """Whole days left."""
        return None if self.row is None else (self.row.not_after - timezone.now()).days

    @property
    def waits(self) -> str:
        """When the first one is expected; "": at once."""
        if self.expected is None or self.expected.at <= timezone.now():
            return ""
        return expected_words(self.expected.at, self.expected.before)

    @property
    def look(self) -> str:
        if self.days is None:
            return "mute"
        return "bad" if self.days < 0 else "warn" if self.days < SOON or self.to_bring else "ok"

    @property
    def short(self) -> str:
        if self.days is None:
            return _("No certificate yet")
        return _("Certificate expired") if self.days < 0 else _("Certificate: %s") % in_days(self.days)
