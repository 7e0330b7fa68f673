"""One TLS report in plain words (RFC 8460 section 4.4), wherever it came from: the tables, or a file that is only read.

A stranger wrote every text of it. What the pages show of them is cut and bounded: the raw report has all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.core.tlsrpt import render
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report
from trinco.panel.web.dates import day, minute
from trinco.panel.web.foreign import is_link, plain
from trinco.panel.web.meanings import Meaning, policy_meaning, policy_word, reason_meaning, result_meaning

PLACES = 20
"""Places of one fault that are shown."""
PLACES_IN_ALL = 600
FAULTS = 15
"""Result types of one policy that are shown: the standard has eleven."""
POLICIES = 20
LINES = 40
"""Lines of a policy, and host names."""
MOST_JSON = 100_000
"""Characters of the JSON that a page shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where sessions failed, as far as the sender tells."""

    sessions: int
    mx: str
    address: str
    helo: str
    sending_mta_ip: str
    reason: str
    further: str
    link: str
    """`further`, where it may be followed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The failed sessions of one result type. `explained`: what the reason codes say, or else the result type."""

    word: str
    sessions: int
    meaning: Meaning
    reasons: tuple[Meaning, ...]
    explained: tuple[Meaning, ...]
    places: tuple[Place, ...]
    more: int

    @property
    def side(self) -> Promise | str:
        """Where the thing to repair is, as exactly as it is known."""
        return self.explained[0].side if self.explained else self.meaning.side


@dataclass(frozen=True, slots=True)
class AppliedView:
    """What our ledger says of the policy that the sender applied. `href` leads to that version."""

    look: str
    sentence: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class PolicyView:
    """What happened under one policy. `number` counts from 1, for the anchors of a page."""

    number: int
    word: str
    policy_type: str
    meaning: str
    domain: str
    inferred: bool
    succeeded: int
    failed: int
    faults: tuple[Fault, ...]
    more_faults: int
    difference: str
    lines: tuple[str, ...]
    hosts: tuple[str, ...]
    mode: str
    applied: AppliedView | None = None
    """None: nothing to compare, or no ledger to compare it with."""

    @property
    def sessions(self) -> int:
        return self.succeeded + self.failed

    @property
    def look(self) -> str:
        """Colour and icon."""
        return "bad" if self.failed or self.faults else "ok"

    @property
    def sentence(self) -> str:
        """How the sessions went."""
        if not self.sessions:
            return _("No session was counted.")
        if not self.failed:
            return _("%(sessions)s, and none failed.") % {"sessions": sessions(self.sessions)}
        facts = {"failed": number(self.failed), "sessions": sessions(self.sessions)}
        return _("%(failed)s of %(sessions)s failed.") % facts


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report as a page shows it."""

    organization_name: str
    submitter: str
    contact_info: str
    report_id: str
    period: str
    policies: tuple[PolicyView, ...]
    more_policies: int
    counted_twice: bool
    failed: bool

    @property
    def domains(self) -> tuple[str, ...]:
        """About which domains it is, each once."""
        return tuple(dict.fromkeys(policy.domain for policy in self.policies if policy.domain))

    @property
    def sentence(self) -> str:
        """The whole of it in one sentence."""
        if len(self.policies) == 1:
            return self.policies[0].sentence
        return _("Some sessions failed.") if self.failed else _("No session failed.")


@dataclass(frozen=True, slots=True)
class Json:
    """A report under the standard's names. `cut`: it goes on."""

    text: str
    cut: bool


def report_view(report: Report, places: int = PLACES_IN_ALL) -> ReportView:
    """The report, with so many places of failures at most."""
    parts = report.policies[:POLICIES]
    each = places // max(len(parts), 1)
    return ReportView(
        organization_name=plain(report.organization_name) or _("An organisation without a name"),
        submitter=plain(report.submitter),
        contact_info=plain(report.contact_info),
        report_id=plain(report.report_id),
        period=period(report.start, report.end),
        policies=tuple(_policy(number, part, each) for number, part in enumerate(parts, 1)),
        more_policies=len(report.policies) - len(parts),
        counted_twice=report.counted_twice,
        failed=report.failed,
    )


def json_of(report: Report) -> bytes:
    """The report under the standard's names, indented (RFC 8460 section 4.4)."""
    return msgspec.json.format(msgspec.json.encode(render.document(report)), indent=2)


