"""The days of an organisation, whatever the number of its domains: what a page about all of them reads.

Whoever writes daily totals, the version of before as well, has triggers write down what that changes, in the same
transaction: one row more, with what came to a day or went. So the sum of the rows is at any moment that of the totals,
and nobody waits for anybody. The worker folds the rows of a day into one; no sum changes by that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction

from trinco.panel.reports import rows
from trinco.panel.reports.day_models import OrganisationDay

AT_ONCE = 1000
"""Rows that are folded in one transaction."""
_KEY = ("organisation_id", "day", "trust", "submitter", "domain_id")
_COUNTS = ("successful_session_count", "failed_session_count", "reports", "totals")

Key = tuple[int, date, str, str, int | None]
Counts = tuple[int, ...]
_NONE: Counts = (0, 0, 0, 0)


def fold_due(_now: datetime) -> int:
    """Fold a portion of the rows that came since. How many those were."""
    fresh = OrganisationDay.objects.everywhere().filter(folded=False)
    return _fold() if fresh.exists() else 0


@transaction.atomic
def _fold() -> int:
    """What another worker has in hand is left to it."""
    days = OrganisationDay.objects.everywhere()
    fresh: defaultdict[Key, list[tuple[int, Counts]]] = defaultdict(list)
    due = days.filter(folded=False).order_by("pk").select_for_update(skip_locked=True)
    for pk, *values in due.values_list("pk", *_KEY, *_COUNTS)[:AT_ONCE]:
        fresh[_key(values)].append((pk, tuple(values[len(_KEY) :])))
    before = _folded(fresh)
    after = {
        key: _sum([before.get(key, (0, _NONE))[1], *(counts for _, counts in some)]) for key, some in fresh.items()
    }
    apart = {key for key, counts in after.items() if not all(-rows.MAX <= count <= rows.MAX for count in counts)}
    days.filter(pk__in=[pk for key in apart for pk, _ in fresh[key]]).update(folded=True)
    days.filter(pk__in=[pk for key in fresh.keys() - apart for pk, _ in fresh[key]]).delete()
    _write({key: (before.get(key, (0, _NONE))[0], after[key]) for key in fresh.keys() - apart})
    return sum(map(len, fresh.values()))


def _folded(keys: Collection[Key]) -> dict[Key, tuple[int, Counts]]:
    """By key, the row that such are folded into and its counts, locked until the transaction ends."""
    columns = ("organisation", "day", "trust", "submitter")
    narrow = {f"{column}__in": {key[at] for key in keys} for at, column in enumerate(columns)}
    found = OrganisationDay.objects.everywhere().filter(folded=True, **narrow).order_by("pk").select_for_update()
    there: dict[Key, tuple[int, Counts]] = {}
    for pk, *values in found.values_list("pk", *_KEY, *_COUNTS):
        if (key := _key(values)) in keys:
            there.setdefault(key, (pk, tuple(values[len(_KEY) :])))
    return there


def _write(sums: dict[Key, tuple[int, Counts]]) -> None:
    """The counts of each key, in its row where it has one. Where nothing is left there is none."""
    changed = [(*counts, pk) for pk, counts in sums.values() if pk and any(counts)]
    rows.change(OrganisationDay, _COUNTS, changed)
    empty = [pk for pk, counts in sums.values() if pk and not any(counts)]
    OrganisationDay.objects.everywhere().filter(pk__in=empty).delete()
    new = [(*key, *counts, True) for key, (pk, counts) in sums.items() if not pk and any(counts)]
    rows.insert(OrganisationDay, (*_KEY, *_COUNTS, "folded"), new)


def _key(values: list[object]) -> Key:
    return tuple(values[: len(_KEY)])  # type: ignore[return-value]


def _sum(several: list[Counts]) -> Counts:
    return tuple(map(sum, zip(*several, strict=True)))
