"""The Certificates page: each domain's certificate in a row, and what happens in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates import listing, queue
from trinco.panel.certificates.authority import OWN
from trinco.panel.certificates.models import Certificate, Event, EventKind
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED
from trinco.panel.web.presenters.certificates import CertificateView, expected_words, moment

WORDS = {"all": gettext_lazy("All"), "trouble": gettext_lazy("In trouble"), "waiting": gettext_lazy("Waiting")}

MEANINGS: dict[str, Promise] = {
    EventKind.AWAY: gettext_lazy(
        "It is asked again once an hour at most. Certificates that are served go on being valid."
    ),
    EventKind.ACCOUNT: gettext_lazy("Whoever runs this installation must see to it."),
    EventKind.LIMITED: gettext_lazy("What it does not give now is ordered again when it says so."),
    EventKind.REVOKED: gettext_lazy("It is done by itself, within a day; there is nothing to do."),
    EventKind.SECOND: gettext_lazy("Certificates come from it until the first answers again."),
    EventKind.STAGING: gettext_lazy("Those that keep failing are tried where failures do not count."),
    EventKind.MANY: gettext_lazy("Something common is wrong. Whoever runs this installation must see to it."),
    EventKind.OWN: gettext_lazy("Reports may not arrive once it ends. Whoever runs this installation must see to it."),
    EventKind.FAILING: gettext_lazy("It is tried again by itself, once a day at last."),
    EventKind.CAA: gettext_lazy("Nothing is ordered until this record allows it."),
    EventKind.ENDING: gettext_lazy("Its renewal has failed for long."),
}
"""What an event means for whoever reads of it."""
BRING = gettext_lazy("It is one that you brought: bring the next one.")
_GRAVE = {EventKind.ACCOUNT, EventKind.MANY, EventKind.OWN, EventKind.CAA, EventKind.ENDING}
_HARMLESS = {EventKind.REVOKED, EventKind.SECOND, EventKind.STAGING}


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One domain. `id`: the beginning of the SHA-256 of its certificate."""

    domain: HostedDomain
    view: CertificateView

    @property
    def id(self) -> str:
        row = self.view.row
        return "" if row is None else hashlib.sha256(bytes(row.leaf)).hexdigest()[:12]

    @property
    def renewal(self) -> str:
        """When the next one is expected; "": nobody can say."""
        expected, row = self.view.expected, self.view.row
        if expected is not None and expected.ordered:
            return _("being obtained")
        if expected is not None:
            return expected_words(expected.at, expected.before)
        if self.view.own:
            return _("yours to bring")
        return "" if row is None or self.domain.state not in SERVED else moment(row.renew_due_at)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event."""

    event: Event

    @property
    def look(self) -> str:
        if self.event.ended_at is not None or self.event.kind in _HARMLESS:
            return "info"
        return "bad" if self.event.kind in _GRAVE and self.event.directory != OWN else "warn"

    @property
    def meaning(self) -> str:
        return str(BRING if self.event.directory == OWN else MEANINGS[self.event.kind])

    @property
    def whom(self) -> str:
        """The domain, or the authority's host."""
        if self.event.domain is not None:
            return Domain(self.event.domain.name).unicode
        return listing.authority_of(self.event)

    @property
    def detail(self) -> str:
        return listing.detail_of(self.event)

    @property
    def counted(self) -> str:
        """How much of it there was, where that is worth a word."""
        n = self.event.count
        if self.event.kind in (EventKind.REVOKED, EventKind.MANY, EventKind.STAGING):
            return ngettext("%(n)d domain", "%(n)d domains", n) % {"n": n}
        tried = self.event.kind in (EventKind.AWAY, EventKind.ACCOUNT, EventKind.FAILING, EventKind.OWN)
        return ngettext("%(n)d attempt", "%(n)d attempts", n) % {"n": n} if tried else ""


def certificate_rows(
    organisation: Organisation, domains: Iterable[HostedDomain], now: datetime
) -> list[CertificateRow]:
    """The rows of a page: a handful of queries however many they are."""
    rows = list(domains)
    keys = [row.pk for row in rows]
    held, expected = listing.newest(organisation, keys), queue.estimates(keys, now)
    return [CertificateRow(row, _view(row, held.get(row.pk), expected.get(row.pk))) for row in rows]


def _view(domain: HostedDomain, held: Certificate | None, expected: queue.Expected | None) -> CertificateView:
    return CertificateView(held, expected, getattr(domain, "issuance_attempt", None))


def event_rows(events: Iterable[Event]) -> list[EventRow]:
    """One line for each."""
    return [EventRow(event) for event in events]


def queue_words(count: int, last: queue.Expected | None) -> str:
    """`12 domains wait for a certificate. The last is expected about 14:30 UTC.` "": none does."""
    if not count:
        return ""
    words = ngettext("%(n)d domain waits for a certificate.", "%(n)d domains wait for a certificate.", count)
    until = _("The last is expected about %s.") % moment(last.at) if last else ""
    return f"{words % {'n': count}} {until}".strip()
