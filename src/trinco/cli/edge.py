"""`trinco edge`: the listeners for strangers, which go on whatever happens to the rest."""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import re
import resource
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import typer
from django.conf import settings
from django.db import connections

from trinco.cli import orm
from trinco.cli.place import reached, shown
from trinco.cli.secondaries import Following, latest
from trinco.cli.status import watched
from trinco.config import Config, ConfigError, Endpoint
from trinco.core.names import Domain
from trinco.edge import challenge_host, dnsd, front_host, maild, mailtls, metrics, peers, policy_host
from trinco.edge.carrier import carrying
from trinco.edge.intake import OPEN_HANDED, Intake
from trinco.edge.node import Doors, Node, Opener, World, run
from trinco.edge.ports import Feed, Unsealer
from trinco.edge.report_host import ReportDoor
from trinco.edge.serving import Serving
from trinco.edge.snapshot import Store, sole_user
from trinco.edge.spool import Spool
from trinco.edge.tally import Tally
from trinco.net import https
from trinco.panel import keyring
from trinco.panel.feeds import DatabaseFeed, DatabaseInbox

log = structlog.get_logger("trinco.edge")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FILES = 65_536
_OWN_FETCH = https.Limits(seconds=5.0)
_DATABASE_SECONDS = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("edge")(edge)


def edge() -> None:
    """The name server of the zone, the policy host and the doors for reports. Goes on, and starts, without the database
    once it knew it.

    There may be several, on several machines, each with a TRINCO_EDGE_NAME of its own and with the same seal key.
    """
    config: Config = settings.CONFIG
    directory = _directory(settings.DATA, config.edge_name)
    _take_files()
    _do_not_wait_long_for_the_database()
    try:
        sight = metrics.Sight(Tally())
        with sole_user(directory) as identity, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            feed = DatabaseFeed(config.edge_name, config.zone, identity, config.edge_addresses)
            doors = Listeners(config, directory / "spool", keyring.unseal, sight)
            runner.run(_serve(_work(feed, Store(directory), _world(config, doors), sight)))
    except OSError as error:
        raise orm.ended(f"the edge cannot listen: {error}", orm.EXIT_UNTESTED) from error


