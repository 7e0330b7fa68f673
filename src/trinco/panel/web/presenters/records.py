"""The three records as they were last seen: a word, a look, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting, State
from trinco.panel.policies.instructions import Instruction, instructions

ADVICE: dict[str, Promise] = {
    Finding.ELSEWHERE: _("Change the existing record instead of adding a second one. It now points to"),
    Finding.MISSING: _("The record was there, and is gone. Publish it again."),
    Finding.TXT_IN_THE_WAY: _("No CNAME can stand beside another record: delete it first. There is"),
    Finding.WILDCARD: _("A wildcard answers for this name: publish the CNAME at exactly this name. It answers"),
    Finding.PROXIED: _(
        "Turn the proxy off for this record (“DNS only”): senders must reach us, not the proxy. They see"
    ),
    Finding.CAA_FORBIDS: _("Let our certificate authority issue for this name, or take the CAA record away. There is"),
    Finding.UNKNOWN: _("The name servers of the domain did not answer. We go on asking."),
    Finding.STALE: _("Change the text to the one that is shown here. It says"),
    Finding.TWICE: _("Senders take neither of two records of this kind: leave one alone. There are"),
    Finding.PARTLY: _("Some name servers of the zone do not have it yet. One of them says"),
    Finding.LATER: _("Leave this name as it is until the text stands here."),
}
"""What to do, with what was seen behind it. A record that is merely not there yet needs no advice."""
AWAY = _("Take this text away first: it announces a policy that is not the one started here. There is")
"""Where nothing is to be published yet, and something is."""
OFF = _("TLS reporting is off: the text of before can go. There is")
OTHERS = _("Publish the addresses that are shown here, and no others: senders must reach us. There are")
"""Where the owner publishes addresses, and there is one that is not ours."""

LOOKS = {Finding.FOUND: "ok", Finding.MISSING: "mute", Finding.UNKNOWN: "mute", Finding.LATER: "mute"}
LOST = {Finding.MISSING: "bad", Finding.ELSEWHERE: "bad", Finding.TXT_IN_THE_WAY: "bad", Finding.TWICE: "bad"}
"""The look once the domain is served: what was found before is missed now."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One of the three records."""

    instruction: Instruction
    finding: str
    seen: str
    served: bool

    @property
    def name(self) -> str:
        return self.instruction.name

    @property
    def owner(self) -> str:
        return self.instruction.owner

    @property
    def rdtype(self) -> str:
        return self.instruction.rdtype

    @property
    def values(self) -> tuple[tuple[str, str, str], ...]:
        """(type, as shown, as copied) of each; none while nothing is to be published yet."""
        target = self.instruction.target
        if target:
            return (("CNAME", target, f"{target}."),)
        return tuple((rdtype, value, value) for rdtype, value in self.instruction.values)

    @property
    def nothing(self) -> Promise:
        """Why there is no value."""
        if self.record_off:
            return _("Nothing: TLS reporting is off.")
        return _("Nothing yet: the text stands here once every edge serves the policy.")

    @property
    def record_off(self) -> bool:
        """Whether a text that asks for reports is not wanted."""
        return self.instruction.record is RecordName.TLSRPT_TXT and not self.values

    @property
    def purpose(self) -> Promise:
        return self.instruction.purpose

    @property
    def to_publish(self) -> bool:
        """Whether the owner is to publish this text now, and it was not seen yet."""
        changes = self.finding in (Finding.MISSING, Finding.STALE, Finding.PARTLY)
        return changes and self.served and not self.instruction.target and bool(self.values)

    @property
    def word(self) -> str | Promise:
        if self.to_publish and self.finding == Finding.MISSING:
            return _("To be published")
        if self.served and self.finding == Finding.MISSING:
            return _("Gone")
        if self.record_off:
            return _("Not wanted")
        if self.finding == Finding.PROXIED and not self.instruction.target:
            return _("Other addresses")
        return Finding(self.finding).label

    @property
    def look(self) -> str:
        if self.to_publish:
            return "warn"
        looks = {**LOOKS, **LOST} if self.served else LOOKS
        return looks.get(Finding(self.finding), "warn")

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do but wait until it is seen."""
        return self.finding == Finding.MISSING and (not self.served or self.to_publish)

    @property
    def found(self) -> bool:
        return self.finding == Finding.FOUND

    @property
    def advice(self) -> Promise | None:
        if self.finding == Finding.PROXIED and not self.instruction.target:
            return OTHERS
        if self.finding == Finding.STALE and not self.values:
            return AWAY
        if self.record_off:
            return OFF if self.seen else None
        return None if self.found or self.waits else ADVICE.get(self.finding)


def record_rows(domain: HostedDomain, sightings: Iterable[RecordSighting]) -> tuple[RecordRow, ...]:
    """The three, in the order in which they are published."""
    by_record = {sighting.record: sighting for sighting in sightings}
    served = domain.state != State.SETUP
    return tuple(_row(each, by_record.get(each.record.value), served=served) for each in instructions(domain))


def _row(each: Instruction, sighting: RecordSighting | None, *, served: bool) -> RecordRow:
    if sighting is None:
        return RecordRow(each, Finding.MISSING, "", served=False)
    return RecordRow(each, sighting.finding, sighting.seen, served)


def found(rows: Iterable[RecordRow]) -> int:
    """How many of the three are as they should be."""
    return sum(row.found for row in rows)


def look_of_all(rows: Iterable[RecordRow]) -> str:
    """The worst look among them."""
    looks = {row.look for row in rows}
    return next((look for look in ("bad", "warn", "mute") if look in looks), "ok")
