"""Invitations: an address is asked by mail to join an organisation in a role.

The link has 256 random bits, of which the table keeps a digest. It shows a page with a button, since mail scanners
follow links. Whoever holds the link reads the address's mail, and to them alone the page says whether there is an
account; whoever invites is told the same either way.

The link leads to the panel's own host, whatever label the mail bears. Whoever has a label's host may lead it to a
server of theirs, read there what was mailed to somebody they invited, and have an account for that mailbox by it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from trinco.panel import wall
from trinco.panel.accounts import labels
from trinco.panel.accounts.access import Access, access_to
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import (
    AlreadyMember,
    AskedLately,
    InvitationNotSent,
    InvitationRefused,
    TooManyInvitations,
)
from trinco.panel.accounts.models import AuditEntry, Invitation, Membership, Organisation, User
from trinco.panel.accounts.people import judged_anew, require_rank
from trinco.panel.accounts.roles import Deed, Role, rank
from trinco.panel.accounts.services import Details, address_of, create_account, hold_account, record

LIVES = timedelta(days=7)
MOST = 100
"""Addresses that may wait for an answer in one organisation."""
AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to be asked, and in what role."""

    email: str
    role: Role


def invite(*, access: Access, wanted: Wanted, actor: Actor) -> Invitation:
    """Ask an address; one that was asked before is asked anew, and the link of before opens nothing.

    Raises EmailSyntaxError, RankTooHigh, AlreadyMember, TooManyInvitations, AskedLately, InvitationNotSent.
    """
    row, token = _noted(access, Wanted(address_of(wanted.email), wanted.role), actor)
    _send(row, token)
    return row


def resend(*, invitation: Invitation, access: Access, actor: Actor) -> None:
    """The same once more, with a new link. Raises what `invite` raises."""
    invite(access=access, wanted=Wanted(invitation.email, Role(invitation.role)), actor=actor)


@transaction.atomic
def revoke(*, invitation: Invitation, access: Access, actor: Actor) -> None:
    """The link opens nothing from now on. Raises RankTooHigh."""
    require_rank(judged_anew(access), invitation.role)
    if Invitation.objects.of(invitation.organisation).filter(pk=invitation.pk).delete()[0]:
        _record("member.invitation-revoked", invitation, actor)


@wall.lifted()
def invitation_of(token: str) -> Invitation:
    """What a link is about: for the page that asks once more. Raises InvitationRefused."""
    rows = Invitation.objects.everywhere().select_related("organisation").filter(digest=_digest(token))
    row = rows.filter(expires_at__gt=timezone.now()).first()
    if row is None:
        raise InvitationRefused("unknown, used, taken back, or too old")
    return row


def has_account(invitation: Invitation) -> bool:
    """Whether the address signs in, or chooses a password first."""
    return User.objects.filter(email__iexact=invitation.email).exists()


@wall.lifted()
@transaction.atomic
def join(*, token: str, user: User, source: str) -> Organisation:
    """A person with an account says yes.

    Raises InvitationRefused, also where the link was meant for somebody else, and AccountGone.
    """
    hold_account(user)
    row = _taken(token)
    if user.email.lower() != row.email:
        raise InvitationRefused("meant for another address")
    _member, new = Membership.objects.get_or_create(
        organisation=row.organisation, user=user, defaults={"role": row.role}
    )
    if new:
        _joined(row, Actor(user.email, source))
    return row.organisation


@wall.lifted()
def joined_by(*, token: str, user: User) -> Organisation | None:
    """Where the person is a member and has joined by this very link; None: by another one, or it was somebody else's.
    A button is clicked twice, and a link opened again."""
    own = Membership.objects.filter(user=user).order_by().values("organisation")
    lines = AuditEntry.objects.everywhere().filter(organisation__in=own, subject=user.email.lower())
    joined = lines.filter(action="member.joined").select_related("organisation")
    return next((line.organisation for line in joined if line.after.get("link") == _mark(_digest(token))), None)


@wall.lifted()
@transaction.atomic
def join_anew(*, token: str, password: str | None, source: str) -> User:
    """The address gets an account with this password, whose strength is the caller's to judge; None: no login by one.

    Raises InvitationRefused, AccountExists.
    """
    row = _taken(token)
    user = create_account(email=row.email, password=password, organisation=row.organisation)
    Membership.objects.filter(user=user).update(role=row.role)
    _joined(row, Actor(user.email, source))
    return user


