"""May this domain go to enforce? Five gates, each with the evidence.

`readiness(domain, now)` gives a tuple of `Gate`; `gate.title` is what it asks and `gate.note` what is known about it,
both in the reader's language (`note` is "" when there is nothing to add).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trinco.panel.checks.facts import Facts, facts_of
from trinco.panel.checks.reported import NEEDED, RECENT
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, Starttls
from trinco.panel.policies.proposals import MX_AGE

RECORDS, POLICY, MX_COVERED, MX_TLS, REPORTS = "records", "policy", "mx-covered", "mx-tls", "reports"

TITLES: dict[str, Promise] = {
    RECORDS: gettext_lazy("The three DNS records point here"),
    POLICY: gettext_lazy("The policy is served over valid HTTPS"),
    MX_COVERED: gettext_lazy("Every mail server in DNS is in the policy"),
    MX_TLS: gettext_lazy("Every mail server passes STARTTLS with a matching certificate"),
    REPORTS: gettext_lazy("14 days with failures below 0.5 %"),
}

_SHOWN_HOSTS = 5


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition. `hosts`: which names stand in the way; `count`: how many there are of what the gate counts;
    `reason`: a key of `REASONS` where neither says it."""

    key: str
    passed: bool
    count: int = 0
    hosts: tuple[str, ...] = ()
    reason: str = ""

    @property
    def title(self) -> Promise:
        return TITLES[self.key]

    @property
    def note(self) -> str:
        if self.reason:
            return str(REASONS[self.reason])
        if self.hosts:
            more = len(self.hosts) - _SHOWN_HOSTS
            shown = ", ".join(self.hosts[:_SHOWN_HOSTS])
            return shown if more <= 0 else _("%(hosts)s and %(n)d more") % {"hosts": shown, "n": more}
        if self.key == REPORTS:
            return _("day %(n)d of %(all)d") % {"n": min(self.count, NEEDED), "all": NEEDED}
        return _COUNTED[self.key](self.count) if self.key in _COUNTED else ""


REASONS: dict[str, Promise] = {
    "not-live": gettext_lazy("It is served once the three records were found."),
    "no-certificate": gettext_lazy("The certificate is not there yet."),
    "expired": gettext_lazy("The certificate has expired."),
    "not-published": gettext_lazy("The TXT record with the id of this policy was not seen in DNS yet."),
    "not-announced": gettext_lazy("Not every policy host has shown that it serves the policy."),
    "no-edge": gettext_lazy("No policy host has reported in lately."),
    "failing": gettext_lazy("A policy host could not fetch the policy from itself."),
    "mx-stale": gettext_lazy("The MX records could not be read in the last hour."),
    "no-mx": gettext_lazy("DNS shows no mail server."),
    "reports-off": gettext_lazy("Senders are not asked for reports."),
    "no-report": gettext_lazy("No report yet that somebody vouches for: the first takes 24 to 48 hours."),
    "reports-old": gettext_lazy("No report of the last 14 days."),
}


def readiness(domain: HostedDomain, now: datetime) -> tuple[Gate, ...]:
    """The gates of a domain, in the order in which they are usually passed."""
    return gates(facts_of([domain], now)[0], now)


def gates(facts: Facts, now: datetime) -> tuple[Gate, ...]:
    """As `readiness`, from facts that were read before."""
    return (_records(facts), _policy(facts, now), _mx_covered(facts, now), _mx_tls(facts), _reports(facts, now))


def _records(facts: Facts) -> Gate:
    found = {sighting.record for sighting in facts.records if sighting.finding == Finding.FOUND}
    wanted = [RecordName.MTA_STS, RecordName.STS_TXT, *([RecordName.TLSRPT_TXT] if facts.domain.tlsrpt else [])]
    absent = tuple(f"{record.value}.{facts.domain.name}" for record in wanted if record.value not in found)
    return Gate(RECORDS, not absent, hosts=absent)


def _policy(facts: Facts, now: datetime) -> Gate:
    """An id is announced only after every live edge has fetched the policy from itself over verified HTTPS."""
    reason = _unserved(facts, now)
    return Gate(POLICY, not reason, reason=reason)


def _unserved(facts: Facts, now: datetime) -> str:
    if not facts.served:
        return "not-live"
    if facts.certificate is None:
        return "no-certificate"
    if facts.certificate.not_after <= now:
        return "expired"
    if facts.failing:
        return "failing"
    if not facts.announced or facts.to_publish:
        return "not-published" if facts.announced else "not-announced"
    return "" if facts.edges.serving else "no-edge"


def _mx_covered(facts: Facts, now: datetime) -> Gate:
    checked = facts.domain.mx_checked_at
    if checked is None or now - checked > MX_AGE:
        return Gate(MX_COVERED, passed=False, reason="mx-stale")
    if not facts.mx:
        return Gate(MX_COVERED, passed=False, reason="no-mx")
    return Gate(MX_COVERED, not facts.uncovered, len(facts.mx), facts.uncovered)


def _mx_tls(facts: Facts) -> Gate:
    if not facts.mx:
        return Gate(MX_TLS, passed=False, reason="no-mx")
    others = tuple(sighting.host for sighting in facts.mx if sighting.starttls != Starttls.OK)
    return Gate(MX_TLS, not others, len(facts.mx), others)


def _reports(facts: Facts, now: datetime) -> Gate:
    """So many reported days up to the newest, which is no older than that: evidence of what enforce would do.

    Days without a report, such as Sundays without mail, neither count nor end the count.
    """
    last = facts.reported.last
    if not facts.domain.tlsrpt:
        return Gate(REPORTS, passed=False, reason="reports-off")
    if last is None:
        return Gate(REPORTS, passed=False, reason="no-report")
    if now.date() - last > RECENT:
        return Gate(REPORTS, passed=False, reason="reports-old")
    return Gate(REPORTS, facts.reported.clean >= NEEDED, facts.reported.clean)


def _servers(count: int) -> str:
    return ngettext("%(n)d mail server", "%(n)d mail servers", count) % {"n": count}


_COUNTED: dict[str, Callable[[int], str]] = {MX_COVERED: _servers, MX_TLS: _servers}
