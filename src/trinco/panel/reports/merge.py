"""From parts to rows, in one transaction: equal reports are one, and of several with one identity one is counted.

The rows and the totals depend on which arrivals there were, never on their order, nor on how often each came:

- a report is kept with the best trust of its copies, from the earliest arrival that brought it with that trust;
- of several with one identity (`parts.identity`) that differ in a word, the one with the most sessions is counted, and
  of several with the same number, that of the greater hash;
- totals are sums of what is counted. Adding to them is enough as long as nothing that was counted changes; where
  something does, that day of that domain is worked out anew from its reports.

A domain's row is locked before anything about it is read, so that two workers never settle the same reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED
from trinco.panel.reports import inserts, rows, totals
from trinco.panel.reports.models import PolicyRow, Report, Trust
from trinco.panel.reports.parts import Part, identity
from trinco.panel.reports.totals import Whose

Slice = tuple[int, date]
"""A domain and a day."""
Group = tuple[int, str]
"""A domain and an identity."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """One arrival brings one part, with this trust."""

    part: Part
    raw: int
    arrival_id: str
    received_at: datetime
    channel: str
    trust: Trust
    signer: str

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """The least is the best."""
        return self.trust.rank, self.received_at, self.arrival_id

    @property
    def identity(self) -> str:
        return identity(self.part.report, self.trust, self.channel)


@dataclass(slots=True)
class Known:
    """A report that has a row: as it stands there, and the better claim to it, if one came."""

    key: int
    domain: int
    content: str
    identity: str
    day: date
    sessions: int
    counted: bool
    rank: tuple[int, datetime, str]
    copies: int
    better: Claim | None = None
    repeated: int = 0

    @property
    def slice(self) -> Slice:
        return self.domain, self.day


@dataclass(slots=True)
class Fresh:
    """A report that has no row yet: the best claim to it, and how many there are."""

    best: Claim
    copies: int = 1
    counted: bool = True
    key: int = 0

    @property
    def sessions(self) -> int:
        everything = self.best.part.told.everything
        return everything.successful_session_count + everything.failed_session_count

    @property
    def content(self) -> str:
        return self.best.part.content

    @property
    def whose(self) -> Whose:
        part = self.best.part
        return Whose(part.holder.organisation, part.holder.domain, part.day, self.best.trust.value, part.submitter)


@dataclass(slots=True)
class Book:
    """What a batch changes."""

    fresh: dict[tuple[int, str], Fresh] = field(default_factory=dict)
    known: dict[tuple[int, str], Known] = field(default_factory=dict)
    flipped: dict[int, bool] = field(default_factory=dict)
    """Rows that are counted from now on, or no longer."""
    dirty: set[Slice] = field(default_factory=set)
    """Days whose totals adding cannot bring about."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a batch."""

    fresh: list[Fresh]
    """Reports that are new."""
    better: list[Known]
    """Reports that were there, and are kept with a better claim (`better`) from now on."""
    closed: set[Slice]
    """Days of which retention has removed the reports: what was claimed about them is not written."""


def lock(domains: Iterable[int]) -> None:
    """Nobody else writes reports of these domains until the transaction ends. By key: the order of all locks."""
    rows_ = HostedDomain.objects.everywhere().filter(pk__in=set(domains)).order_by("pk")
    list(rows_.select_for_update(no_key=True).values_list("pk", flat=True))


def merge(claims: Sequence[Claim], *, again: bool = False) -> Merged:
    """Write these down. The caller holds the locks (`lock`).

    `again`: the arrivals were counted among the copies of what is there.
    """
    closed = totals.closed_days({claim.part.slice for claim in claims})
    book = _booked([claim for claim in claims if claim.part.slice not in closed], repeated=0 if again else 1)
    _settle(book)
    fresh = list(book.fresh.values())
    inserts.insert(fresh)
    _update(book)
    totals.add(
        (each.whose, each.best.part.told) for each in fresh if each.counted and each.whose.slice not in book.dirty
    )
    recompute(book.dirty)
    return Merged(fresh, [row for row in book.known.values() if row.better], closed)


def recompute(slices: Iterable[Slice]) -> None:
    """Work out these days of these domains anew."""
    days: defaultdict[int, set[date]] = defaultdict(set)
    for domain, day in slices:
        days[domain].add(day)
    for domain in sorted(days):
        totals.recompute(domain, days[domain])


def touch(domains: Iterable[int]) -> None:
    """Their level is to be worked out again (`checks.status`, which stands above this room)."""
    served = HostedDomain.objects.everywhere().filter(pk__in=set(domains), state__in=SERVED)
    served.update(level_revision=0)