def json_view(report: Report) -> Json:
    """The JSON for a page: characters that would not be seen, or would turn others round, are written as escapes."""
    text = json_of(report).decode()
    shown = (c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text[:MOST_JSON])
    return Json("".join(shown), len(text) > MOST_JSON)


def period(start: datetime, end: datetime) -> str:
    """A UTC day as one, whether its end is 23:59:59 or the next midnight."""
    last = end - timedelta(seconds=1) if end > start else end
    if start.date() == last.date():
        return _("%s (UTC)") % day(start)
    return _("%(start)s to %(end)s (UTC)") % {"start": minute(start), "end": minute(end)}


def number(count: int) -> str:
    """`1,234`, as the reader's language writes it."""
    return number_format(count, force_grouping=True)


def sessions(count: int) -> str:
    """`1 session`, `1,234 sessions`."""
    return ngettext("%(n)s session", "%(n)s sessions", count) % {"n": number(count)}


def _policy(position: int, one: PolicyResult, places: int) -> PolicyView:
    groups = _alike(one.failure_details)
    shown = groups[:FAULTS]
    applied = one.applied_policy
    each = min(PLACES, max(1, places // max(len(shown), 1)))
    return PolicyView(
        number=position,
        word=plain(policy_word(one.policy_type)),
        policy_type=plain(one.policy_type),
        meaning=policy_meaning(one.policy_type).meaning,
        domain=plain(one.policy_domain),
        inferred=one.policy_domain_inferred,
        succeeded=one.successful_session_count,
        failed=one.failed_session_count,
        faults=tuple(_fault(details, each) for details in shown),
        more_faults=len(groups) - len(shown),
        difference=_difference(one),
        lines=_some(one.policy_string),
        hosts=_some(one.mx_host),
        mode=str(applied.mode) if applied else "",
    )


def _some(texts: Sequence[str]) -> tuple[str, ...]:
    return (*(plain(text) for text in texts[:LINES]), *(["…"] if len(texts) > LINES else []))


def _alike(details: Iterable[FailureDetail]) -> list[list[FailureDetail]]:
    """Details of one result together, the worst first."""
    groups: dict[str, list[FailureDetail]] = {}
    for detail in details:
        groups.setdefault(detail.result_type, []).append(detail)
    return sorted(groups.values(), key=lambda group: -_sum(group))


def _sum(details: Iterable[FailureDetail]) -> int:
    return sum(detail.failed_session_count for detail in details)


def _fault(details: list[FailureDetail], places: int) -> Fault:
    word = details[0].result_type
    meaning = result_meaning(word)
    codes = dict.fromkeys(detail.failure_reason_code for detail in details)
    reasons = tuple(found for code in codes if (found := reason_meaning(code)))
    worst = sorted(details, key=lambda detail: -detail.failed_session_count)
    return Fault(
        word=plain(word),
        sessions=_sum(details),
        meaning=meaning,
        reasons=reasons,
        explained=reasons or ((meaning,) if meaning.action else ()),
        places=tuple(map(_place, worst[:places])),
        more=max(0, len(details) - places),
    )


def _place(detail: FailureDetail) -> Place:
    further = plain(detail.additional_information)
    return Place(
        sessions=detail.failed_session_count,
        mx=plain(detail.receiving_mx_hostname),
        address=plain(detail.receiving_ip),
        helo=plain(detail.receiving_mx_helo),
        sending_mta_ip=plain(detail.sending_mta_ip),
        reason=plain(detail.failure_reason_code),
        further=further,
        link=further if is_link(detail.additional_information) else "",
    )


def _difference(one: PolicyResult) -> str:
    """Where summary and details do not say the same, and why that may be."""
    if one.difference is None:
        return _("The sender gives no details of the failures.") if one.failed_session_count else ""
    if not one.difference:
        return ""
    facts = {"details": sessions(one.detailed_session_count), "summary": number(one.failed_session_count)}
    if one.difference > 0:
        text = _(
            "The details add up to %(details)s, the summary says %(summary)s: one session can fail in several ways."
        )
    else:
        text = _(
            "The details add up to %(details)s, the summary says %(summary)s: the sender tells details of some only."
        )
    return text % facts
