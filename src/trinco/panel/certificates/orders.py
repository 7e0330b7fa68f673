"""Obtaining certificates by ACME: each order is a row, and goes on from wherever the last turn of any worker left it.

What an order's next step is, its authority says (RFC 8555 section 7.1.6), so that a crash between a request and the
note of it repeats a question and never a deed: the key and the request for the certificate are stored before the
authority is asked, the order's URL before anything is handed in, and one request is handed in however often it has to
be. `POINTS` names the moments at which a crash could matter; the tests crash at each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from cryptography import x509
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from trinco.core.errors import TrincoError
from trinco.net.acme import Conversation
from trinco.net.acme_words import AcmeFailure, CaRefused, CaUnavailable, Placed, RateLimited, Status
from trinco.panel import keyring
from trinco.panel.certificates import account as accounts
from trinco.panel.certificates import targets
from trinco.panel.certificates.account import Ca, Site, Talks
from trinco.panel.certificates.authority import Issued
from trinco.panel.certificates.errors import IssuanceFailed
from trinco.panel.certificates.models import Account, AccountKey, Order, Stage
from trinco.panel.certificates.terms import FARTHEST, LONGEST_HOLD, SLACK, Jitter
from trinco.panel.policies.gate import gate

AT_ONCE: Final = 50
"""Orders that one turn moves."""
LEASE: Final = timedelta(minutes=10)
"""Longer than a step takes with every request at its limit of time."""
WINDOW: Final = timedelta(hours=3)
"""In which new orders are counted."""
KEPT: Final = timedelta(days=8)
"""How long an ended order is kept, for the limits and for people."""
_SHORTEST_WAIT: Final = timedelta(seconds=2)
_LONGEST_WAIT: Final = timedelta(minutes=10)
_LIMIT_PAUSE: Final = timedelta(minutes=1)
"""The authority gives no more: what else there is waits so long before it is asked again."""
_REHEARSAL_PAUSE: Final = timedelta(hours=1)
_TOO_OLD: Final = timedelta(days=7)
"""An order that its authority never decides."""

POINTS: Final = (
    *("wanted", "asking", "asked", "placed", "telling", "told"),
    *("finalizing", "finalized", "downloading", "downloaded", "storing", "stored"),
)
"""The moments between two things that are done, in their order. What is asked of the authority lies between asking and
asked, telling and told, finalizing and finalized, downloading and downloaded."""

_log = structlog.get_logger("trinco.certificates")


class Superseded(TrincoError):
    """Another worker has the order by now: nothing more is written."""


def _nothing(_point: str) -> None:
    """Nobody watches."""


_talks = Talks(lambda site, key: Conversation(site.place, key))


@dataclass(frozen=True, slots=True)
class Desk:
    """What a turn works with."""

    now: datetime
    sites: tuple[Site, ...]
    talks: Talks = _talks
    jitter: Jitter = random.random
    reached: Callable[[str], None] = field(default=_nothing)
    """Called at each of `POINTS`."""

    def site(self, account: Account) -> Site | None:
        """The authority of an account; None: it is not among the settings any more."""
        return next((site for site in self.sites if site.place.directory == account.directory), None)


def desk(now: datetime, jitter: Jitter = random.random) -> Desk:
    """The desk of this installation."""
    return Desk(now, accounts.sites(settings.CONFIG), jitter=jitter)


def move_due(desk: Desk) -> int:
    """Move the orders whose time has come, each as far as it goes. How many certificates were stored."""
    far = desk.now + FARTHEST
    leased = Q(lease_until__gt=desk.now, lease_until__lte=desk.now + LEASE + SLACK)
    paused = Q(account__paused_until__gt=desk.now, account__paused_until__lte=far)
    due = Q(step_at__lte=desk.now) | Q(step_at__gt=far)
    pending = Order.objects.everywhere().filter(due, ended_at__isnull=True).exclude(leased | paused)
    keys = list(pending.order_by("step_at", "pk").values_list("pk", flat=True)[:AT_ONCE])
    return sum(move(key, desk) for key in keys)


def move(key: int, desk: Desk) -> int:
    """Move one order, unless another worker has it or its authority is left alone. 1: its certificate was stored."""
    order = _claimed(key, desk.now)
    if order is None:
        return 0
    try:
        return _moved(order, desk)
    except Superseded:
        return 0
    except TrincoError as error:
        _log.error("order cannot go on", host=order.host, problem=str(error))
        _fail(order, str(error), desk)
        return 0


def _moved(order: Order, desk: Desk) -> int:
    try:
        return _step(order, desk)
    except RateLimited as error:
        _hold_back(order, error, desk)
    except CaUnavailable as error:
        until = accounts.away(order.account, error, desk.now)
        _write(order, step_at=until, lease_until=None, problem=str(error)[:255])
    except CaRefused as error:
        _refused(order, error, desk)
    except AcmeFailure as error:
        _fail(order, str(error), desk)
    return 0


def _claimed(key: int, now: datetime) -> Order | None:
    orders = Order.objects.everywhere().filter(pk=key, ended_at__isnull=True)
    free = orders.filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now) | Q(lease_until__gt=now + LEASE + SLACK))
    order = free.select_related("account", "domain").first()
    if order is None or accounts.paused(order.account, now):
        return None
    if not free.filter(fence=order.fence).update(fence=F("fence") + 1, lease_until=now + LEASE):
        return None
    order.fence += 1
    return order


def _write(order: Order, **values: Any) -> None:
    """Write down, if the order is still ours. Raises Superseded."""
    mine = Order.objects.everywhere().filter(pk=order.pk, fence=order.fence, ended_at__isnull=True)
    if not mine.update(**values):
        raise Superseded(order.host)
    for name, value in values.items():
        setattr(order, name, value)


def _step(order: Order, desk: Desk) -> int:
    site = desk.site(order.account)
    if site is None or not targets.wanted(order, desk.now):
        _end(order, Stage.FAILED, desk.now, "no longer wanted")
        return 0
    ca = desk.talks(site, order.account, desk.now)
    placed = ca.look(order.url) if order.url else _placed(order, ca, site, desk)
    got = _further(order, ca, placed, site, desk)
    accounts.answered(order.account, ca.skew)  # last: one that answers the first question alone is away
    return got


def _further(order: Order, ca: Ca, placed: Placed, site: Site, desk: Desk) -> int:
    """What is to be done for an order that stands so."""
    if placed.status is Status.PENDING:
        return _tell(order, ca, placed, desk)
    if placed.status is Status.READY:
        placed = _finalized(order, ca, placed, desk)
    if placed.status is Status.VALID:
        return _rehearsed(order, desk) if site.rehearsal else _stored(order, ca, placed, desk)
    if placed.status is Status.INVALID:
        _fail(order, _why(ca, placed), desk)
    else:
        _wait(order, placed, desk)
    return 0


def _placed(order: Order, ca: Ca, site: Site, desk: Desk) -> Placed:
    """Order it. Where it was asked for before, and what came of it is not known, the order may be there already: it is
    looked for in the authority's list; one that keeps no list gives an open order of the same names again."""
    asked_before = order.asked_at is not None
    _write(order, asked_at=desk.now)
    desk.reached("asking")
    placed = _found(order, ca) if asked_before else None
    if placed is None:
        profile = site.profile if site.profile in ca.offer().profiles else ""
        placed = ca.order(order.names, replaces=order.replaces, profile=profile)
    desk.reached("asked")
    _write(order, url=placed.url, stage=Stage.PLACED, stage_at=desk.now, problem="")
    desk.reached("placed")
    return placed


