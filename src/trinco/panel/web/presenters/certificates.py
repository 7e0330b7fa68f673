"""The certificate of a policy host, in short."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from trinco.panel.certificates.models import Certificate
from trinco.panel.web.templatetags.trinco import in_days

SOON = 7
"""Days: renewal has failed for long when so few are left."""


@dataclass(frozen=True, slots=True)
class CertificateView:
    """The newest certificate, or that there is none."""

    row: Certificate | None

    @property
    def days(self) -> int | None:
        """Whole days left."""
        return None if self.row is None else (self.row.not_after - timezone.now()).days

    @property
    def look(self) -> str:
        if self.days is None:
            return "mute"
        return "bad" if self.days < 0 else "warn" if self.days < SOON else "ok"

    @property
    def short(self) -> str:
        if self.days is None:
            return _("No certificate yet")
        return _("Certificate expired") if self.days < 0 else _("Certificate: %s") % in_days(self.days)
