"""Which copies are to be sent: noted in the transaction that makes the report's row, so that a crash loses none.

What is copied is what counts: signed, or by HTTPS where the owner trusts that. What nobody vouches for is anybody's
words, and is copied once a better claim to it comes. An import is not: it may be of years.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.merge import Claim, Merged
from trinco.panel.reports.models import Copy, Recipient, Trust


def queue(merged: Merged, now: datetime) -> None:
    """Note a copy of each report that is to be copied for each confirmed recipient, in the report's transaction."""
    claims = [*(each.best for each in merged.fresh), *(each.better for each in merged.better if each.better)]
    confirmed = _confirmed({claim.part.holder.domain for claim in claims if claim.channel != Channel.IMPORT})
    copies = [
        Copy(recipient_id=recipient, report_id=report, due_at=now)
        for report, domain in _copied(merged, _trusting(confirmed))
        for recipient in confirmed.get(domain, ())
    ]
    if copies:
        Copy.objects.everywhere().bulk_create(copies, ignore_conflicts=True)


def _confirmed(domains: Collection[int]) -> dict[int, list[int]]:
    """The recipients of each domain that has any."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    rows = Recipient.objects.everywhere().filter(domain__in=domains, confirmed_at__isnull=False)
    for recipient, domain in rows.values_list("pk", "domain_id"):
        found[domain].append(recipient)
    return found


def _trusting(domains: Collection[int]) -> set[int]:
    if not domains:
        return set()
    rows = HostedDomain.objects.everywhere().filter(pk__in=domains, trust_https=True)
    return set(rows.values_list("pk", flat=True))


def _copied(merged: Merged, trusting: Collection[int]) -> Iterator[tuple[int, int]]:
    """Keys of the reports, and of their domains."""
    for each in merged.fresh:
        if _is_copied(each.best, trusting):
            yield each.key, each.best.part.holder.domain
    for row in merged.better:
        before = list(Trust)[row.rank[0]]
        if row.better and _is_copied(row.better, trusting) and not _counts(before, row.domain, trusting):
            yield row.key, row.domain


def _is_copied(claim: Claim, trusting: Collection[int]) -> bool:
    return claim.channel != Channel.IMPORT and _counts(claim.trust, claim.part.holder.domain, trusting)


def _counts(trust: Trust, domain: int, trusting: Collection[int]) -> bool:
    return trust is Trust.DKIM or (trust is Trust.HTTPS and domain in trusting)
