"""The label of a provider, which its clients inherit: how it looks, and the host of its own.

A host is a provider's once DNS says so: a TXT record at `_trinco.<host>` with a text that only this provider was given.
Several may claim a host, and a claim shuts nobody out; it goes to whose text stands there, and while that stands
nobody else gets it. Looks are `checks.label_hosts`; here is what follows from them.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from trinco.core.names import Domain
from trinco.panel.accounts import accents
from trinco.panel.accounts.actors import TRINCO, Actor
from trinco.panel.accounts.errors import HostRefused, NoLabel, OnlyProviders
from trinco.panel.accounts.logos import Picture
from trinco.panel.accounts.models import HostClaim, Label, Logo, Membership, Organisation, User
from trinco.panel.accounts.services import record

PRODUCT: Final = "Trinco"
RECORD: Final = "_trinco"
"""The label in front of a host at which its TXT record stands."""
GRACE: Final = timedelta(days=3)
"""How long a proof may be missing before the host is theirs no more."""
PICTURES: Final = ("logo", "logo_dark")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a label is to be. `pictures` has those of `PICTURES` that change; None: none from now on."""

    product: str
    accent: str = ""
    powered: bool = True
    pictures: Mapping[str, Picture | None] = field(default_factory=dict)


def of(organisation: Organisation) -> Label | None:
    """The label that an organisation's people see: its provider's, or its own. No query where `access` found it."""
    label: Label | None = getattr(organisation.parent or organisation, "label", None)
    return label


def own(organisation: Organisation) -> Label | None:
    """The label of this very organisation, as it is in the table now."""
    return Label.objects.filter(organisation=organisation).first()


def at(host: str) -> Label | None:
    """The label whose host this is: lower case, no final dot."""
    return Label.objects.select_related("organisation").filter(host=host).first()


def of_person(user: User, here: Label | None = None) -> Label | None:
    """The label under which a person is written to: that of the host they came by, if they belong there, or else that
    of their oldest membership."""
    rows = Membership.objects.filter(user=user).order_by("pk")
    rows = rows.select_related("organisation__label", "organisation__parent__label")
    if here is not None and rows.filter(organisation__in=Organisation.objects.filter(family(here))).exists():
        return here
    first = rows.first()
    return of(first.organisation) if first else None


def family(label: Label) -> Q:
    """The organisations that the label is for."""
    return Q(pk=label.organisation_id) | Q(parent=label.organisation_id)


def covers(label: Label, organisation: Organisation) -> bool:
    """Whether it is for this organisation."""
    return label.organisation_id in (organisation.pk, organisation.parent_id)


def product(label: Label | None) -> str:
    """The name that stands on pages and in mails."""
    return label.product if label else PRODUCT


def root(label: Label | None) -> str:
    """The pages' address for whoever has this label, without a slash at the end: its host's, once it is proven."""
    panel = str(settings.CONFIG.panel_url).rstrip("/")
    if label is None or not label.host:
        return panel
    return urlsplit(panel)._replace(netloc=netloc(label.host)).geturl()


def root_of(user: User, label: Label | None) -> str:
    """The same for links that open this person's account: the label's host only where all that they belong to is its
    provider's. Whoever has the host may lead it to a server of theirs, and read there what a mail's link says."""
    if label is None or not label.host:
        return root(None)
    theirs = Organisation.objects.filter(family(label))
    others = Membership.objects.filter(user=user).exclude(organisation__in=theirs).exists()
    return root(None if others else label)


def netloc(host: str) -> str:
    """The host as an address has it: with the port that the panel's own has."""
    port = urlsplit(settings.CONFIG.panel_url).port
    return f"{host}:{port}" if port else host


def sender(label: Label | None) -> str:
    """From whom a mail is: our address, under the label's name."""
    address = settings.DEFAULT_FROM_EMAIL
    return formataddr((label.product, parseaddr(address)[1])) if label else address


@transaction.atomic
def change(*, organisation: Organisation, wanted: Wanted, actor: Actor) -> Label:
    """Have the provider's label be so. Raises OnlyProviders, AccentSyntaxError, AccentTooFaint."""
    accent = accents.parse(wanted.accent) if wanted.accent else ""
    if accent:
        accents.require(accent)
    row = _provider(organisation)
    label = own(row) or Label(organisation=row)
    before = _told(label)
    label.product, label.accent, label.powered = wanted.product, accent, wanted.powered
    for name, picture in wanted.pictures.items():
        setattr(label, name, _kept(row, picture))
    after = _told(label)
    if before != after or label.pk is None:
        label.save()
        _forget_pictures(label)
        record(organisation=row, actor=actor, action="label.changed", subject=row.name, before=before, after=after)
    return label


@transaction.atomic
def show_picture(*, organisation: Organisation, name: str, picture: Picture | None, actor: Actor) -> Label:
    """Have this one of `PICTURES` be so, None: none, and all else stay. Raises OnlyProviders, NoLabel."""
    row = _provider(organisation)
    label = own(row)
    if label is None:
        raise NoLabel(row.name)
    wanted = Wanted(label.product, label.accent, label.powered, {name: picture})
    return change(organisation=organisation, wanted=wanted, actor=actor)


