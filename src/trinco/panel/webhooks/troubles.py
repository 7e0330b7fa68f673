"""Problems of domains that begin and end, told once each, however often they are looked at.

A row stands for a problem that lasts: whoever makes it tells of its beginning, whoever takes it away of its end, in the
same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from trinco.panel.webhooks import outbox
from trinco.panel.webhooks.messages import Message
from trinco.panel.webhooks.models import Kind, Trouble

_RECORDS: Final = (Kind.RECORDS_PROBLEM, Kind.RECORDS_SOLVED)
_MAIL: Final = (Kind.MAIL_PROBLEM, Kind.MAIL_SOLVED)
_CERTIFICATE: Final = (Kind.CERTIFICATE_PROBLEM, Kind.CERTIFICATE_SOLVED)
_POLICY: Final = (Kind.POLICY_PROBLEM, Kind.POLICY_SOLVED)
KINDS: Final[Mapping[str, tuple[Kind, Kind | None]]] = {
    "record-lost": _RECORDS,
    "dns-silent": _RECORDS,
    "caa-forbids": _RECORDS,
    "mx-uncovered": _MAIL,
    "mx-tls": _MAIL,
    "mx-unreachable": _MAIL,
    "mx-certificate": _MAIL,
    "certificate-missing": _CERTIFICATE,
    "certificate-expired": _CERTIFICATE,
    "certificate-renewal": _CERTIFICATE,
    "certificate-failing": _CERTIFICATE,
    "certificate-ending": _CERTIFICATE,
    "policy-unserved": _POLICY,
    "announcement-waits": _POLICY,
    "publish-waits": _POLICY,
    "publish-refused": _POLICY,
    "reports-failing": (Kind.REPORTS_PROBLEM, Kind.REPORTS_SOLVED),
    "ready": (Kind.POLICY_PROPOSED, None),
}
"""As what the beginning and the end of each problem are told. That enforce is proposed has no end of its own: whoever
follows the proposal publishes a policy."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A domain, and what is the case now, with what is to be told of it."""

    domain: int
    organisation: int
    name: str
    problems: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def note(seen: Iterable[Seen], among: Collection[str], now: datetime) -> int:
    """Write down what began and what is over, of the problems `among` which the caller looks for. How many."""
    rows = list(seen)
    lasting = _lasting([row.domain for row in rows], among)
    changes = 0
    for row in rows:
        before = lasting[row.domain]
        changes += sum(_over(row, each, now) for problem, each in before.items() if problem not in row.problems)
        changes += sum(_began(row, problem, now) for problem in row.problems if problem not in before)
    return changes


def began(row: Seen, now: datetime) -> None:
    """The one problem of `row` began."""
    for problem in row.problems:
        _began(row, problem, now)


def over(row: Seen, problem: str, now: datetime) -> None:
    """It is over."""
    for trouble in Trouble.objects.everywhere().filter(domain=row.domain, problem=problem):
        _over(row, trouble, now)


def _lasting(domains: list[int], among: Collection[str]) -> dict[int, dict[str, Trouble]]:
    found: dict[int, dict[str, Trouble]] = defaultdict(dict)
    for trouble in Trouble.objects.everywhere().filter(domain__in=domains, problem__in=among):
        found[trouble.domain_id][trouble.problem] = trouble
    return found


def _began(row: Seen, problem: str, now: datetime) -> int:
    try:
        with transaction.atomic():
            Trouble.objects.everywhere().create(domain_id=row.domain, problem=problem, since=now)
            data = {"problem": problem, **row.problems[problem]}
            outbox.occurred(row.organisation, Message(KINDS[problem][0], now, row.name, data))
    except IntegrityError:  # another worker was faster
        return 0
    return 1


def _over(row: Seen, trouble: Trouble, now: datetime) -> int:
    kind = KINDS[trouble.problem][1]
    with transaction.atomic():
        if not Trouble.objects.everywhere().filter(pk=trouble.pk).delete()[0]:
            return 0  # another worker was faster
        if kind is not None:
            data = {"problem": trouble.problem, "since": trouble.since.isoformat(timespec="seconds")}
            outbox.occurred(row.organisation, Message(kind, now, row.name, data))
    return 1
