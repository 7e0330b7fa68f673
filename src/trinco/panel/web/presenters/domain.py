"""Everything that a domain's page shows, from a handful of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.core.mtasts.policy import Mode
from trinco.panel.checks.facts import facts_of
from trinco.panel.checks.readiness import Gate, gates
from trinco.panel.checks.status import status_of
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.reporting import tlsrpt_record
from trinco.panel.policies.enforced import enforced_until
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.services import horizon_of
from trinco.panel.policies.ways import announced_version, text_of, waits_for_owner
from trinco.panel.reports.models import Recipient
from trinco.panel.web.dates import day
from trinco.panel.web.presenters import records, servers
from trinco.panel.web.presenters.certificates import CertificateView
from trinco.panel.web.presenters.publishing import effect
from trinco.panel.web.presenters.records import RecordRow
from trinco.panel.web.presenters.servers import ServerRow, Tls
from trinco.panel.web.presenters.status import Action, StatusView, action_for, status_view


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain with a policy, as it stands now."""

    domain: HostedDomain
    current: PolicyVersion
    announced: PolicyVersion | None
    records: tuple[RecordRow, ...]
    servers: tuple[ServerRow, ...]
    certificate: CertificateView
    gates: tuple[Gate, ...]
    status: StatusView
    horizon: datetime | None
    """Until when a sender may hold any policy of ours that binds it."""
    enforced: datetime | None
    """Until when a sender may enforce one that is not the current one."""

    @property
    def mode(self) -> str:
        return self.current.mode

    @property
    def names_servers(self) -> bool:
        """Whether the policy names mail servers at all."""
        return self.mode != Mode.NONE

    @property
    def announcing(self) -> bool:
        """Whether DNS does not say yet what the edges serve."""
        return self.announced is None or self.announced.pk != self.current.pk

    @property
    def to_publish(self) -> str:
        """The text that the owner is to publish by hand now; "" for none."""
        return text_of(self.domain) if waits_for_owner(self.domain) else ""

    @property
    def said(self) -> PolicyVersion | None:
        """What DNS says, as far as is known."""
        return announced_version(self.domain)

    @property
    def effect(self) -> str:
        return effect(self.domain)

    @property
    def served(self) -> bool:
        return self.domain.state in (State.LIVE, State.LEAVING)

    @property
    def changeable(self) -> bool:
        return self.domain.state in (State.SETUP, State.LIVE)

    @property
    def undoable(self) -> bool:
        return self.current.number > 1

    @property
    def body(self) -> str:
        return bytes(self.current.body).decode()

    @property
    def found(self) -> int:
        return records.found(self.records)

    @property
    def dns(self) -> Tls:
        return Tls(records.look_of_all(self.records), "")

    @property
    def mx(self) -> Tls:
        return servers.in_short(self.servers, policy=self.names_servers)

    @property
    def covered(self) -> int:
        return sum(row.covered for row in self.servers)

    @property
    def passing(self) -> int:
        return sum(row.tls.look == "ok" for row in self.servers)

    @property
    def failing(self) -> int:
        return sum(row.failing for row in self.servers)

    @property
    def uncovered_look(self) -> str:
        """How bad it is that a server is not in the policy."""
        return {Mode.ENFORCE: "bad", Mode.TESTING: "warn"}.get(Mode(self.mode), "mute")

    @property
    def unused(self) -> tuple[str, ...]:
        return servers.unused(self.current.mx, self.servers) if self.servers else ()

    @property
    def probed_at(self) -> datetime | None:
        return servers.last_probe(self.servers)

    @property
    def gates_passed(self) -> int:
        return sum(gate.passed for gate in self.gates)

    @property
    def gates_percent(self) -> int:
        return 100 * self.gates_passed // len(self.gates) if self.gates else 0

    @property
    def report_record(self) -> str:
        """What `_smtp._tls` says while it answers."""
        return tlsrpt_record(settings.CONFIG.zone, self.domain.label, https=self.domain.tlsrpt_https) or ""

    @property
    def recipients(self) -> list[Recipient]:
        """Who gets copies of its reports, or was asked."""
        return list(self.domain.recipients.all())

    @property
    def action(self) -> Action | None:
        return action_for(self.domain, self.status)

    @property
    def horizon_note(self) -> str:
        """The sentence on what senders may still hold; nothing when no older policy binds them."""
        if self.enforced is None:
            return ""
        return _("Until %s some senders may still hold the old policy.") % day(self.enforced)

    @property
    def leaving_note(self) -> str:
        """When a leaving domain ends, and which records are still there."""
        still = ngettext("%(n)d of 3 records is still there.", "%(n)d of 3 records are still there.", self.found)
        if self.horizon is None:
            return _("It ends by itself within minutes.") + " " + still % {"n": self.found}
        until = _("Served until %s, then it ends by itself. Leave the three records in place until then.")
        return until % day(self.horizon) + " " + still % {"n": self.found}


def domain_view(domain: HostedDomain, current: PolicyVersion) -> DomainView:
    """The facts in at most seven queries, and the horizon in one."""
    now = timezone.now()
    facts = facts_of([domain], now)[0]
    ready = current.mode == Mode.TESTING and domain.state == State.LIVE
    return DomainView(
        domain=domain,
        current=current,
        announced=domain.standing.announced,
        records=records.record_rows(domain, facts.records),
        servers=servers.server_rows(facts.mx, current.mx),
        certificate=CertificateView(facts.certificate, facts.expected, getattr(domain, "issuance_attempt", None)),
        gates=gates(facts, now) if ready else (),
        status=status_view(domain, status_of(facts, now)),
        horizon=horizon_of(domain, now),
        enforced=enforced_until(domain.versions.exclude(pk=current.pk), now),
    )
