"""The feed of an edge, out of the database: who is there, who serves what, and what is to be served.

The lease of an edge is an agreement about time, so one clock alone measures it: the database's. A lease that ran out
while nobody could reach the database says nothing about its edge. So the first to come back gives a lease's time to all
who were there until then, and no announcement goes on without an edge that has merely not come back yet.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.db import DatabaseError, DataError, InterfaceError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from trinco.core.errors import FeedUnavailable, InputError, LeaseLost
from trinco.core.hosting import Change, Publication, Zone, empty, same_records
from trinco.core.tlsrpt.arrival import Arrival
from trinco.panel import clock, recovery, rendering
from trinco.panel.domains import turned_away
from trinco.panel.domains.services import newest_revision, next_revision
from trinco.panel.policies.gate import CONTACT, LEASE, shorten_leases
from trinco.panel.policies.models import EdgeNode
from trinco.panel.policies.services import announce_due, reissue_due
from trinco.panel.quiet import Quiet
from trinco.panel.reports.arrivals import take

_IDENTITY: Final = 16
_REISSUED_AT_ONCE: Final = 200
"""Policies that come under new ids before the edge goes on; more are left to the worker."""


def publication(zone: Zone) -> Publication:
    """All that the edges must serve now. Raises FeedUnavailable."""
    with _database(_Watch()):
        return empty(zone).apply(rendering.whole(zone))


class DatabaseFeed:
    """An `edge.ports.Feed`. It belongs to one thread, whose database connection it uses.

    `identity` is 16 hex digits that stay the same for an edge over its restarts, and that no two processes have at a
    time (`edge.snapshot.sole_user`): it tells a restart from a second edge of the same name. `addresses` are those of
    the policy hosts that are this edge's own (`policies.rotation`).
    """

    def __init__(self, edge_name: str, zone: Zone, identity: str = "", addresses: Sequence[str] = ()) -> None:
        self._name = edge_name
        self._addresses = list(addresses)
        self._zone = zone
        self._session = (identity or secrets.token_hex(8)) + secrets.token_hex(8)
        self._whole = False
        self._quiet = Quiet()
        self._watch = _Watch()

    def register(self, held: Publication | None) -> None:
        """See `edge.ports.Feed`."""
        with _database(self._watch):
            shorten_leases(clock.now())  # to stay, also when a twin is refused: it runs out then
            floors = self._register(held)
            if 0 < floors <= _REISSUED_AT_ONCE:
                reissue_due(timezone.now())

    def renew(self) -> None:
        """See `edge.ports.Feed`."""
        with _database(self._watch):
            now = clock.now()
            self._give_time(now)  # first: no moment at which we are heard of, and others are not waited for
            mine = EdgeNode.objects.filter(name=self._name, session=self._session, lease_until__gt=now)
            self._require(mine.update(lease_until=now + LEASE))

    def revision(self) -> int:
        """See `edge.ports.Feed`."""
        with _database(self._watch):
            self._settle()
            return newest_revision()

    def changes(self, since: int | None) -> Change:
        """See `edge.ports.Feed`."""
        with _database(self._watch):
            if since is None or self._whole or since > newest_revision():
                change = rendering.whole(self._zone)
                self._whole = False
                return change
            return rendering.since(self._zone, since)

    def acknowledge(self, revision: int, failing: Sequence[str]) -> None:
        """See `edge.ports.Feed`. What was waiting for this edge alone is announced at once."""
        with _database(self._watch):
            mine = EdgeNode.objects.filter(name=self._name, session=self._session)
            self._require(mine.update(acknowledged=revision, failing=list(failing)))
            self._quiet.begin(revision)
            announce_due(clock.now())

    def leave(self) -> None:
        """See `edge.ports.Feed`. What an earlier process in our place left behind goes as well; a withdrawn edge stays
        withdrawn."""
        with _database(self._watch):
            mine = EdgeNode.objects.filter(name=self._name, session__startswith=self._session[:_IDENTITY])
            mine.filter(withdrawn_at=None).delete()
            mine.update(lease_until=clock.now())

    @transaction.atomic
    def _register(self, held: Publication | None) -> int:
        """Gives how many policies must come under a new id."""
        now = clock.now()
        self._refuse_twin(now)
        self._give_time(now)
        loss = recovery.learn(held, newest_revision(), now) if held is not None else None
        if held is not None and not same_records(held.zone, rendering.zone_now(self._zone)):
            next_revision()  # our own records are other ones now: secondaries learn it by a later serial
        self._whole = self._whole or loss is not None
        facts = {"session": self._session, "registered_at": now, "lease_until": now + LEASE}
        facts["addresses"] = self._addresses
        nothing: dict[str, object] = {"acknowledged": None, "settled": None, "failing": []}
        EdgeNode.objects.update_or_create(name=self._name, defaults={**facts, **nothing})
        self._quiet.forget()
        return len(loss.floors) if loss else 0

    def _settle(self) -> None:
        """Tell which acknowledgements are old enough, and announce what waited for that past an edge that is gone."""
        self._quiet.pass_by()
        revision = self._quiet.settled()
        if revision is None:
            return
        if EdgeNode.objects.filter(name=self._name, session=self._session).update(settled=revision):
            announce_due(clock.now())
        self._quiet.told(revision)

    def _refuse_twin(self, now: datetime) -> None:
        """Raise LeaseLost while another process has the name, unless it was an earlier one in our place."""
        running = EdgeNode.objects.select_for_update().filter(name=self._name, lease_until__gt=now).first()
        if running is not None and running.session[:_IDENTITY] != self._session[:_IDENTITY]:
            raise LeaseLost(f"another edge named {self._name} is running")

    def _give_time(self, now: datetime) -> None:
        """Nobody was heard of for a while: let the others come back who were there until then. And no lease runs longer
        than a lease: a clock that was set back would make everybody wait for an edge that is gone."""
        newest = EdgeNode.objects.aggregate(newest=Max("lease_until"))["newest"]
        if newest is None or now - CONTACT <= newest - LEASE <= now:
            return
        others = EdgeNode.objects.exclude(name=self._name)
        others.filter(lease_until__gt=min(newest - LEASE, now)).update(lease_until=now + LEASE)

    def _require(self, rows: int) -> None:
        if not rows:
            raise LeaseLost(f"no lease of {self._name} runs")


class DatabaseInbox:
    """An `edge.ports.Inbox`. It belongs to one thread, whose database connection it uses."""

    def __init__(self) -> None:
        self._watch = _Watch()

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """See `edge.ports.Inbox`. Raises InputError for what no database takes, however often it is offered."""
        with _database(self._watch):
            try:
                ownerless = take(arrivals)
            except DataError as error:
                raise InputError(str(error).strip()) from error
        if ownerless:  # a database restored from before the domain: the spool keeps what was accepted for it
            raise InputError(f"no domain has the token of {ownerless} of these reports")

    def turned_away(self, counts: Mapping[str, int]) -> None:
        """See `edge.ports.Inbox`."""
        with _database(self._watch):
            turned_away.note(counts, clock.now().date())


class _Watch:
    """Notices that an SQLite database is another file now, or none: an open connection would go on with the old one."""

    def __init__(self) -> None:
        self._file: tuple[int, int] | None = None

    def look(self) -> None:
        """Raises FeedUnavailable when there is no file. SQLite would make one, and find no tables in it."""
        name = str(connection.settings_dict["NAME"])
        if connection.vendor != "sqlite" or name.startswith(("file:", ":memory:")):
            return
        try:
            status = os.stat(name)  # noqa: PTH116 - a path as the settings have it
        except OSError as error:
            connection.close()
            raise FeedUnavailable(f"no database: {error.strerror}") from error
        file = (status.st_dev, status.st_ino)
        if self._file not in (None, file):
            connection.close()
        self._file = file


@contextmanager
def _database(watch: _Watch) -> Iterator[None]:
    """A usable connection; what goes wrong with it is FeedUnavailable."""
    watch.look()
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        raise FeedUnavailable(f"{type(error).__name__}: {str(error).strip()}") from error
