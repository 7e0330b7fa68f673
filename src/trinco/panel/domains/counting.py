"""How many domains of each level, and with each mode, several organisations have: no query for each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from django.db.models import Count, QuerySet

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State

K = TypeVar("K")


def levels_of(organisations: QuerySet[Organisation]) -> Mapping[int, Counter[int]]:
    """By the key of each, how many domains of each level it has not given up. The caller may see all of them. One
    query."""
    rows = HostedDomain.objects.of_any(organisations).exclude(state=State.GONE).order_by()
    return _by_organisation(rows.values_list("organisation", "level").annotate(Count("pk")))


def modes_of(organisations: QuerySet[Organisation]) -> Mapping[int, Counter[str]]:
    """By the key of each, how many policies of each mode are served for it. The caller may see all of them. One
    query."""
    rows = HostedDomain.objects.of_any(organisations).filter(state__in=[State.LIVE, State.LEAVING])
    served = rows.filter(standing__isnull=False).order_by()
    return _by_organisation(served.values_list("organisation", "standing__current__mode").annotate(Count("pk")))


def _by_organisation(rows: Iterable[tuple[int, K, int]]) -> Mapping[int, Counter[K]]:
    found: defaultdict[int, Counter[K]] = defaultdict(Counter)
    for organisation, what, count in rows:
        found[organisation][what] = count
    return found