@transaction.atomic
def remove(*, organisation: Organisation, actor: Actor) -> None:
    """Trinco's own name and look again, and no host."""
    row = _provider(organisation)
    label = own(row)
    if label is None:
        return
    record(organisation=row, actor=actor, action="label.removed", subject=row.name, before=_told(label))
    HostClaim.objects.of(row).delete()
    Logo.objects.of(row).delete()
    label.delete()


@transaction.atomic
def claim(*, organisation: Organisation, name: Domain, actor: Actor) -> HostClaim:
    """Want this host: it is theirs once its TXT record is found. Raises OnlyProviders, HostRefused."""
    host = str(name)
    if _ours(host):
        raise HostRefused(host)
    row = _provider(organisation)
    held = HostClaim.objects.of(row).first()
    if held is not None and held.host == host:
        return held
    _give_up(row)
    made = HostClaim.objects.of(row).create(organisation=row, host=host, token=secrets.token_hex(16))
    _record_host("label.host-claimed", row, actor, host)
    return made


@transaction.atomic
def release(*, organisation: Organisation, actor: Actor) -> None:
    """No host of its own any more, at once."""
    row = _provider(organisation)
    held = HostClaim.objects.of(row).first()
    if held is not None:
        _give_up(row)
        _record_host("label.host-removed", row, actor, held.host)


def claim_of(organisation: Organisation) -> HostClaim | None:
    """The host that the provider wants, proven or not."""
    return HostClaim.objects.of(organisation).first()


def proof(claim: HostClaim) -> tuple[str, str]:
    """Name and text of the TXT record."""
    return f"{RECORD}.{claim.host}", f"trinco-host={claim.token}"


@transaction.atomic
def note(claim: HostClaim, texts: Collection[str], now: datetime) -> None:
    """DNS answered with these TXT records at the claim's name. For the worker: outside the wall."""
    row = HostClaim.objects.everywhere().select_for_update().filter(pk=claim.pk, host=claim.host).first()
    label = Label.objects.select_related("organisation").filter(organisation=claim.organisation_id).first()
    if row is None or label is None:
        return
    there = proof(row)[1] in texts
    row.looked_at, row.found_at = now, now if there else row.found_at
    row.taken = there and not _give(label, row, texts)
    if not there and label.host == row.host and (row.found_at is None or row.found_at < now - GRACE):
        _take_away(label)
    row.save(update_fields=["looked_at", "found_at", "taken"])


def _give(label: Label, row: HostClaim, texts: Collection[str]) -> bool:
    """Whether the host is theirs: also where the one who had it does not show its text any more."""
    if label.host == row.host:
        return True
    holder = Label.objects.select_related("organisation").filter(host=row.host).first()
    if holder is not None:
        theirs = HostClaim.objects.everywhere().filter(organisation=holder.organisation_id, host=row.host).first()
        if theirs is not None and proof(theirs)[1] in texts:
            return False
        _take_away(holder)
    label.host = row.host
    label.save(update_fields=["host"])
    _record_host("label.host-proven", label.organisation, TRINCO, row.host)
    return True


def _take_away(label: Label) -> None:
    host, label.host = str(label.host), None
    label.save(update_fields=["host"])
    _record_host("label.host-lost", label.organisation, TRINCO, host)


def _give_up(row: Organisation) -> None:
    HostClaim.objects.of(row).delete()
    Label.objects.filter(organisation=row).update(host=None)


def _provider(organisation: Organisation) -> Organisation:
    """Its row, held. Raises OnlyProviders."""
    row = Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    if row.parent_id is not None:
        raise OnlyProviders(row.name)
    return row


def _ours(host: str) -> bool:
    config = settings.CONFIG
    panel = urlsplit(config.panel_url).hostname or ""
    return host in (panel, *settings.ALLOWED_HOSTS) or any(
        host == each or host.endswith(f".{each}") for each in (str(config.base), config.reports_host)
    )


def _record_host(action: str, row: Organisation, actor: Actor, host: str) -> None:
    record(organisation=row, actor=actor, action=action, subject=row.name, after={"host": host})


def _told(label: Label) -> dict[str, str | bool]:
    """What the log says of it."""
    seen = {name: getattr(label, name)[:12] for name in PICTURES}
    return {"product": label.product, "accent": label.accent, "powered": label.powered, **seen}


def _kept(row: Organisation, picture: Picture | None) -> str:
    if picture is None:
        return ""
    Logo.objects.of(row).get_or_create(organisation=row, digest=picture.digest, defaults={"png": picture.png})
    return picture.digest


def _forget_pictures(label: Label) -> None:
    shown = [getattr(label, name) for name in PICTURES]
    Logo.objects.of(label.organisation).exclude(digest__in=shown).delete()
