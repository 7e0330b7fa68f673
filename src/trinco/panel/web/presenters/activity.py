"""The audit log in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts.actors import APPLY, CLI, TRINCO
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.accounts.roles import Role
from trinco.panel.domains.models import Way
from trinco.panel.policies.ways import RECORDS
from trinco.panel.web.foreign import plain
from trinco.panel.web.presenters.label_log import label_changes
from trinco.panel.web.templatetags.trinco import in_days, mode_word, span

ACTIONS: dict[str, Promise] = {
    "domain.added": gettext_lazy("Domain added"),
    "domain.verified": gettext_lazy("Records found, domain live"),
    "domain.removed": gettext_lazy("Domain removed before it was live"),
    "domain.records-written": gettext_lazy("Records written at the DNS provider"),
    "domain.ways": gettext_lazy("How the records are published"),
    "domain.access-kept": gettext_lazy("Access to the DNS provider kept"),
    "domain.access-forgotten": gettext_lazy("Access to the DNS provider forgotten"),
    "domain.tlsrpt": gettext_lazy("TLS reporting"),
    "domain.tagged": gettext_lazy("Tags"),
    "domain.left": gettext_lazy("Began to leave"),
    "domain.gone": gettext_lazy("No longer served"),
    "domain.taken-over": gettext_lazy("Taken over by whom its records point to"),
    "domain.recipient-added": gettext_lazy("Recipient of report copies added"),
    "domain.recipient-confirmed": gettext_lazy("Recipient of report copies confirmed"),
    "domain.recipient-removed": gettext_lazy("Recipient of report copies removed"),
    "certificate.brought": gettext_lazy("Certificate of one’s own brought"),
    "certificate.removed": gettext_lazy("Certificate of one’s own removed"),
    "report.retried": gettext_lazy("Report to be read again"),
    "reports.retention": gettext_lazy("How long reports are kept"),
    "policy.started": gettext_lazy("Mail servers confirmed"),
    "policy.published": gettext_lazy("Policy changed"),
    "policy.undone": gettext_lazy("Change undone"),
    "policy.reissued": gettext_lazy("Policy given a new id"),
    "tag.renamed": gettext_lazy("Tag renamed"),
    "tag.removed": gettext_lazy("Tag removed"),
    "filter.saved": gettext_lazy("Filter saved"),
    "filter.renamed": gettext_lazy("Saved filter renamed"),
    "filter.removed": gettext_lazy("Saved filter removed"),
    "import.started": gettext_lazy("List of domains given"),
    "import.stopped": gettext_lazy("Import stopped"),
    "import.resumed": gettext_lazy("Import went on"),
    "member.invited": gettext_lazy("Invitation sent"),
    "member.invitation-revoked": gettext_lazy("Invitation taken back"),
    "member.joined": gettext_lazy("Joined the organisation"),
    "member.sso-bound": gettext_lazy("Connected with single sign-on"),
    "member.sso-unbound": gettext_lazy("Single sign-on disconnected"),
    "member.role": gettext_lazy("Role changed"),
    "member.removed": gettext_lazy("Member removed"),
    "member.left": gettext_lazy("Left the organisation"),
    "organisation.added": gettext_lazy("Organisation added"),
    "organisation.changed": gettext_lazy("Organisation changed"),
    "organisation.closed": gettext_lazy("Organisation closed"),
    "client.added": gettext_lazy("Client added"),
    "client.closed": gettext_lazy("Client closed"),
    "webhook.added": gettext_lazy("Webhook added"),
    "webhook.changed": gettext_lazy("Webhook changed"),
    "webhook.secret": gettext_lazy("Webhook given a new secret"),
    "webhook.tested": gettext_lazy("Webhook sent a test"),
    "webhook.redelivered": gettext_lazy("Webhook sent a delivery again"),
    "webhook.removed": gettext_lazy("Webhook removed"),
    "webhook.stopped": gettext_lazy("Webhook switched off by itself"),
    "label.changed": gettext_lazy("Label changed"),
    "label.removed": gettext_lazy("Label removed"),
    "label.host-claimed": gettext_lazy("Host of the label wanted"),
    "label.host-proven": gettext_lazy("Host of the label proven"),
    "label.host-lost": gettext_lazy("Host of the label lost: its record is gone"),
    "label.host-removed": gettext_lazy("Host of the label given up"),
    "token.created": gettext_lazy("API token made"),
    "token.revoked": gettext_lazy("API token revoked"),
}
"""Every action that the services write."""


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One line of the log."""

    entry: AuditEntry
    word: str
    who: str
    details: tuple[str, ...]
    subject: str
    link: str | None


def activity_rows(entries: Iterable[AuditEntry]) -> list[ActivityRow]:
    """The lines of a page."""
    return [_row(entry) for entry in entries]


