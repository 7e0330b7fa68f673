"""Who gets copies of the reports about a domain: addresses that were added by its owner and said yes themselves.

Adding writes a row; the worker mails the question, in the words of the person's language, at most one an hour to an
address, however many domains ask it and whatever is removed in between. What cannot be mailed is tried again
(`sending`) and stops nobody else's question; an address that the mail server refuses is given up, and the domain's page
says so. The link is signed and good for a week; it shows a page with a button, since mail scanners follow links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from smtplib import SMTPException
from typing import Any

import structlog
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from trinco.panel import clock, wall
from trinco.panel.accounts import labels
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.asking import Question
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import locked
from trinco.panel.reports import sending
from trinco.panel.reports.errors import AddressRefused, AlreadyRecipient, ConfirmationRefused, TooManyRecipients
from trinco.panel.reports.models import Recipient

MOST = 10
"""Recipients of one domain."""
ASK_AGAIN = timedelta(hours=1)
_APART = timedelta(minutes=10)
"""How much later another worker may have begun its batch. What was asked later than that, a wrong clock says."""
LINK_LIVES = timedelta(days=7)
_SALT = "trinco.reports.recipient"
_AT_ONCE = 20
_log = structlog.get_logger("trinco.reports")


@transaction.atomic
def add_recipient(*, domain: HostedDomain, address: str, actor: Actor) -> Recipient:
    """Ask an address whether it wants copies; one that has not answered is asked again, if an hour has passed.

    Raises AddressRefused, AlreadyRecipient, TooManyRecipients.
    """
    wanted = _address(address)
    owner = locked(domain)
    row = Recipient.objects.of(owner.organisation).filter(domain=owner, address=wanted).first()
    if row is None:
        return _added(owner, wanted, actor)
    if row.confirmed_at is not None:
        raise AlreadyRecipient(wanted)
    if row.asked_at is not None and not _lately(row.asked_at, clock.now()):
        row.asked_at, row.due_at, row.tries, row.unreachable = None, None, 0, False
        row.language = _language()
        row.save(update_fields=["asked_at", "due_at", "tries", "unreachable", "language"])
    return row


@wall.lifted()
def recipient_of(*, token: str) -> Recipient:
    """Whom a link is about: for the page that asks once more. Raises ConfirmationRefused."""
    try:
        key, address = signing.loads(token, salt=_SALT, max_age=LINK_LIVES)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise ConfirmationRefused("the link is not ours, or too old") from error
    rows = Recipient.objects.everywhere().select_related("domain__organisation").filter(pk=key, address=address)
    row = rows.first()
    if row is None:
        raise ConfirmationRefused("the recipient was removed")
    return row


@wall.lifted()
@transaction.atomic
def confirm_recipient(*, token: str, source: str = "") -> Recipient:
    """The address says yes. A second time changes nothing. `source`: the address that the request came from.

    Raises ConfirmationRefused.
    """
    row = recipient_of(token=token)
    if Recipient.objects.everywhere().filter(pk=row.pk, confirmed_at=None).update(confirmed_at=clock.now()):
        _record(row, Actor(row.address, source), "domain.recipient-confirmed")
    row.refresh_from_db(fields=["confirmed_at"])
    return row


@transaction.atomic
def remove_recipient(*, recipient: Recipient, actor: Actor) -> None:
    """No more copies, neither those that wait to be sent."""
    _record(recipient, actor, "domain.recipient-removed")
    rows = Recipient.objects.everywhere().filter(pk=recipient.pk)
    for row in rows.select_for_update():
        if row.asked_at is not None and _lately(row.asked_at, clock.now()):
            cache.set(_memory(row.address), row.asked_at.timestamp(), ASK_AGAIN.total_seconds())
    rows.delete()


def ask_due(now: datetime) -> int:
    """Mail the questions that are due, one to an address. How many."""
    return sum(_ask(key, now) for key in _due(now)) if _SOME.holds(now) else 0


def token_of(recipient: Recipient) -> str:
    """What stands at the end of the link."""
    return signing.dumps([recipient.pk, recipient.address], salt=_SALT, compress=True)


def _added(domain: HostedDomain, address: str, actor: Actor) -> Recipient:
    rows = Recipient.objects.of(domain.organisation)
    if rows.filter(domain=domain).count() >= MOST:
        raise TooManyRecipients(domain.name)
    row = rows.create(domain=domain, address=address, created_by=actor.name, language=_language())
    _record(row, actor, "domain.recipient-added")
    return row


def _record(row: Recipient, actor: Actor, action: str) -> None:
    domain = row.domain
    told = {"address": row.address}
    record(organisation=domain.organisation, actor=actor, action=action, subject=domain.name, after=told)


def _address(text: str) -> str:
    """An address that no header can be broken with, and that is none of ours: a copy is no report."""
    address = text.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise AddressRefused("not an e-mail address", source=text) from error
    if not (address.isascii() and address.isprintable()) or len(address) > 254:
        raise AddressRefused("an e-mail address has ASCII letters alone here", source=text)
    ours = str(settings.CONFIG.reports_host)
    if address.rpartition("@")[2].rstrip(".") == ours:
        raise AddressRefused("that is the mailbox for reports itself", source=text)
    return address


def _language() -> str:
    return (translation.get_language() or "en")[:10]


def _waiting(now: datetime) -> QuerySet[Recipient]:
    waiting = Recipient.objects.everywhere().filter(asked_at=None, confirmed_at=None)
    return waiting.filter(Q(due_at=None) | clock.due("due_at", now, sending.AFAR))


_SOME = Question(_waiting)


def _due(now: datetime) -> list[int]:
    """The first row of each address that was not asked within the hour: however many domains ask one, it is one row."""
    recipients = Recipient.objects.everywhere()
    lately = recipients.filter(address=OuterRef("address"), asked_at__gt=now - ASK_AGAIN, asked_at__lte=now + _APART)
    addresses = _waiting(now).filter(~Exists(lately)).order_by().values("address").annotate(first=Min("pk"))
    return list(addresses.order_by("first").values_list("first", flat=True)[:_AT_ONCE])


def _lately(asked_at: datetime, now: datetime) -> bool:
    return now - ASK_AGAIN < asked_at <= now + _APART


def _ask(key: int, now: datetime) -> int:
    row = _taken(key, now)
    if row is None:
        return 0
    try:
        _question(row).send()
    except (SMTPException, OSError) as error:
        _failed(row, error, now)
        return 0
    _log.info("recipient asked", domain=row.domain.name)
    return 1


def _taken(key: int, now: datetime) -> Recipient | None:
    """Whom to ask, unless this address was asked within the hour or another worker asks it."""
    with transaction.atomic():
        row = Recipient.objects.everywhere().select_related("domain").filter(pk=key).first()
        if row is None:
            return None
        same = Recipient.objects.everywhere().filter(address=row.address).order_by("pk")
        asked = [each.asked_at for each in same.select_for_update() if each.asked_at]
        if any(_lately(at, now) for at in asked):
            return None
        if _postponed(row.address, now):
            return None
        taken = same.filter(pk=key, asked_at=None, confirmed_at=None).update(asked_at=now)
    return row if taken else None


def _postponed(address: str, now: datetime) -> bool:
    """The hour goes on for an address that was asked and removed since: until then nobody asks it."""
    at = cache.get(_memory(address))
    if at is None or not _lately(datetime.fromtimestamp(at, UTC), now):
        return False
    waiting = Recipient.objects.everywhere().filter(address=address, asked_at=None, confirmed_at=None)
    waiting.update(due_at=datetime.fromtimestamp(at, UTC) + ASK_AGAIN)
    return True


def _memory(address: str) -> str:
    return f"recipients:asked:{hashlib.sha256(address.encode()).hexdigest()}"


def _failed(row: Recipient, error: Exception, now: datetime) -> None:
    """Try again later, and the other questions to this address no sooner; or give it up."""
    recipients = Recipient.objects.everywhere()
    tries = row.tries + 1
    given_up = sending.final(error) or tries >= sending.MOST_TRIES
    _log.warning(
        "recipient not asked", domain=row.domain.name, tries=tries, given_up=given_up, error=sending.told(error)
    )
    if given_up:
        recipients.filter(pk=row.pk).update(unreachable=True, tries=tries)
        return
    due_at = now + sending.wait(tries)
    recipients.filter(pk=row.pk).update(asked_at=None, tries=F("tries") + 1)
    recipients.filter(address=row.address, asked_at=None, confirmed_at=None).update(due_at=due_at)


def _question(row: Recipient) -> EmailMessage:
    label = labels.of(row.domain.organisation)
    panel = labels.root(label)
    facts: dict[str, Any] = {
        "person": row.created_by,
        "panel": panel,
        "domain": row.domain.unicode,
        "link": f"{panel}/recipients/confirm/{token_of(row)}/",
        "days": LINK_LIVES.days,
    }
    with translation.override(row.language):
        paragraphs: Iterable[str] = (
            _(
                "%(person)s asks whether this address wants a copy of each SMTP TLS report (RFC 8460) that "
                "%(panel)s receives about the mail domain %(domain)s."
            ),
            _("To get them, open this page within %(days)d days and confirm:"),
            "%(link)s",
            _("If you do not know what this is about, do nothing: nothing will be sent."),
        )
        subject = _("Copies of the TLS reports about %(domain)s") % facts
        body = "\n\n".join(paragraph % facts for paragraph in paragraphs) + "\n"
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(subject, body, labels.sender(label), to=[row.address], headers=headers)
