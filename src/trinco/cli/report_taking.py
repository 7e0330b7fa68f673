"""The tables' side of `trinco report import`: what was read becomes arrivals, is digested, and is counted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trinco.cli import orm
from trinco.cli.report_inputs import Tally, Whole
from trinco.cli.report_sources import Unreadable
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.panel import clock
from trinco.panel.accounts.models import Organisation
from trinco.panel.reports import services
from trinco.panel.reports.models import RawReport, RawState
from trinco.panel.reports.trust import VOUCHED

tables = orm.tables


@dataclass(frozen=True, slots=True)
class Taker:
    """Keeps portions for one organisation. `trusted`: the operator says that they can be believed."""

    organisation: Organisation
    trusted: bool

    def take(self, portion: Sequence[Whole]) -> Tally:
        """Keep these, durably, and read them; what became of them. Taking them again changes nothing."""
        named = {self._id(each): each for each in portion}
        here = set(_states([*named]))
        services.take(
            [self._arrival(identity, each) for identity, each in named.items()], organisation=self.organisation
        )
        _digest([*named])
        return _told(named, here, len(portion) - len(named))

    def _id(self, each: Whole) -> str:
        """Of the octets and whose they are: the same mail in two files is one."""
        return hashlib.sha256(f"{self.organisation.pk}:".encode() + each.data).hexdigest()

    def _arrival(self, identity: str, each: Whole) -> Arrival:
        media_type = VOUCHED if self.trusted else ""
        return Arrival(identity, "", Channel.IMPORT, time.time(), each.data, media_type=media_type)


def taker(wanted: str, *, trusted: bool) -> Taker:
    """For the organisation of this name or number; "": the only one. Ends the command when that is not one."""
    return Taker(_organisation(wanted.strip()), trusted)


def _organisation(wanted: str) -> Organisation:
    every = list(Organisation.objects.filter(closed_at=None).order_by("pk"))
    found = [row for row in every if wanted in ("", row.name, str(row.pk))]
    if len(found) == 1:
        return found[0]
    problem = (
        f"there is no organisation {wanted!a}" if wanted and not found else "it is not clear whose reports they are"
    )
    known = ", ".join(f"{row.pk} ({row.name})" for row in every[:20])
    told = f"say it with --organisation: {known}" if known else "make an account first: trinco user add EMAIL"
    raise orm.ended(f"{problem}; {told}", orm.EXIT_USAGE)


def _states(ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(state, reason) of those that are kept, by their ids."""
    rows = RawReport.objects.everywhere().filter(arrival_id__in=ids)
    return {identity: (state, reason) for identity, state, reason in rows.values_list("arrival_id", "state", "reason")}


def _digest(ids: Sequence[str]) -> None:
    """Until none of these waits; one that could not be read yet, the worker tries again."""
    while any(state == RawState.PENDING for state, _ in _states(ids).values()) and services.digest_due(clock.now()):
        pass


def _told(named: Mapping[str, Whole], here: set[str], twice: int) -> Tally:
    tally = Tally(repeated=twice + len(here))
    for identity, (state, reason) in _states([*named]).items():
        if identity not in here:
            tally.add(_one(RawState(state), named[identity].where, reason))
    return tally


def _one(state: RawState, where: str, reason: str) -> Tally:
    kinds = {
        RawState.DIGESTED: Tally(new=1),
        RawState.REPEATED: Tally(repeated=1),
        RawState.LATE: Tally(late=1),
        RawState.FOREIGN: Tally(foreign=1),
        RawState.PENDING: Tally(waiting=1),
        RawState.PARKED: Tally(unreadable=[Unreadable(where, reason)]),
    }
    return kinds[state]