def _found(order: Order, ca: Ca) -> Placed | None:
    """An open order of exactly these names that no row knows."""
    known = set(Order.objects.everywhere().filter(account=order.account).values_list("url", flat=True))
    wanted = frozenset(order.names)
    return next((placed for placed, names in ca.open_orders(known) if names == wanted), None)


def _tell(order: Order, ca: Ca, placed: Placed, desk: Desk) -> int:
    """Say that the challenges are met, once every edge can meet them; then wait for the authority to look."""
    if order.stage != Stage.TOLD and edges_have(order.revision, desk.now):
        desk.reached("telling")
        for authorization in placed.authorizations:
            challenge = ca.challenge(authorization)
            if challenge.waits:
                ca.tell(challenge)
        desk.reached("told")
        _write(order, stage=Stage.TOLD, stage_at=desk.now)
    _wait(order, placed, desk)
    return 0


def edges_have(revision: int, now: datetime) -> bool:
    """Whether every edge that an authority may ask has this revision and the account's thumbprint: as the gate has it
    for policies."""
    key = AccountKey.objects.values_list("revision", flat=True).first() or 0
    return gate(now).passed(max(revision, key))


def _finalized(order: Order, ca: Ca, placed: Placed, desk: Desk) -> Placed:
    if order.stage != Stage.FINALIZED:  # since when it is, says how long is waited for it
        _write(order, stage=Stage.FINALIZED, stage_at=desk.now)
    desk.reached("finalizing")
    placed = ca.finalize(placed, bytes(order.csr))
    desk.reached("finalized")
    return placed


def _stored(order: Order, ca: Ca, placed: Placed, desk: Desk) -> int:
    desk.reached("downloading")
    chain = ca.download(placed.certificate)
    desk.reached("downloaded")
    issued = _issued(order, chain)
    ask_at = desk.now + timedelta(minutes=60 * desk.jitter()) if ca.offer().renewal_info else None
    with transaction.atomic():
        desk.reached("storing")
        _write(order, stage=Stage.DONE, ended_at=desk.now, lease_until=None, sealed_key=b"", csr=b"", problem="")
        targets.store(order, issued, desk.now, desk.jitter, ask_at)
    desk.reached("stored")
    _log.info("certificate issued", host=order.host, issuer=issued.issuer, until=issued.not_after.isoformat())
    return 1


