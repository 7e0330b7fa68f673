"""Reports that came: what the tables say of one, who vouches for it, and whether it is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult
from trinco.core.tlsrpt.report import Report as CoreReport
from trinco.panel import wall
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports.models import Applied, FailureRow, PolicyRow, RawReport, Report, Trust
from trinco.panel.reports.scope import is_counted
from trinco.panel.web import paging
from trinco.panel.web.dates import day
from trinco.panel.web.foreign import plain
from trinco.panel.web.presenters.report import AppliedView, Json, ReportView, json_view, number, report_view
from trinco.panel.web.reasons import said

TRUST_LOOKS = {Trust.DKIM: "ok", Trust.OPERATOR: "ok", Trust.HTTPS: "info", Trust.NONE: "warn"}
CHANNELS: dict[str, Promise] = {
    Channel.MAIL: gettext_lazy("by mail"),
    Channel.HTTPS: gettext_lazy("by HTTPS"),
    Channel.IMPORT: gettext_lazy("by import"),
}
_SHORT = 80
"""Characters of a text in a line of a list."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with its look, and where it leads."""

    look: str
    sentence: str
    href: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedView:
    """One report of the tables as its page shows it."""

    row: Report
    report: ReportView
    vouched: Line
    counted: Line
    copies: str
    json: Json
    whole: bool
    """Whether the raw report may be had as it came."""

    @property
    def channel(self) -> Promise:
        return CHANNELS[self.row.channel]

    @property
    def linked(self) -> bool:
        """Whether the domain has a page."""
        return self.row.domain.state != State.GONE


def received_view(row: Report) -> ReceivedView:
    """The report with what the tables know of it, in a handful of queries."""
    policies = list(row.policies.select_related("version"))
    report = own_part(row, policies)
    view = report_view(report)
    newest = row.domain.versions.values_list("number", flat=True).first() or 0
    pairs = zip(view.policies, policies, strict=False)
    parts = tuple(replace(part, applied=_applied(row.domain, each, newest)) for part, each in pairs)
    return ReceivedView(
        row=row,
        report=replace(view, policies=parts),
        vouched=vouched(row),
        counted=_counted(row),
        copies=_copies(row.copies),
        json=json_view(report),
        whole=may_see_whole(row),
    )


