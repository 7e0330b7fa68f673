"""From the click to every edge: a changed policy, body and id; and the start of a whole edge without its database.

Real processes throughout: `trinco edge` on loopback addresses of their own, one SQLite database, and a process that
publishes as the panel does. The edges are asked in turn, over HTTPS and DNS, until the last of them has the new one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.edge.installation import BASE, Edge, Installation, installed, until

from bench import harness
from bench.row import Better, Row
from trinco.core.hosting import Certificate, HostedDomain, NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.edge.snapshot import Store

DOMAIN = "correio.example"
CHANGES = 15
NAMES = 100_000


def rows(scratch: Path) -> Iterator[Row]:
    for count, floor, goal in ((1, 2.0, 1.0), (10, 5.0, 3.0)):
        directory = scratch / f"edges{count}"
        directory.mkdir()
        yield from _mode_change(directory, count, floor, goal)
    yield from _start(scratch)


def _mode_change(directory: Path, count: int, floor: float, goal: float) -> Iterator[Row]:
    with installed(directory, DOMAIN, edges=count) as made:
        made.do("announce")
        for edge in made.edges:
            edge.start(wait=False)
        until(lambda: len(made.do("edges")) == count and made.announced(DOMAIN), seconds=120)
        taken = [_change(made, number) for number in range(2, 2 + CHANGES)]
    edges = "one edge" if count == 1 else f"{count} edges"
    for what, seconds in zip(("body", "id"), zip(*taken, strict=True), strict=True):
        note = f"median of {CHANGES} changes, the slowest {max(seconds):.2f} s; all processes on this machine"
        yield Row(
            f"mode change to {what} everywhere, {edges}", median(seconds), "s", Better.LOWER, floor, goal, note=note
        )


def _change(made: Installation, number: int) -> tuple[float, float]:
    """Seconds from the click until every edge serves the body, and until every edge announces the id."""
    context, label, wanted = made.context(), made.labels[DOMAIN], f"mx: v{number}.".encode()
    clicked = time.perf_counter()
    new_id = made.do("publish", DOMAIN, number)
    for edge in made.edges:
        _wait(lambda edge=edge: wanted in (edge.body(DOMAIN, context) or b""))
    served = time.perf_counter()
    for edge in made.edges:
        _wait(lambda edge=edge: edge.policy_id(label) == new_id)
    return served - clicked, time.perf_counter() - clicked


def _wait(holds) -> None:
    while not holds():
        time.sleep(0.01)


def _start(scratch: Path) -> Iterator[Row]:
    """A whole edge, Django and all, whose database is away: from the command to the first answer, and what it holds."""
    directory = scratch / "start"
    directory.mkdir()
    with installed(directory, DOMAIN, edges=1) as made:
        edge = made.edges[0]
        _snapshot(directory / "edge" / edge.name, edge)
        made.do("close")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{made.database}{suffix}").unlink(missing_ok=True)
        taken = [_started(edge) for _ in range(harness.REPEATS)]
    seconds, used, held = (median(values) for values in zip(*taken, strict=True))
    note = f"`trinco edge` as a whole, from its snapshot, without its database; {seconds:.2f} s by the clock"
    yield Row(f"start to first answer, {NAMES:,} names, whole process", used, "s of CPU", Better.LOWER, 2, 1, note=note)
    yield Row(f"memory, {NAMES:,} names, whole process", held, "MiB", Better.LOWER, 400, 250)


def _started(edge: Edge) -> tuple[float, float, float]:
    """Seconds to the first answer, CPU seconds until then, and MiB a moment later."""
    began = time.perf_counter()
    edge.start(wait=False)
    _wait(lambda: edge.policy_id(_label(NAMES - 1)))
    took = time.perf_counter() - began
    assert edge.process is not None
    used = harness.cpu(edge.process.pid)
    time.sleep(1)
    held = harness.memory(edge.process.pid)
    edge.kill()
    return took, used, held


def _snapshot(directory: Path, edge: Edge) -> None:
    zone = Zone(Domain.trusted(BASE), (NameServer(f"ns1.{BASE}", (edge.address,)),), (edge.address,))
    chain = "c" * 64
    domains = {_label(number): _hosted(number, chain) for number in range(NAMES)}
    store = Store(directory)
    store.save(Publication(NAMES, zone, domains, {chain: (os.urandom(900),)}))
    store.close()


def _hosted(number: int, chain: str) -> HostedDomain:
    """As large as a real one: a P-256 leaf and its sealed key."""
    name = f"customer{number:06}.example"
    return HostedDomain(
        domain=Domain.trusted(name),
        label=_label(number),
        revision=number,
        policy=f"version: STSv1\r\nmode: enforce\r\nmx: mx1.{name}\r\nmx: mx2.{name}\r\nmax_age: 604800\r\n".encode(),
        policy_id=f"20260101T000000Z{number:08x}",
        tlsrpt=f"v=TLSRPTv1; rua=mailto:{_label(number)}@reports.{BASE}",
        certificate=Certificate(os.urandom(620), chain, os.urandom(170), 2_000_000_000),
    )


def _label(number: int) -> str:
    return f"l{number:025}"
