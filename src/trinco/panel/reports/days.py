"""The days of an organisation, whatever the number of its domains: what a page about all of them reads.

Whoever writes daily totals, the version of before as well, has triggers write down what that changes, in the same
transaction: one row more, with what came to a day or went. So the sum of the rows is at any moment that of the totals,
and nobody waits for anybody. The worker folds the rows of a day into one; no sum changes by that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from itertools import zip_longest
from operator import add

from django.db import transaction
from django.db.models import Q

from trinco.panel.reports import rows
from trinco.panel.reports.day_models import OrganisationDay

AT_ONCE = 1000
"""Rows that are folded in one transaction."""
PORTIONS = 4
"""Transactions in one turn, at most."""
_KEY = ("organisation_id", "day", "trust", "submitter", "domain_id")
_COUNTS = ("successful_session_count", "failed_session_count", "reports", "totals")

Key = tuple[int, date, str, str, int | None]
Counts = tuple[int, ...]
_NONE: Counts = (0, 0, 0, 0)


def fold_due(_now: datetime) -> int:
    """Fold the rows that came since: one portion, and some more after a rebuild or an import. How many those were."""
    fresh = OrganisationDay.objects.everywhere().filter(folded=False)
    done = 0
    for _ in range(PORTIONS):
        some = _fold() if fresh.order_by("pk").values_list("pk").first() else 0  # ordered as their index is
        done += some
        if some < AT_ONCE:
            break
    return done


@transaction.atomic
def _fold() -> int:
    """What another worker has in hand is left to it."""
    days = OrganisationDay.objects.everywhere()
    due = days.filter(folded=False).order_by("pk").select_for_update(skip_locked=True)
    fresh = list(due.values_list("pk", *_KEY, *_COUNTS)[:AT_ONCE])
    sums: defaultdict[Key, Counts] = defaultdict(lambda: _NONE)
    there: defaultdict[Key, list[int]] = defaultdict(list)
    before = _folded({_key(row) for row in fresh})
    for row in before:
        there[_key(row)].append(row[0])
    for row in (*before, *fresh):
        sums[_key(row)] = _sum(sums[_key(row)], row[-len(_COUNTS) :])
    days.filter(pk__in=[row[0] for row in fresh]).delete()
    _write([(key, *each) for key, counts in sums.items() for each in zip_longest(there[key], _fitting(counts))])
    return len(fresh)


def _folded(keys: Collection[Key]) -> list[rows.Row]:
    """The rows that those of such keys are folded into, locked until the transaction ends.

    One for each, but where no column holds all of it, and where two workers were the first.
    """
    columns = ("organisation", "day", "trust", "submitter")
    narrow = {f"{column}__in": {key[at] for key in keys} for at, column in enumerate(columns)}
    # By HTTPS an organisation may have ten thousand for a day, of which these are a few.
    domains = Q(domain=None) | Q(domain__in={key[-1] for key in keys if key[-1] is not None})
    found = OrganisationDay.objects.everywhere().filter(domains, folded=True, **narrow)
    locked = found.order_by("pk").select_for_update().values_list("pk", *_KEY, *_COUNTS)
    return [row for row in locked if _key(row) in keys]


def _fitting(counts: Counts) -> Iterator[Counts]:
    """The same in as few rows as hold it: one, or some more where a liar said 2^63-1. None where nothing is left."""
    while any(counts):
        some = tuple(max(-rows.MAX, min(count, rows.MAX)) for count in counts)
        yield some
        counts = tuple(count - taken for count, taken in zip(counts, some, strict=True))


def _write(changes: Sequence[tuple[Key, int | None, Counts | None]]) -> None:
    """Each of these counts goes to the row of its key that stands beside it, or to a new one; what gets none goes."""
    rows.change(OrganisationDay, _COUNTS, [(*counts, pk) for _, pk, counts in changes if pk and counts])
    empty = [pk for _, pk, counts in changes if pk and not counts]
    OrganisationDay.objects.everywhere().filter(pk__in=empty).delete()
    new = [(*key, *counts, True) for key, pk, counts in changes if not pk and counts]
    rows.insert(OrganisationDay, (*_KEY, *_COUNTS, "folded"), new)


def _key(row: rows.Row) -> Key:
    return row[1 : len(_KEY) + 1]


def _sum(one: Counts, other: Counts) -> Counts:
    return tuple(map(add, one, other))