def _taken(token: str) -> Invitation:
    """Each link is good for once: of two who follow it at once the second finds nothing."""
    row = invitation_of(token)
    Organisation.objects.select_for_update(no_key=True).get(pk=row.organisation_id)
    if not Invitation.objects.everywhere().filter(pk=row.pk, digest=row.digest).delete()[0]:
        raise InvitationRefused("used")
    if not _may_still_ask(row):
        raise InvitationRefused("whoever sent it may not any more")
    return row


def _may_still_ask(row: Invitation) -> bool:
    """Whether the person who sent it could send it now."""
    person = User.objects.filter(email__iexact=row.invited_by, is_active=True).first()
    access = access_to(person, row.organisation_id) if person else None
    return access is not None and access.may(Deed.PEOPLE_MANAGE) and rank(access.role) >= rank(row.role)


@transaction.atomic
def _noted(access: Access, wanted: Wanted, actor: Actor) -> tuple[Invitation, str]:
    judged = judged_anew(access)
    require_rank(judged, wanted.role)
    locked = judged.organisation
    if Membership.objects.filter(organisation=locked, user__email__iexact=wanted.email).exists():
        raise AlreadyMember(wanted.email)
    rows, now = Invitation.objects.of(locked), timezone.now()
    held = rows.filter(email=wanted.email).first()
    if held is not None:
        require_rank(judged, held.role)
    if held.sent_at > now - AGAIN if held else _asked_lately(locked, wanted.email):
        raise AskedLately(wanted.email)
    if held is None and rows.count() >= MOST:
        raise TooManyInvitations(str(MOST))
    token = secrets.token_urlsafe(32)
    facts = {
        "role": wanted.role,
        "digest": _digest(token),
        "invited_by": actor.name,
        "language": (translation.get_language() or "en")[:10],
        "sent_at": now,
        "expires_at": now + LIVES,
    }
    row, _new = rows.update_or_create(organisation=locked, email=wanted.email, defaults=facts)
    _record("member.invited", row, actor, before={"role": held.role} if held else {})
    return row, token


def _asked_lately(organisation: Organisation, email: str) -> bool:
    """An invitation that was taken back has left its line in the log: asking again is no sooner possible by that."""
    lines = AuditEntry.objects.of(organisation).filter(at__gt=timezone.now() - AGAIN)
    return lines.filter(action="member.invited", subject=email).exists()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _mark(digest: str) -> str:
    """By which the log tells one link from another."""
    return digest[:16]


def _joined(row: Invitation, actor: Actor) -> None:
    after = {"role": str(row.role), "link": _mark(row.digest)}
    record(organisation=row.organisation, actor=actor, action="member.joined", subject=row.email, after=after)


def _record(action: str, row: Invitation, actor: Actor, before: dict[str, str] | None = None) -> None:
    told: Details = {"before": before or {}, "after": {"role": str(row.role)}}
    record(organisation=row.organisation, actor=actor, action=action, subject=row.email, **told)


def _send(row: Invitation, token: str) -> None:
    try:
        _mail(row, token).send()
    except (SMTPException, OSError) as error:
        raise InvitationNotSent(row.email) from error


def _mail(row: Invitation, token: str) -> EmailMessage:
    label = labels.of(row.organisation)
    home, panel = labels.root(None), labels.root(label)
    with translation.override(row.language):
        facts = {
            "person": row.invited_by,
            "organisation": row.organisation.name,
            "role": Role(row.role).label,
            "panel": panel,
            "product": labels.product(label),
            "link": f"{home}/invitations/{token}/",
            "host": urlsplit(home).hostname,
            "days": LIVES.days,
        }
        paragraphs: Iterable[str] = (
            _("%(person)s invites you to %(organisation)s on %(product)s (%(panel)s), in the role “%(role)s”."),
            _("To accept, open this page within %(days)d days:"),
            "%(link)s",
            *([_("The link leads to %(host)s, where %(product)s is run.")] if home != panel else ()),
            _("If you do not know what this is about, do nothing."),
        )
        subject = _("Invitation to %(organisation)s") % facts
        body = "\n\n".join(paragraph % facts for paragraph in paragraphs) + "\n"
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(" ".join(subject.split()), body, labels.sender(label), to=[row.email], headers=headers)
