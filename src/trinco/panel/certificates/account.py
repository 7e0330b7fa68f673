"""Our accounts at certificate authorities: one key, one account at each (RFC 8555 section 7.3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from django.db import transaction

from trinco.config import Config
from trinco.net import acme
from trinco.net.acme_words import (
    AccountRefused,
    Binding,
    CaRefused,
    CaUnavailable,
    Challenge,
    Offer,
    Place,
    Placed,
    Registration,
    Window,
)
from trinco.panel import keyring
from trinco.panel.certificates.models import Account, AccountKey
from trinco.panel.certificates.terms import FARTHEST, LONGEST_HOLD
from trinco.panel.domains.services import next_revision

KEY_NAME: Final = "acme-account"
"""Under which the account key is sealed."""
_KEY_ROW: Final = 1
_LONGEST_PAUSE: Final = timedelta(hours=1)
_FOR_THE_OPERATOR: Final = timedelta(minutes=5)
"""How long it takes at most until a changed setting is noticed."""
_SKEW_TOLD: Final = 60
"""Seconds by which the difference of two clocks must change to be written down."""
_SKEW_BAD: Final = 600
"""Seconds: signatures do not mind, but the moments that an authority names do."""
_KEPT: Final = 3600.0
"""Seconds that a conversation is used: then the directory is read anew."""
_log = structlog.get_logger("trinco.certificates")


class Ca(Protocol):
    """One account at one authority: `net.acme.Conversation`, and what stands for it in tests."""

    @property
    def skew(self) -> timedelta | None: ...

    def offer(self) -> Offer: ...

    def register(self, who: Registration) -> str: ...

    def use(self, account: str) -> None: ...

    def order(self, names: Sequence[str], *, replaces: str = "", profile: str = "") -> Placed: ...

    def open_orders(self, known: Container[str]) -> Iterator[tuple[Placed, frozenset[str]]]: ...

    def look(self, order: str) -> Placed: ...

    def challenge(self, authorization: str) -> Challenge: ...

    def tell(self, challenge: Challenge) -> None: ...

    def finalize(self, order: Placed, csr: bytes) -> Placed: ...

    def download(self, certificate: str) -> tuple[bytes, ...]: ...

    def window(self, leaf: bytes) -> Window | None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """An authority, and who we are there."""

    place: Place
    who: Registration
    profile: str = ""
    rehearsal: bool = False
    """A staging environment: its certificates are never served. It is asked whether a name would get one."""


Opener = Callable[[Site, bytes], Ca]
"""A conversation with an authority by an account key (PKCS #8 DER)."""


def sites(config: Config) -> tuple[Site, ...]:
    """The authorities of an installation: the first, the second where there is one, and the staging environment."""
    named = (
        (config.acme_directory, config.acme_eab_kid, config.acme_eab_key),
        (config.acme_fallback_directory, config.acme_fallback_eab_kid, config.acme_fallback_eab_key),
        (config.acme_staging_directory, "", ""),
    )
    return tuple(
        Site(
            Place(directory, config.acme_ca_file),
            Registration(config.acme_contact, config.acme_terms_agreed, Binding(kid, key) if kid else None),
            config.acme_profile,
            rehearsal=directory == config.acme_staging_directory,
        )
        for directory, kid, key in named
        if directory
    )


def account_key(now: datetime) -> AccountKey:
    """The key of all our accounts, made where there is none; the edges get its thumbprint with the next revision."""
    held = AccountKey.objects.filter(pk=_KEY_ROW).first()
    return held or _made(now)


@transaction.atomic
def _made(now: datetime) -> AccountKey:
    revision = next_revision()  # first: whoever makes one at the same time waits here
    key = acme.new_key()
    facts = {
        "sealed_key": keyring.current().seal(key, KEY_NAME),
        "thumbprint": acme.thumbprint(key),
        "revision": revision,
        "made_at": now,
    }
    return AccountKey.objects.get_or_create(pk=_KEY_ROW, defaults=facts)[0]


def account_of(site: Site) -> Account:
    """Our row at an authority."""
    return Account.objects.get_or_create(directory=site.place.directory)[0]


class Talks:
    """Conversations that go on: one for each authority and thread, for an hour."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._open = threading.local()

    def __call__(self, site: Site, account: Account, now: datetime) -> Ca:
        """The conversation, with our account in use; it is registered where it is not. Raises AcmeFailure."""
        key = account_key(now)
        kept: dict[tuple[str, str], tuple[float, Ca]] = self._open.__dict__.setdefault("kept", {})
        name = (site.place.directory, key.thumbprint)
        since, ca = kept.get(name, (0.0, None))
        if ca is None or time.monotonic() - since > _KEPT:
            ca = self._opener(site, keyring.current().open(bytes(key.sealed_key), KEY_NAME))
            kept[name] = (time.monotonic(), ca)
        enter(ca, site, account)
        return ca


def enter(ca: Ca, site: Site, account: Account) -> None:
    """Speak as our account, which is registered where it is not. Raises AcmeFailure."""
    if account.url:
        ca.use(account.url)
        return
    offer = ca.offer()
    if offer.terms and not site.who.agreed:
        raise AccountRefused(f"it has terms of service: agree with TRINCO_ACME_TERMS_AGREED=on ({offer.terms})")
    if offer.binding_required and site.who.binding is None:
        raise AccountRefused("it wants an account that you have there already: set TRINCO_ACME_EAB_KID")
    try:
        account.url = ca.register(site.who)
    except CaRefused as error:  # no name's fault
        raise AccountRefused(f"it gives us no account: {error}") from error
    account.save(update_fields=["url"])
    _log.info("account registered", directory=account.directory, account=account.url)


def paused(account: Account, now: datetime) -> bool:
    """Whether the authority is left alone for now."""
    return account.paused_until is not None and now < account.paused_until <= now + FARTHEST


def answered(account: Account, skew: timedelta | None) -> None:
    """The authority has answered: all is well with it."""
    changed = []
    if account.away_since is not None or account.failures:
        _log.info("authority back", directory=account.directory)
        account.away_since, account.failures, account.problem, account.refused = None, 0, "", False
        changed += ["away_since", "failures", "problem", "refused"]
    seconds = account.skew_seconds if skew is None else round(skew.total_seconds())
    if abs(seconds - account.skew_seconds) > _SKEW_TOLD:
        account.skew_seconds = seconds
        changed.append("skew_seconds")
        if abs(seconds) > _SKEW_BAD:
            _log.warning("clocks differ", directory=account.directory, ahead_seconds=seconds)
    if changed:
        account.save(update_fields=changed)


def away(account: Account, error: CaUnavailable, now: datetime) -> datetime:
    """The authority has not answered: leave it alone for a while, longer each time, an hour at most. Until when."""
    if account.away_since is None:
        _log.warning("authority away", directory=account.directory, problem=str(error))
        account.away_since = now
    wait = min(timedelta(minutes=1) * (1 << min(account.failures, 6)), _LONGEST_PAUSE)
    account.refused = isinstance(error, AccountRefused)
    wait = _FOR_THE_OPERATOR if account.refused else wait
    said = now if error.retry_at is None else min(error.retry_at, now + LONGEST_HOLD)
    account.failures += 1
    account.problem = str(error)[:255]
    account.paused_until = max(now + wait, said)
    account.save(update_fields=["away_since", "failures", "problem", "refused", "paused_until"])
    return account.paused_until