def elect_again(groups: Iterable[Group]) -> None:
    """Decide anew which report of each of these identities is counted. The caller works the days out anew."""
    members: defaultdict[Group, list[Fresh | Known]] = defaultdict(list)
    for row in _members(groups):
        members[row.domain, row.identity].append(row)
    book = Book()
    for each in members.values():
        _elect(book, each)
    rows.change(Report, ("counted",), [(counted, key) for key, counted in book.flipped.items()])


def _booked(claims: Sequence[Claim], repeated: int) -> Book:
    book = Book(known=known_by_content({claim.part.key for claim in claims}))
    for claim in claims:
        if row := book.known.get(claim.part.key):
            row.repeated += repeated
            if claim.rank < (row.better.rank if row.better else row.rank):
                row.better = claim
        elif one := book.fresh.get(claim.part.key):
            one.copies += 1
            one.best = min(one.best, claim, key=lambda each: each.rank)
        else:
            book.fresh[claim.part.key] = Fresh(claim)
    return book


def known_by_content(keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Known]:
    """Those of these (domain, content) that have a row."""
    wanted = sorted(keys)
    found: dict[tuple[int, str], Known] = {}
    for some in (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)):
        narrow = {"domain__in": {domain for domain, _ in some}, "content__in": {content for _, content in some}}
        found |= {(row.domain, row.content): row for row in _known(**narrow)}
    return found


def _known(**narrow: object) -> list[Known]:
    columns = ("pk", "domain_id", "content", "identity", "day", "successful_session_count", "failed_session_count")
    more = ("counted", "trust", "received_at", "raw__arrival_id", "copies")
    reports = Report.objects.everywhere().filter(**narrow).order_by()
    return [
        Known(pk, domain, content, same, day, good + bad, counted, (Trust(trust).rank, at, arrival or ""), copies)
        for pk, domain, content, same, day, good, bad, counted, trust, at, arrival, copies in reports.values_list(
            *columns, *more
        )
    ]


def _settle(book: Book) -> None:
    """Which of each identity is counted."""
    groups: defaultdict[Group, list[Fresh | Known]] = defaultdict(list)
    moved = {row.key: row for row in book.known.values() if row.better and row.better.identity != row.identity}
    for one in book.fresh.values():
        groups[one.best.part.holder.domain, one.best.identity].append(one)
    for row in moved.values():
        groups[row.domain, row.identity] += []
        groups[row.domain, _identity_after(row)].append(row)
    for row in _members(groups.keys()):
        if row.key not in moved:
            groups[row.domain, row.identity].append(row)
    for members in groups.values():
        _elect(book, members)
    book.dirty |= {row.slice for row in book.known.values() if row.better and row.better.trust.rank != row.rank[0]}


def _identity_after(row: Known) -> str:
    return row.better.identity if row.better else row.identity


def _members(groups: Iterable[Group]) -> list[Known]:
    wanted = sorted(groups)
    found: list[Known] = []
    for some in (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)):
        narrow = {"domain__in": {domain for domain, _ in some}, "identity__in": {same for _, same in some}}
        among = set(some)
        found += [row for row in _known(**narrow) if (row.domain, row.identity) in among]
    return found


def _elect(book: Book, members: Sequence[Fresh | Known]) -> None:
    winner = max(members, key=lambda each: (each.sessions, each.content), default=None)
    for one in members:
        counted = one is winner
        if isinstance(one, Known) and one.counted != counted:
            book.flipped[one.key] = counted
            book.dirty.add(one.slice)
        one.counted = counted


def _update(book: Book) -> None:
    rows.change(Report, ("counted",), [(counted, key) for key, counted in book.flipped.items()])
    repeated = [(row.copies + row.repeated, row.key) for row in book.known.values()]
    rows.change(Report, ("copies",), repeated)
    better = [(row, row.better) for row in book.known.values() if row.better]
    columns = ("raw_id", "received_at", "channel", "trust", "signer", "identity")
    values = [
        (claim.raw, claim.received_at, claim.channel, claim.trust.value, claim.signer, claim.identity, row.key)
        for row, claim in better
    ]
    rows.change(Report, columns, values)
    for row, claim in better:
        _infer(row.key, claim)


def _infer(key: int, claim: Claim) -> None:
    """Copies are equal in what they say, and yet one may have said its domain in the mail around it alone."""
    policies = PolicyRow.objects.everywhere().filter(report=key)
    for inferred in (False, True):
        positions = [at for at, one in enumerate(claim.part.report.policies) if one.policy_domain_inferred is inferred]
        policies.filter(position__in=positions).update(policy_domain_inferred=inferred)
