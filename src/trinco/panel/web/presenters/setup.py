"""How far the setting up of a domain has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.panel.checks.schedule import is_unheeded
from trinco.panel.domains.models import Finding, HostedDomain, State, Way
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.ways import text_of, waits_for_owner
from trinco.panel.web.presenters.providers import guides
from trinco.panel.web.presenters.publishing import record_change
from trinco.panel.web.presenters.records import RecordRow, found, record_rows

FORMATS = (("fields", _("Fields")), ("zone", _("Zone file")), ("terraform", "Terraform"), ("octodns", "octoDNS"))
METER = 120
"""Pixels of the progress bar."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done already."""

    confirmed: bool
    """The mail servers: there is a first policy."""
    records: bool
    served: bool
    certificate: bool
    live: bool
    """DNS announces the policy."""
    changeable: bool
    policy_id: str
    text: str = ""
    """What the owner is to publish at `_mta-sts` now, so that the policy counts as announced."""

    @property
    def done(self) -> tuple[bool, ...]:
        return (True, self.confirmed, self.records, self.certificate, self.live)


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the page: `state` is done, now or later."""

    word: Promise
    state: str


STEPS = (
    _("Add the domain"),
    _("Confirm your mail servers"),
    _("Publish three records"),
    _("Certificate"),
    _("Testing mode live"),
)


def progress_of(domain: HostedDomain, records: Sequence[RecordRow]) -> Progress:
    """One query: whether there is a certificate. One more while an owner has an id to publish."""
    standing = getattr(domain, "standing", None)
    announced = standing.announced if standing else None
    return Progress(
        confirmed=standing is not None,
        records=all(record.found or record.finding == Finding.LATER for record in records),
        served=domain.state != State.SETUP,
        certificate=domain.certificates.exists(),
        live=announced is not None and _said(domain, announced),
        changeable=domain.state in (State.SETUP, State.LIVE),
        policy_id=announced.policy_id if announced else "",
        text=text_of(domain) if waits_for_owner(domain) else "",
    )


def _said(domain: HostedDomain, released: PolicyVersion) -> bool:
    """Whether DNS has said the id of some policy: an owner's own TXT may have an earlier one still."""
    if released.announced_at is not None or domain.sts_way == Way.CNAME:
        return True
    return bool(domain.versions.filter(announced_at__isnull=False).exists())


def steps(progress: Progress) -> list[Step]:
    """The five; the first that is not done is the one where the person stands."""
    now = progress.done.index(False) if False in progress.done else None
    states = ["done" if done else "now" if at == now else "later" for at, done in enumerate(progress.done)]
    return [Step(word, state) for word, state in zip(STEPS, states, strict=True)]


def setup_view(domain: HostedDomain) -> dict[str, Any]:
    """For `setup.html` and what follows by itself on it."""
    records = record_rows(domain, domain.records.all())
    progress = progress_of(domain, records)
    return {
        "domain": domain,
        "records": records,
        "cnames": all(record.instruction.target for record in records),
        "some_cname": any(record.instruction.target for record in records),
        "record_change": record_change(domain),
        "found": found(records),
        "found_width": str(METER * found(records) // len(records)),
        "progress": progress,
        "steps": steps(progress),
        "guides": guides(domain),
        "unheeded": not progress.live and is_unheeded(domain, timezone.now()),
    }
