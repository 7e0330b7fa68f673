"""Copies of reports for the recipients of a domain: each gets that domain's own part, as a report mail of ours.

Only what somebody vouches for is copied (`outbox`). A copy is a row from the transaction that made the report's row
until the mail server has taken it: a crash in between sends it again, under the same Message-ID. Right before it is
sent it is looked at again: who was removed meanwhile gets nothing more. What cannot be sent is tried again for a day
(`sending`). The mail looks as RFC 8460 section 5.3 has it, but for the signature, which is whose server sends it.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from trinco.core.errors import DomainSyntaxError, ReportSyntaxError
from trinco.core.names import Domain
from trinco.core.tlsrpt import render
from trinco.core.tlsrpt import report as core
from trinco.panel import clock
from trinco.panel.accounts import labels
from trinco.panel.asking import Question
from trinco.panel.reports import sending
from trinco.panel.reports.models import Copy, Recipient, Report, Trust
from trinco.panel.reports.originals import own_part
from trinco.panel.reports.recipients import ask_due

LEASE = timedelta(minutes=10)
"""Longer than a batch takes to send."""
_AT_ONCE = 20
_log = structlog.get_logger("trinco.reports")


class ReportMail(EmailMessage):
    """A multipart/report (RFC 6522) whose report is a TLS report."""

    mixed_subtype = "report"

    def message(self, *args: Any, **options: Any) -> Any:
        message: Message = super().message(*args, **options)
        message.set_param("report-type", "tlsrpt")
        return message


def forward_due(now: datetime) -> int:
    """Send the copies that are due, a batch of them, and ask the recipients that are to be asked. How many mails."""
    sent = sum(_send(copy, now) for copy in _taken(now))
    return sent + ask_due(now)


def mail_of(report: Report, own: core.Report, recipient: Recipient) -> EmailMessage:
    """The mail that carries this domain's part of a report. Raises ReportSyntaxError where it cannot be written."""
    domain = report.domain.domain
    named = _named(own)
    headers = {
        "Auto-Submitted": "auto-generated",
        "TLS-Required": "No",  # a report about TLS that fails gets through (RFC 8460 section 5.3.1, RFC 8689)
        "TLS-Report-Domain": str(domain),
        "TLS-Report-Submitter": named.submitter,
        "Message-ID": _message_id(report, recipient),
    }
    told = (
        render.subject(named, domain),
        _text(report, recipient),
        labels.sender(labels.of(report.domain.organisation)),
    )
    mail = ReportMail(*told, to=[recipient.address], headers=headers)
    body = gzip.compress(render.to_json(own), mtime=0)
    mail.attach(render.file_name(named, domain), body, "application/tlsrpt+gzip")
    return mail


def _named(own: core.Report) -> core.Report:
    """For header fields and file name: in our name where its contact is no address, and with an id that can be sent."""
    try:
        submitter = str(Domain.parse(own.submitter))
    except DomainSyntaxError:
        submitter = _our_domain()
    told = render.id_left(own.report_id.removesuffix(f"@{own.submitter}"), submitter)[:64].rstrip(".")
    return msgspec.structs.replace(own, contact_info=f"reports@{submitter}", report_id=told or "unknown")


def _our_domain() -> str:
    return str(settings.CONFIG.mail_from).rpartition("@")[2].strip("<> ") or str(settings.CONFIG.base)


def _message_id(report: Report, recipient: Recipient) -> str:
    """The same for each attempt, so that whoever gets it twice can tell."""
    told = f"{recipient.pk}:{recipient.address}:{report.pk}:{report.content}"
    return f"<{hashlib.sha256(told.encode()).hexdigest()[:40]}@{_our_domain()}>"


def _text(report: Report, recipient: Recipient) -> str:
    with translation.override(recipient.language):
        facts = {
            "domain": report.domain.unicode,
            "submitter": report.submitter or _("a sender without contact address"),
            "start": f"{report.start:%Y-%m-%d %H:%M} UTC",
            "end": f"{report.end:%Y-%m-%d %H:%M} UTC",
            "trust": Trust(report.trust).label,
            "panel": labels.root(labels.of(report.domain.organisation)),
        }
        paragraphs: Iterable[str] = (
            _("The SMTP TLS report of %(submitter)s about %(domain)s, from %(start)s to %(end)s, is attached."),
            _("Who vouches for it: %(trust)s."),
            _("This address confirmed that it wants these copies. Who manages %(domain)s at %(panel)s can end them."),
        )
        return "\n\n".join(paragraph % facts for paragraph in paragraphs) + "\n"


def _due(now: datetime) -> QuerySet[Copy]:
    return Copy.objects.everywhere().filter(clock.due("due_at", now, sending.AFAR))


_SOME = Question(_due)


def _taken(now: datetime) -> list[Copy]:
    if not _SOME.holds(now):  # without a lock, since most calls find nothing
        return []
    copies, due = Copy.objects.everywhere(), _due(now)
    with transaction.atomic():
        locked = due.order_by("due_at", "pk").select_for_update(skip_locked=True)
        keys = list(locked.values_list("pk", flat=True)[:_AT_ONCE])
        copies.filter(pk__in=keys).update(due_at=now + LEASE, tries=F("tries") + 1)
    return list(copies.filter(pk__in=keys).order_by("pk"))


def _still(copy: Copy) -> Copy | None:
    """The copy with all it takes to send it, if it is still this worker's and wanted: others of its batch took time."""
    rows = Copy.objects.everywhere().select_related("recipient", "report__domain", "report__raw")
    return rows.filter(pk=copy.pk, due_at=copy.due_at, recipient__confirmed_at__isnull=False).first()


def _send(taken: Copy, now: datetime) -> int:
    copy = _still(taken)
    if copy is None:
        return 0
    try:
        own = own_part(copy.report)
        if own is None:
            return _end(copy, "the report is no longer there")
        mail_of(copy.report, own, copy.recipient).send()
    except ReportSyntaxError as error:
        return _end(copy, error.reason)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost loop of one copy: it stops no other, and ends some day
        return _postpone(copy, error, now)
    Copy.objects.everywhere().filter(pk=copy.pk).delete()
    return 1


def _postpone(copy: Copy, error: Exception, now: datetime) -> int:
    if copy.tries >= sending.MOST_TRIES:
        return _end(copy, sending.told(error))
    Copy.objects.everywhere().filter(pk=copy.pk).update(due_at=now + sending.wait(copy.tries))
    _log.warning("copy not sent", domain=copy.report.domain.name, tries=copy.tries, error=sending.told(error))
    return 0


def _end(copy: Copy, reason: str) -> int:
    _log.warning("copy given up", domain=copy.report.domain.name, tries=copy.tries, reason=reason)
    Copy.objects.everywhere().filter(pk=copy.pk).delete()
    return 0