def own_part(row: Report, policies: list[PolicyRow] | None = None) -> CoreReport:
    """What a report says about this domain alone, as a value of core."""
    rows = list(row.policies.all()) if policies is None else policies
    details: dict[int, list[FailureDetail]] = {}
    for failure in row.failures.order_by("pk"):
        details.setdefault(failure.policy_id, []).append(_detail(failure))
    return CoreReport(
        organization_name=row.organization_name,
        contact_info=row.contact_info,
        report_id=row.report_id,
        start=_utc(row.start),
        end=_utc(row.end),
        policies=tuple(_result(each, details.get(each.pk, [])) for each in rows),
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _detail(row: FailureRow) -> FailureDetail:
    return FailureDetail(**{name: getattr(row, name) for name in FailureDetail.__struct_fields__})


def _result(row: PolicyRow, details: list[FailureDetail]) -> PolicyResult:
    return PolicyResult(
        policy_type=row.policy_type,
        policy_string=tuple(row.policy_string),
        policy_domain=row.policy_domain,
        mx_host=tuple(row.mx_host),
        successful_session_count=row.successful_session_count,
        failed_session_count=row.failed_session_count,
        failure_details=tuple(details),
        policy_domain_inferred=row.policy_domain_inferred,
    )


def may_see_whole(row: Report) -> bool:
    """Whether its organisation may have the arrival as it came: it got it, and it speaks of its domains alone."""
    raw: RawReport | None = row.raw
    return raw is not None and raw.organisation_id == row.organisation_id and not raw.mixed


def vouched(row: Report) -> Line:
    """Who vouches for a report."""
    trust = Trust(row.trust)
    reason = plain(said(_reason(row))) if trust is Trust.NONE else ""
    sentences = {
        Trust.DKIM: _("Signed by %s: the signature was verified when the mail came.") % plain(row.signer),
        Trust.OPERATOR: _("Imported by whoever runs this installation, who vouches for it."),
        Trust.HTTPS: _(
            "It came by HTTPS with the domain’s token, which stands in DNS for everybody to read: nobody signed it."
        ),
        Trust.NONE: _("Nobody vouches for it: anybody may have written it."),
    }
    return Line(TRUST_LOOKS[trust], _with(sentences[trust], reason))


def _reason(row: Report) -> str:
    """What is known of the arrival alone: one that is shared with others is behind the wall with all that it says."""
    if row.raw_id is None:
        return ""
    with wall.lifted():
        return RawReport.objects.everywhere().filter(pk=row.raw_id).values_list("reason", flat=True).first() or ""


def _with(sentence: str, reason: str) -> str:
    return f"{sentence} {_('Why: %s.') % reason}" if reason else sentence


def _counted(row: Report) -> Line:
    if not row.counted:
        others = Report.objects.everywhere().filter(domain=row.domain, identity=row.identity, counted=True)
        other = others.values_list("pk", flat=True).first()
        href = reverse("report", args=[other]) if other else ""
        sentence = _("Not counted: another report with the same sender, period and id is counted in its place.")
        return Line("mute", sentence, href, _("Show that one"))
    if is_counted(row):
        return Line("ok", _("Counted in the totals of this domain."))
    if row.trust == Trust.HTTPS:
        href = "" if row.domain.state == State.GONE else reverse("domain", args=[row.domain.name]) + "#tlsrpt"
        sentence = _("Not counted: this domain does not count reports that come by HTTPS.")
        return Line("mute", sentence, href, _("Change that"))
    return Line("mute", _("Not counted: it is kept and shown, and moves no figure."))


def _copies(copies: int) -> str:
    if copies <= 1:
        return ""
    same = ngettext("It came %(n)s time, always the same.", "It came %(n)s times, always the same.", copies)
    return same % {"n": number(copies)}


def _applied(domain: HostedDomain, row: PolicyRow, newest: int) -> AppliedView | None:
    """What the ledger says of the policy-string: the sender's cache."""
    version = row.version
    if row.applied == Applied.NEVER:
        return AppliedView(
            "bad",
            _("The sender applied a policy that was never yours: its cache is wrong, or somebody answers for you."),
        )
    if row.applied == Applied.UNTOLD or version is None:
        return None
    facts = {"n": version.number, "date": day(version.created_at)}
    href = "" if domain.state == State.GONE else history_link(domain, version, newest)
    if row.applied == Applied.OLDER:
        text = _("The sender still applied an older policy of yours: version %(n)d of %(date)s, from its cache.")
        return AppliedView("warn", text % facts, href)
    text = _("The sender applied the policy that was current: version %(n)d of %(date)s.")
    return AppliedView("ok", text % facts, href)


def history_link(domain: HostedDomain, version: PolicyVersion, newest: int) -> str:
    """Where the history shows this version. `newest`: the number of the newest."""
    page = (newest - version.number) // paging.SIZE + 1
    query = f"?page={page}" if page > 1 else ""
    return reverse("history", args=[domain.name]) + f"{query}#v{version.number}"


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A line of the list."""

    row: Report
    name: str
    submitter: str
    look: str
    trust: str
    counted: bool


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """A line of the list of what could not be read."""

    row: RawReport
    sender: str
    reason: str
    channel: Promise


def report_rows(rows: Iterable[Report]) -> list[ReportRow]:
    """The lines of a page."""
    return [
        ReportRow(
            row=row,
            name=plain(row.organization_name, _SHORT) or _("An organisation without a name"),
            submitter=plain(row.submitter, _SHORT),
            look=TRUST_LOOKS[Trust(row.trust)],
            trust=str(Trust(row.trust).label),
            counted=is_counted(row),
        )
        for row in rows
    ]


def arrival_rows(rows: Iterable[RawReport]) -> list[ArrivalRow]:
    """The lines of a page."""
    return [
        ArrivalRow(row, plain(row.sender or row.peer, _SHORT), plain(said(row.reason)), CHANNELS[row.channel])
        for row in rows
    ]