def _directory(data: Path, name: str) -> Path:
    """Where this edge keeps its snapshots. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError("TRINCO_EDGE_NAME: wants up to 64 letters, digits, dots, hyphens and underscores")
    return data / "edge" / name


async def _serve(working: Coroutine[Any, Any, None]) -> None:
    """Be an edge until SIGTERM or SIGINT."""
    work = asyncio.ensure_future(working)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _once(work.cancel))
    try:
        await work
    except asyncio.CancelledError:
        log.info("edge.ended")


def _once(end: Callable[[], Any]) -> Callable[[], None]:
    """A second signal does not disturb the end that is under way."""
    ends = [end]
    return lambda: ends.pop()() if ends else None


async def _work(feed: Feed, store: Store, world: World, sight: metrics.Sight) -> None:
    role = metrics.EdgeRole(sight)
    async with watched(role, settings.CONFIG.edge_status_listen), run(feed, store, world) as node:
        sight.node = node
        _tell(node)
        gc.collect()
        gc.freeze()  # what was loaded stays: never look through it again
        await asyncio.Event().wait()


def _tell(node: Node) -> None:
    """The line that says that this edge answers, and where."""
    doors = node.doors
    every = (doors.policy, doors.dns, doors.mail, doors.challenges, doors.front)
    policy, dns, mail, challenges, front = (", ".join(map(shown, endpoints)) for endpoints in every)
    reports = f", reports by mail at {mail}" if mail else ""
    reports += f", challenges at {challenges}" if challenges else ""
    reports += f", a front at {front}" if front else ""
    stale = "" if node.stale_since is None else "; the database is away, this is from the snapshot"
    typer.echo(f"Ready: policies at {policy}, DNS at {dns}{reports}, revision {node.held.revision}{stale}")


def _world(config: Config, doors: Opener) -> World:
    async def outrun(revision: int) -> bool:
        return await peers.newer(config.zone, revision, config.authority_port)

    own_fetch = OwnFetch(settings.DATA / "ca.pem", config.acme_ca_file)
    return World(config.zone, doors, own_fetch, outrun, latest=partial(latest, config))


class Listeners:
    """An `edge.node.Opener`: opens all doors of this edge, and the spool behind those for reports."""

    def __init__(self, config: Config, spool: Path, unseal: Unsealer, sight: metrics.Sight | None = None) -> None:
        self._config = config
        self._spool = spool
        self._unseal = unseal
        self._sight = sight or metrics.Sight(Tally())

    @asynccontextmanager
    async def __call__(self, serving: Serving, admit: Callable[[], bool]) -> AsyncIterator[Doors]:
        config, spool, host = self._config, Spool(self._spool), self._config.reports_host
        desk = Intake(serving.takes_reports, spool, OPEN_HANDED if config.playground else None)
        reports = ReportDoor(desk, host)
        following = Following(config, serving)
        async with (  # the policy host opens first and closes last: no id without its body (RFC 8461 section 8.1)
            carrying(spool, DatabaseInbox(), desk.untold) as carrier,
            policy_host.listen(
                serving.table,
                config.policy_listen,
                unseal=self._unseal,
                admit=admit,
                reports=reports,
                tally=self._sight.tally,
            ) as policy,
            front_host.listen(serving.table, config.front_listen, admit=admit) as front,
            challenge_host.listen(serving.table, config.http_listen) as challenges,
            dnsd.listen(serving.answers, config.dns_listen, transfers=following.transfers) as dns,
            following.told(),
            mailtls.kept(serving.table, host, self._unseal) as tls,
            maild.listen(desk, config.smtp_listen, reports_host=host, tls=tls) as mail,
        ):
            sight = self._sight
            sight.serving, sight.desk, sight.spool, sight.carrier = serving, desk, spool, carrier
            yield Doors(dns, policy, mail, challenges, front)


class OwnFetch:
    """Fetches a policy from our own listener as a sender would. Trusts the system's roots, the development CA's, and
    those of an authority of the operator's own (`more`)."""

    def __init__(self, root: Path, more: Path | None = None) -> None:
        self._root = root
        self._more = more
        self._made_of = 0
        self._context: ssl.SSLContext | None = None

    async def __call__(self, domain: Domain, endpoint: Endpoint) -> bytes:
        return await https.fetch_policy(domain, *reached(endpoint), self._trusting(), _OWN_FETCH)

    def _trusting(self) -> ssl.SSLContext:
        """The context, with the development root as it is now: the first certificate may make it."""
        with suppress(OSError):  # no root, or none that can be read: the fetch then says that nothing is trusted
            root = self._root.stat().st_mtime_ns
            if root != self._made_of:
                self._context, self._made_of = _trusting(self._root, self._more), root
        self._context = self._context or _trusting(self._more)
        return self._context


def _trusting(*roots: Path | None) -> ssl.SSLContext:
    context = https.context()
    for root in roots:
        if root is not None:
            context.load_verify_locations(root)
    return context


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed (the extra `fast`)."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


def _take_files() -> None:
    """As many open files as the system lets us have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _do_not_wait_long_for_the_database() -> None:
    """A lease is ten seconds: a database that does not answer by then is as good as away."""
    mine = connections.settings["default"]
    options: dict[str, Any] = dict(mine.get("OPTIONS", {}))
    if mine["ENGINE"].endswith("sqlite3"):
        options["timeout"] = _DATABASE_SECONDS
    else:
        options |= {"connect_timeout": _DATABASE_SECONDS, "tcp_user_timeout": _DATABASE_SECONDS * 1000}
    mine["OPTIONS"] = options
