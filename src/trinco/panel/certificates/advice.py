"""When an authority wants its certificates renewed (RFC 9773): asked twice a day, or as often as it says."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from trinco.net.acme_words import AcmeFailure, CaUnavailable, Window
from trinco.panel import clock
from trinco.panel.certificates import account as accounts
from trinco.panel.certificates import orders
from trinco.panel.certificates.account import Ca, Site
from trinco.panel.certificates.models import Account, Advised, Certificate, HostCertificate
from trinco.panel.certificates.orders import Desk
from trinco.panel.certificates.terms import FARTHEST, Jitter, chosen
from trinco.panel.domains.services import SERVED

AT_ONCE: Final = 200
OFTEN: Final = timedelta(hours=12)
"""Where the authority does not say how often."""
_SOONEST, _LATEST = timedelta(minutes=1), timedelta(days=1)
"""Bounds of what it may say (RFC 9773 section 4.3.2)."""
_AFTER_REFUSAL: Final = timedelta(hours=6)
"""RFC 9773 section 4.3.3."""
_AFTER_OUTAGE: Final = timedelta(hours=1)
_FEW: Final = 3
"""Questions in a row without an answer, after which no more are asked in this turn."""
_log = structlog.get_logger("trinco.certificates")


def ask_due(now: datetime, jitter: Jitter = random.random) -> int:
    """Ask about the certificates whose time has come. How many have another moment of renewal by now."""
    return ask(orders.desk(now, jitter))


def ask(desk: Desk) -> int:
    """As `ask_due`, at this desk."""
    moved = 0
    for site in desk.sites:
        account = accounts.account_of(site)
        rows = [] if accounts.paused(account, desk.now) else _due(account, desk.now)
        moved += _ask(rows, site, account, desk) if rows else 0
    return moved


def _due(account: Account, now: datetime) -> list[Certificate | HostCertificate]:
    """Never of a certificate that has ended (RFC 9773 section 4.3)."""
    when = clock.due("ask_due_at", now, FARTHEST)
    asked = {"directory": account.directory, "not_after__gt": now}
    theirs = Certificate.objects.everywhere().filter(when, domain__state__in=SERVED, **asked)
    ours = HostCertificate.objects.filter(when, leaf__isnull=False, **asked)
    return [*ours, *theirs.order_by("ask_due_at").defer("sealed_key")[:AT_ONCE]]


def _ask(rows: Iterable[Certificate | HostCertificate], site: Site, account: Account, desk: Desk) -> int:
    """One after the other; what is the same as before is written down for all at once."""
    moved, heard, same = 0, False, dict[datetime, list[int]]()
    try:
        ca = desk.talks(site, account, desk.now)
        for row, window in _windows(ca, rows, desk.now):
            heard = True
            if isinstance(row, Certificate) and window and (row.window_start, row.window_end) == _ends(window):
                same.setdefault(_next(window, desk.now), []).append(row.pk)
            else:
                moved += _take(row, window, desk)
        if heard:
            accounts.answered(account, ca.skew)
    except CaUnavailable as error:
        accounts.away(account, error, desk.now)
    except AcmeFailure as error:
        _log.warning("no renewal information", problem=str(error))
        account.paused_until = desk.now + timedelta(hours=1)
        account.save(update_fields=["paused_until"])
    for moment, keys in same.items():
        _unchanged(keys, moment)
    return moved


def _windows(
    ca: Ca, rows: Iterable[Certificate | HostCertificate], now: datetime
) -> Iterator[tuple[Certificate | HostCertificate, Window | None]]:
    """What it says of each. Where it does not answer it may take orders all the same: the rest is asked later."""
    out = 0
    for row in rows:
        if out >= _FEW:
            _again(row, now + _AFTER_OUTAGE)
            continue
        try:
            window = ca.window(bytes(row.leaf or b""))
        except AcmeFailure as error:
            _log.warning("no renewal information", problem=str(error))
            away = isinstance(error, CaUnavailable)
            out = out + 1 if away else 0
            _again(row, now + (_AFTER_OUTAGE if away else _AFTER_REFUSAL))
        else:
            out = 0
            yield row, window


def _unchanged(keys: Sequence[int], moment: datetime) -> None:
    Certificate.objects.everywhere().filter(pk__in=keys).update(ask_due_at=moment)


def _ends(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end


def _next(window: Window, now: datetime) -> datetime:
    wait = OFTEN if window.retry_at is None else window.retry_at - now
    return now + min(max(wait, _SOONEST), _LATEST)


def _again(row: Advised, moment: datetime | None) -> None:
    row.ask_due_at = moment
    row.save(update_fields=["ask_due_at"])


def _take(row: Certificate | HostCertificate, window: Window | None, desk: Desk) -> int:
    """A new window, and a moment in it. The same window keeps its moment, or it would be drawn until it is soon."""
    if window is None:
        _again(row, None)
        return 0
    if (row.window_start, row.window_end) == _ends(window):
        _again(row, _next(window, desk.now))
        return 0
    moment = chosen(*_ends(window), row.not_after or window.end, desk.jitter())
    if _hurries(row, window):
        row.hurried_at = desk.now
        _log.warning("renewal wanted early", directory=row.directory, explanation=window.explanation)
    row.window_start, row.window_end = _ends(window)
    row.ask_due_at = _next(window, desk.now)
    if isinstance(row, Certificate):
        row.renew_due_at = moment
    else:
        row.due_at = moment
    moment_field = "renew_due_at" if isinstance(row, Certificate) else "due_at"
    row.save(update_fields=["window_start", "window_end", "ask_due_at", "hurried_at", moment_field])
    return 1


def _hurries(row: Certificate | HostCertificate, window: Window) -> bool:
    """Whether it is wanted before a third of its life is over, or before what was said to be its window."""
    if row.window_start is not None:
        return window.end < row.window_start
    if row.not_before is None or row.not_after is None:
        return False
    return window.end < row.not_before + (row.not_after - row.not_before) / 3
