"""Who gets copies of the reports about a domain: addresses that were added by its owner and said yes themselves.

Adding writes a row; the worker mails the question, in the words of the person's language, at most one an hour to an
address however many domains ask it. The link in it is signed and good for a week; it shows a page with a button, since
mail scanners follow links.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from trinco.panel import clock
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import locked
from trinco.panel.reports.errors import AddressRefused, AlreadyRecipient, ConfirmationRefused, TooManyRecipients
from trinco.panel.reports.models import Recipient

MOST = 10
"""Recipients of one domain."""
ASK_AGAIN = timedelta(hours=1)
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
    if row.asked_at is not None and row.asked_at <= clock.now() - ASK_AGAIN:
        row.asked_at, row.language = None, _language()
        row.save(update_fields=["asked_at", "language"])
    return row


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


@transaction.atomic
def confirm_recipient(*, token: str, source: str = "") -> Recipient:
    """The address says yes. A second time changes nothing. `source`: the address that the request came from.

    Raises ConfirmationRefused.
    """
    row = recipient_of(token=token)
    if Recipient.objects.everywhere().filter(pk=row.pk, confirmed_at=None).update(confirmed_at=clock.now()):
        _record(row, Actor(row.address, source), "domain.recipient-confirmed")
    row.refresh_from_db()
    return row


@transaction.atomic
def remove_recipient(*, recipient: Recipient, actor: Actor) -> None:
    """No more copies, neither those that wait to be sent."""
    _record(recipient, actor, "domain.recipient-removed")
    Recipient.objects.everywhere().filter(pk=recipient.pk).delete()


def ask_due(now: datetime) -> int:
    """Mail the questions that were not mailed yet. How many. Raises OSError when the mail server does not take them."""
    waiting = Recipient.objects.everywhere().filter(asked_at=None, confirmed_at=None)
    asked = 0
    for key in list(waiting.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        asked += _ask(key, now)
    return asked


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


def _ask(key: int, now: datetime) -> int:
    """One question, unless this address was asked within the hour or another worker asks it."""
    with transaction.atomic():
        row = Recipient.objects.everywhere().select_related("domain").filter(pk=key).first()
        if row is None:
            return 0
        same = Recipient.objects.everywhere().filter(address=row.address).order_by("pk")
        asked = [each.asked_at for each in same.select_for_update() if each.asked_at]
        if any(at > now - ASK_AGAIN for at in asked):
            return 0
        if not same.filter(pk=key, asked_at=None, confirmed_at=None).update(asked_at=now):
            return 0
    try:
        _question(row).send()
    except Exception:
        Recipient.objects.everywhere().filter(pk=key).update(asked_at=None)
        raise
    _log.info("recipient asked", domain=row.domain.name)
    return 1


def _question(row: Recipient) -> EmailMessage:
    panel = str(settings.CONFIG.panel_url).rstrip("/")
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
    return EmailMessage(subject, body, to=[row.address], headers={"Auto-Submitted": "auto-generated"})
