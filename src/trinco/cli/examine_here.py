"""The parts of an installation that are on this machine: files, database, clock."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up
from trinco.panel import migrating

from django.db import DatabaseError, connection  # isort: skip - after the set-up
from django.utils import timezone

from trinco.cli.findings import Finding, error, ok, untested, warning
from trinco.config import Config
from trinco.edge.snapshot import SnapshotError, sole_user
from trinco.panel import wall, wall_tables
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.certificates import hosts
from trinco.panel.certificates.models import Account
from trinco.panel.checks import caa, schedule
from trinco.panel.domains.models import HostedDomain, MxSighting, Starttls, State
from trinco.panel.domains.services import SERVED
from trinco.panel.policies import imports
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, DeliveryState, Webhook

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SKEW = timedelta(minutes=5)
_RECENT = timedelta(days=2)
_LATE = timedelta(hours=1)
_WORKER = "see whether the worker runs (trinco serve, or trinco worker), and its log"
_CA_SKEW = 600
"""Seconds."""


def examine(settings: Config) -> Iterator[Finding]:
    """Every local part, one after the other."""
    yield files(settings.data)
    yield from secrets(settings.data)
    yield from orphaned(settings)
    reachable = database()
    yield reachable
    if reachable.verdict == "ok":
        yield from wall_of_tenants()
        yield clock()
        yield looks()
        yield from waited_for()
        yield outward_smtp()
        yield from webhooks()
        yield from authority(settings)
        yield own_certificate()


def token() -> str:
    """The token of a domain that is served; "": there is none, or no database that could say."""
    try:
        served = HostedDomain.objects.everywhere().filter(state__in=SERVED).order_by("pk")
        return served.values_list("label", flat=True).first() or ""
    except DatabaseError:
        return ""


def files(data: Path) -> Finding:
    """The data directory: there, writable, closed to others."""
    try:
        probe = data / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as problem:
        return error("data directory", f"{data}: {problem}", "make it writable for the user that runs Trinco")
    if data.stat().st_mode & _OTHERS:
        return warning("data directory", f"others on this machine may enter {data}", f"chmod 700 {data}")
    return ok("data directory", f"{data} is writable, and closed to others")


def secrets(data: Path) -> Iterator[Finding]:
    """Files with keys in them: nobody else may read them."""
    held = [path for folder in ("secrets", "ca") for path in sorted((data / folder).glob("*")) if path.is_file()]
    open_ones = [path for path in held if path.stat().st_mode & _OTHERS]
    if open_ones:
        names = ", ".join(str(path) for path in open_ones)
        yield error("keys", f"others on this machine may read {names}", f"chmod 600 {names}")
    elif held:
        yield ok("keys", f"{len(held)} files, readable by their owner alone")
    else:
        yield ok("keys", "none in the data directory")


def orphaned(settings: Config) -> Iterator[Finding]:
    """Accepted reports in the spool of an edge of another name, which no edge on this machine carries."""
    for directory in sorted((settings.data / "edge").glob("*")):
        count = len(list((directory / "spool").glob("*.spool")))
        if not count or directory.name == settings.edge_name:
            continue
        try:
            with sole_user(directory):
                seen = (
                    f"{count} files with accepted reports wait in {directory / 'spool'}, and no edge of this name runs"
                )
        except SnapshotError:  # it runs, and carries them
            continue
        advice = (
            f"stop this edge, run `TRINCO_EDGE_NAME={directory.name} trinco edge` until they are gone, start it again"
        )
        yield error("spool", seen, advice)


def database() -> Finding:
    """Reachable, and with every table."""
    try:
        behind = migrating.behind()
    except DatabaseError as problem:
        return error("database", str(problem).strip(), "start it, or correct TRINCO_DATABASE")
    if behind:
        return error("database", f"{len(behind)} migrations behind", "trinco migrate")
    return ok("database", f"{connection.vendor} answers, with every table")


def wall_of_tenants() -> Iterator[Finding]:
    """Whether PostgreSQL keeps tenants apart as well: SQLite has no such thing."""
    if connection.vendor != "postgresql":
        return
    missing = f"CREATE ROLE {wall.ROLE} NOLOGIN; GRANT {wall.ROLE} TO {connection.settings_dict['USER']};"
    if not wall_tables.member():
        yield warning(
            "wall", "PostgreSQL does not keep tenants apart: no role for it", f"{missing} then trinco migrate"
        )
    elif not wall_tables.bound():
        yield warning(
            "wall",
            f"no policy binds {wall.ROLE}: it is a superuser, has BYPASSRLS or owns the tables",
            "make it anew: it is NOLOGIN, and a member of no other role",
        )
    elif lacking := wall_tables.lacking():
        yield warning("wall", f"{len(lacking)} tables are not behind it: {lacking[0]}", "trinco migrate makes it whole")
    else:
        yield ok("wall", "PostgreSQL keeps tenants apart, whatever a page forgets")


def clock() -> Finding:
    """Never before what was already written: policy ids and certificates go by it."""
    newest = AuditEntry.objects.everywhere().order_by("-at").values_list("at", flat=True).first()
    if newest is not None and newest > timezone.now() + _SKEW:
        return error("clock", f"it is behind the newest entry of the log, {newest:%Y-%m-%d %H:%M} UTC", "set the clock")
    return ok("clock", f"{timezone.now():%Y-%m-%d %H:%M} UTC, not before anything in the log")


def looks() -> Finding:
    """Whether a worker looks at what is served: nothing on any page changes by itself while none does."""
    live = HostedDomain.objects.everywhere().filter(state=State.LIVE)
    if late := schedule.overdue(live, timezone.now()).count():
        seen = f"{late} of {live.count()} domains that are served were last looked at more than two hours ago"
        return error("looks", seen, _WORKER)
    return ok("looks", "no look at a domain that is served is overdue")


def waited_for() -> Iterator[Finding]:
    """Whether somebody waits in vain, at a page perhaps, for what a worker does; nothing may be served yet then."""
    domains, now = HostedDomain.objects.everywhere(), timezone.now()
    if many := schedule.unheeded(domains, now).count() + imports.unheeded(now).count():
        yield error("worker", f"{many} looks or imports have waited for more than two minutes", _WORKER)


def outward_smtp() -> Finding:
    """Whether mail servers could be reached at all lately: many networks close port 25 outward."""
    probed = MxSighting.objects.everywhere().filter(probed_at__gt=timezone.now() - _RECENT)
    results = set(probed.values_list("starttls", flat=True))
    if not results:
        return untested("mail servers", "none was probed in the last two days")
    if results == {Starttls.UNREACHABLE}:
        return warning(
            "mail servers", "none of those probed in the last two days answered", "see whether port 25 is open outward"
        )
    return ok("mail servers", "customers' mail servers can be reached from here")


def webhooks() -> Iterator[Finding]:
    """Whether those that are told of what happens hear of it."""
    part, now = "webhooks", timezone.now()
    hooks = Webhook.objects.everywhere()
    if shut := len(services.unopened(hooks.filter(on=True), now)):
        advice = "put the old key back into the key file, or have new secrets made on their pages"
        yield error(part, f"{shut} have a secret that no key opens: nothing is sent to them", advice)
    if stopped := hooks.filter(on=False, stopped_at__isnull=False).count():
        advice = "their organisations were told by mail; many at once: see whether port 443 is open outward"
        yield warning(part, f"{stopped} were switched off, since their servers took nothing", advice)
    waiting = Delivery.objects.everywhere().filter(state=DeliveryState.WAITING, webhook__on=True)
    if late := waiting.filter(created_at__lt=now - _LATE).count():
        advice = "see whether the worker runs, and what its log says of their hosts"
        yield warning(part, f"{late} deliveries have waited for more than an hour", advice)
    elif not (shut or stopped):
        yield ok(part, f"{hooks.filter(on=True).count()} are switched on, and nothing waits for long")


def authority(settings: Config) -> Iterator[Finding]:
    """Where certificates come from, as the worker has met it lately."""
    if not settings.acme_directory:
        yield ok("certificate authority", "the development CA, which nobody elsewhere trusts")
        return
    if not settings.http_listen:
        advice = "set TRINCO_HTTP_LISTEN, unless another machine has the edges"
        yield warning("challenges", "nothing here answers what an authority asks at port 80", advice)
    yield from named(settings)
    if not settings.acme_terms_agreed:
        yield warning("certificate authority", "its terms are not agreed to", "set TRINCO_ACME_TERMS_AGREED=on")
    else:
        yield _met(Account.objects.filter(directory=settings.acme_directory).first())


def named(settings: Config) -> Iterator[Finding]:
    """Whether the CAA records at our own policy hosts let the authority issue to us (RFC 8657)."""
    issuers = caa.issuers(settings, Account.objects.exclude(url="").values_list("url", flat=True))
    properties = [caa.parse(f'0 issue "{value}"') for value in settings.caa]
    if not settings.caa:
        yield error("CAA", "TRINCO_CAA is empty: nobody may issue", "name the authority in it: docs/certificates.md")
    elif issuers.accounts and not any(each and caa.names_us(each, issuers) for each in properties):
        advice = "see accounturi and validationmethods: docs/certificates.md"
        yield error("CAA", "no value of TRINCO_CAA lets an account of ours issue over http-01", advice)


def own_certificate() -> Finding:
    """Of the reports host and the mail hosts: without it reports do not arrive."""
    part, now = "own certificate", timezone.now()
    if trouble := hosts.trouble(now):
        return error(part, trouble, "see the log of the worker, and port 80 of every edge at these names")
    row = hosts.ours().filter(leaf__isnull=False).first()
    if row is None or row.not_after is None:
        return untested(part, "there is none yet: the worker gets it")
    return ok(part, f"{', '.join(row.names)}: until {row.not_after:%Y-%m-%d %H:%M} UTC")


def _met(account: Account | None) -> Finding:
    part = "certificate authority"
    if account is None or not account.url:
        return untested(part, "there is no account yet: the worker makes it")
    if account.away_since is not None:
        since = f"{account.away_since:%Y-%m-%d %H:%M} UTC"
        return warning(part, f"away since {since}: {account.problem}", "see whether it is down, or we are cut off")
    if abs(account.skew_seconds) > _CA_SKEW:
        return warning(part, f"its clock is {account.skew_seconds} seconds ahead of ours", "set the clock")
    return ok(part, f"{account.directory} knows us as {account.url}")
