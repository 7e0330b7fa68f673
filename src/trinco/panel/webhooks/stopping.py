"""Webhooks that are switched off by themselves, the mail about it, and what is forgotten after a while."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Final

import structlog
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _

from trinco.panel.accounts import labels
from trinco.panel.accounts.actors import TRINCO
from trinco.panel.accounts.models import Membership, Organisation, Role
from trinco.panel.accounts.services import record
from trinco.panel.webhooks.models import Delivery, Secret, Webhook

DAYS: Final = 5
"""After so many days without one success a webhook is switched off."""
LEAST: Final = 10
"""And so many failures in a row: few that lie far apart say little."""
KEPT: Final = timedelta(days=30)
"""How long a delivery that has ended stays in the log of deliveries."""
_AGAIN, _GIVEN_UP = timedelta(hours=1), timedelta(days=2)
_AT_ONCE: Final = 1000
_log = structlog.get_logger("trinco.webhooks")


def judge(hook: Webhook, now: datetime, *, gone: bool) -> bool:
    """Switch a webhook off whose server says that it is gone, or that fails for too long; in the caller's transaction.
    Whether it was."""
    long = hook.failing_since is not None and now - hook.failing_since >= timedelta(days=DAYS)
    if not gone and not (long and hook.failures >= LEAST):
        return False
    hook.on, hook.stopped_at, hook.stopped_why, hook.mail_due_at = False, now, "gone" if gone else "failing", now
    hook.save(update_fields=["on", "stopped_at", "stopped_why", "mail_due_at"])
    told = {"webhook": hook.name, "host": hook.host, "why": hook.stopped_why, "on": False}
    record(
        organisation=hook.organisation,
        actor=TRINCO,
        action="webhook.stopped",
        subject=hook.name,
        before={"on": True},
        after=told,
    )
    _log.warning("webhook switched off", host=hook.host, why=hook.stopped_why)
    return True


def tell_due(now: datetime) -> int:
    """Mail the people of webhooks that were switched off. How many mails; what cannot be sent is tried again hourly."""
    rows = Webhook.objects.everywhere().select_related("organisation").filter(mail_due_at__lte=now)
    return sum(_tell(hook, now) for hook in rows.order_by("mail_due_at")[:20])


def _tell(hook: Webhook, now: datetime) -> int:
    """First the next attempt is noted, so that no other worker writes as well."""
    mine = Webhook.objects.everywhere().filter(pk=hook.pk, mail_due_at=hook.mail_due_at)
    if not mine.update(mail_due_at=now + _AGAIN):
        return 0
    addresses, sent = _people(hook.organisation), 0
    try:
        for address in addresses:
            sent += _mail(hook, address).send()
    except (SMTPException, OSError) as error:
        _log.warning("mail about a webhook not sent", host=hook.host, error=f"{type(error).__name__}: {error}")
        if hook.stopped_at is not None and now - hook.stopped_at < _GIVEN_UP:
            return sent
    Webhook.objects.everywhere().filter(pk=hook.pk).update(mail_due_at=None)
    return sent


def _people(organisation: Organisation) -> list[str]:
    """Those who look after the organisation; where it has none of its own, its provider's."""
    managing = Membership.objects.filter(role__in=[Role.OWNER, Role.ADMIN], user__is_active=True)
    for key in (organisation.pk, organisation.parent_id):
        found = list(managing.filter(organisation=key).order_by("pk").values_list("user__email", flat=True))
        if found:
            return found
    return []


def _mail(hook: Webhook, address: str) -> EmailMessage:
    label = labels.of(hook.organisation)
    facts = {"name": hook.name, "host": hook.host, "organisation": hook.organisation.name, "days": DAYS}
    with translation.override(hook.language):
        gone = _("Its server at %(host)s says that the address is gone for good.")
        failing = _("For %(days)d days its server at %(host)s has taken nothing.")
        paragraphs: Iterable[str] = (
            _("The webhook “%(name)s” of %(organisation)s was switched off: nothing more is sent to it."),
            gone if hook.stopped_why == "gone" else failing,
            _("What was tried, and the switch, are here:"),
            f"{labels.root(label)}/o/{hook.organisation_id}/webhooks/{hook.pk}/",
        )
        subject = _("Webhook switched off: %(name)s") % facts
        body = "\n\n".join(paragraph % facts for paragraph in paragraphs) + "\n"
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(" ".join(subject.split()), body, labels.sender(label), to=[address], headers=headers)


def forget(now: datetime) -> int:
    """Take away deliveries that ended long ago, and secrets that sign no more. How many deliveries."""
    ended = Secret.objects.everywhere().filter(ends_at__lte=now)
    if ended.exists():
        ended.delete()
    rows = Delivery.objects.everywhere()
    old = list(rows.filter(ended_at__lt=now - KEPT).order_by("ended_at").values_list("pk", flat=True)[:_AT_ONCE])
    return rows.filter(pk__in=old).delete()[0] if old else 0