def _rehearsed(order: Order, desk: Desk) -> int:
    """The staging environment gave one, which nobody trusts: it is left there."""
    with transaction.atomic():
        _end(order, Stage.DONE, desk.now, "")
        targets.rehearsed(order, desk.now)
    _log.info("certificate rehearsed", host=order.host, directory=order.account.directory)
    return 0


def _issued(order: Order, chain: Sequence[bytes]) -> Issued:
    """What the authority gave, held against what was asked for. Raises IssuanceFailed."""
    key = keyring.current().open(bytes(order.sealed_key), order.host)
    certificates = [x509.load_der_x509_certificate(each) for each in chain]
    leaf = certificates[0]
    if leaf.public_key() != x509.load_der_x509_csr(bytes(order.csr)).public_key():
        raise IssuanceFailed("the authority gave a certificate of another key")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if set(names.get_values_for_type(x509.DNSName)) != set(order.names):
        raise IssuanceFailed("the authority gave a certificate of other names")
    return Issued.of(certificates, key, order.account.directory)


def _why(ca: Ca, placed: Placed) -> str:
    """What the authority says of a name that it could not prove."""
    problems = [ca.challenge(authorization).problem for authorization in placed.authorizations]
    return "; ".join(filter(None, [placed.problem, *problems])) or "the authority gave the order up"


# --- waiting, failing, ending ---------------------------------------------------------------------------------------


def _wait(order: Order, placed: Placed, desk: Desk) -> None:
    """Look again soon, and less often the longer it takes."""
    age = desk.now - order.stage_at
    if age > _TOO_OLD:
        _fail(order, "the authority never decided", desk)
        return
    wait = min(max(age / 4, _SHORTEST_WAIT), _LONGEST_WAIT)
    said = min(placed.retry_at or desk.now, desk.now + _LONGEST_WAIT)
    _write(order, step_at=max(desk.now + wait, said), lease_until=None)


def _hold_back(order: Order, error: RateLimited, desk: Desk) -> None:
    """The authority gives no more for now. An order that it has stays; one that it did not take comes again later."""
    until = min(error.retry_at or desk.now + timedelta(hours=1), desk.now + LONGEST_HOLD)
    facts = {"limited_until": until, "limit_problem": str(error)[:255]}
    Account.objects.filter(pk=order.account_id).update(paused_until=desk.now + _LIMIT_PAUSE, **facts)
    _log.warning("authority limits", host=order.host, problem=str(error), until=until.isoformat())
    site = desk.site(order.account)
    if site is not None and site.rehearsal:  # it is left alone for a while, and nobody waits for it
        Account.objects.filter(pk=order.account_id).update(paused_until=min(until, desk.now + _REHEARSAL_PAUSE))
        _end(order, Stage.FAILED, desk.now, str(error), asked_at=None)
        return
    if order.url:
        _write(order, step_at=until, lease_until=None, problem=str(error)[:255])
        return
    with transaction.atomic():
        _end(order, Stage.FAILED, desk.now, str(error), asked_at=None)
        targets.hold_back(order, str(error), until)


def _refused(order: Order, error: CaRefused, desk: Desk) -> None:
    if order.replaces and not order.url and free(order.account, desk.now) <= 0:  # it waits as a new order
        with transaction.atomic():
            _end(order, Stage.FAILED, desk.now, str(error), asked_at=None)
            targets.unadvised(order)
    elif order.replaces and not order.url:  # RFC 9773 section 5: whatever is wrong with it, the order can do without
        _write(order, replaces="", lease_until=None, problem=str(error)[:255])
    elif error.kind == "accountDoesNotExist":
        Account.objects.filter(pk=order.account_id).update(url="")
        _write(order, step_at=desk.now + _LIMIT_PAUSE, lease_until=None, problem=str(error)[:255])
    elif error.kind == "orderNotReady":
        _write(order, step_at=desk.now + _SHORTEST_WAIT, lease_until=None)
    else:
        _fail(order, str(error), desk)


def _fail(order: Order, problem: str, desk: Desk) -> None:
    with transaction.atomic():
        _end(order, Stage.FAILED, desk.now, problem)
        targets.postpone(order, problem, desk.now)


def _end(order: Order, stage: Stage, now: datetime, problem: str, **values: Any) -> None:
    ended: dict[str, Any] = {"stage": stage, "ended_at": now, "problem": problem[:255]}
    _write(order, **ended, lease_until=None, sealed_key=b"", csr=b"", **values)


def free(account: Account, now: datetime) -> int:
    """How many new orders the limit leaves at this moment."""
    return int(settings.CONFIG.acme_orders) - counted(account, now).count()


def counted(account: Account, now: datetime) -> QuerySet[Order]:
    """The orders that the limit counts: asked for within the window, or about to be."""
    rows = Order.objects.everywhere().filter(account=account, replaces="")
    return rows.filter(
        Q(asked_at__gt=now - WINDOW, asked_at__lte=now + SLACK) | Q(asked_at__isnull=True, ended_at__isnull=True)
    )


def forget(now: datetime) -> int:
    """Delete the orders that ended long ago."""
    return Order.objects.everywhere().filter(ended_at__lt=now - KEPT).delete()[0]