def _row(entry: AuditEntry) -> ActivityRow:
    word = str(ACTIONS.get(entry.action, entry.action))
    details = tuple(_details(entry.before, entry.after))
    return ActivityRow(entry, word, _who(entry), details, *_subject(entry.subject))


def _who(entry: AuditEntry) -> str:
    """The person; as whose staff, and by which token."""
    who = _person(entry.actor)
    if entry.provider:
        who = _("%(person)s as %(provider)s") % {"person": who, "provider": entry.provider}
    return _("%(person)s by the token %(token)s…") % {"person": who, "token": entry.token} if entry.token else who


def _person(actor: str) -> str:
    programs = {CLI.name: _("the command line"), APPLY.name: "trinco apply", TRINCO.name: _("Trinco by itself")}
    return programs.get(actor, actor)


def _subject(subject: str) -> tuple[str, str | None]:
    """How people read it, and its page where it is a domain."""
    try:
        domain = Domain(subject)
    except DomainSyntaxError:
        return subject, None
    return domain.unicode, reverse("domain", args=[domain])


def _details(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What differs, in words."""
    if after.get("mode") and before.get("mode") != after["mode"]:
        yield _change(before.get("mode") and mode_word(before["mode"]), mode_word(after["mode"]))
    if after.get("max_age") and before.get("max_age") not in (None, after["max_age"]):
        yield _("kept for: %s") % _change(span(before["max_age"]), span(after["max_age"]))
    yield from _list_changes(before.get("mx", []), after.get("mx", []))
    yield from _list_changes(before.get("tags", []), after.get("tags", []))
    yield from _people(before, after)
    yield from _reporting(after)
    yield from _ways(before, after)
    yield from _kept(before, after)
    yield from label_changes(before, after)
    if after.get("uncovered"):
        yield _("not covered by the policy: %s") % ", ".join(after["uncovered"])
    if after.get("id"):
        yield f"id {after['id']}"
    if certificate := after.get("sha256") or before.get("sha256"):
        yield f"{plain(after.get('issuer') or before.get('issuer', ''))}, SHA-256 {certificate}…"
    if "provider" in after:
        yield ", ".join([after["provider"], *after.get("right", ())])
    yield from _webhook(before, after)
    token = after if "token" in after else before
    if "token" in token:
        yield f"{token['token']} ({token['prefix']}…)"


def _people(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Roles, and what an organisation demands."""
    if after.get("role"):
        yield _change(before.get("role") and role_word(before["role"]), role_word(after["role"]))
    if "name" in after and "name" in before:
        yield _change(before["name"], after["name"])
    if after.get("issuer") and "sha256" not in after:
        yield plain(after["issuer"])
    if "sso_required" in after:
        yield _("single sign-on demanded") if after["sso_required"] else _("single sign-on no longer demanded")
    if "mfa_required" in after:
        yield _("second factor demanded") if after["mfa_required"] else _("second factor no longer demanded")


def _webhook(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if "webhook" not in {**before, **after}:
        return
    if host := after.get("host") or before.get("host"):
        yield plain(host)
    if after.get("moved"):
        yield _("another address")
    if after.get("leaked"):
        yield _("the old one had leaked")
    if "on" in after and before.get("on", True) != after["on"]:
        yield _("switched on") if after["on"] else _("switched off")
    yield from _list_changes(before.get("kinds", []), after.get("kinds", []) if "kinds" in after else [])


def role_word(role: str) -> str:
    """A role in words."""
    return str(Role(role).label) if role in Role.values else role


def _reporting(after: Mapping[str, Any]) -> Iterator[str]:
    if "tlsrpt" in after:
        yield _("switched on") if after["tlsrpt"] else _("switched off")
    if "tlsrpt_https" in after:
        yield _("reports by HTTPS too") if after["tlsrpt_https"] else _("reports by mail alone")
    if "trust_https" in after:
        yield _("reports by HTTPS counted") if after["trust_https"] else _("reports by HTTPS not counted")


def _ways(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, record in RECORDS.items():
        if after.get(name) in Way.values:
            yield f"{record.value}: {_change(before.get(name), after[name])}"


def _kept(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Recipients of copies, and how long what lies below the totals is kept."""
    if after.get("address"):
        yield plain(after["address"])
    for name, text in (("raw_days", _("raw reports: %s")), ("row_days", _("reports: %s"))):
        if name in after and before.get(name) != after[name]:
            yield text % _change(in_days(before[name]) if name in before else None, in_days(after[name]))


def _change(before: str | None, after: str) -> str:
    return f"{before} → {after}" if before else after


def _list_changes(before: list[str], after: list[str]) -> Iterator[str]:
    added = [host for host in after if host not in before]
    gone = [host for host in before if host not in after]
    if added or gone:
        yield " ".join([*(f"+{host}" for host in added), *(f"-{host}" for host in gone)])
