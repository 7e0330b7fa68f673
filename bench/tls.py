"""The policy host beside nginx and uvicorn: full TLS 1.3 handshakes with one GET each, memory, start, a flood of names.

What is compared is requests in a second of the server's CPU time, which a busy machine and a full client do not change
much. The two servers of a row run side by side on one core and are driven in turn, so that what else the machine does
falls on both. The load client is tlsload.c; it needs gcc and libssl-dev.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import tlspeers
from bench.harness import REPEATS, SECONDS, Load, Measured, measure, memory, pinned, program, server
from bench.nameservers import free_port, listens
from bench.row import Better, Missing, Row
from bench.tlscerts import FORMAT, Mint, mint, widened
from bench.tlspeers import Peer
from trinco.core.hosting import Publication
from trinco.edge.limits import Limits
from trinco.edge.snapshot import Store

CONNECTIONS = 16
UNKNOWN = "mta-sts.u%06d.example"
NOTE = f"{CONNECTIONS} connections, {REPEATS} x {SECONDS} s each in turn"
Start = Callable[[Path, int], Peer]
"""Prepares a server in a directory of its own, for a port."""


def rows(scratch: Path) -> Iterator[Row]:
    bench = Bench(scratch, compiled(scratch), mint(scratch / "certificates"))
    published = bench.mint.publication(10_000)
    for count in (1_000, 10_000):
        yield from bench.resident(published, count)
    yield from bench.cold(published)
    yield from bench.many(widened(published, 100_000))
    yield bench.flood(published)
    yield bench.beside_uvicorn(published)


def compiled(scratch: Path) -> str:
    """The load client. Raises Missing."""
    source, made = Path(__file__).with_name("tlsload.c"), scratch / "tlsload"
    argv = [program("gcc"), "-O2", "-rdynamic", "-o", str(made), str(source), "-lssl", "-lcrypto"]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        raise Missing("the TLS load client does not compile: apt-get install libc6-dev libssl-dev")
    return str(made)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    peer: Peer
    pid: int
    port: int
    log: Path

    @property
    def decoded(self) -> float:
        """When one of ours had its snapshot in memory, on the monotonic clock."""
        return float(self.log.read_text().split()[1])


@dataclass(frozen=True, slots=True)
class Said:
    """What the load client prints."""

    done: int
    seconds: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Bench:
    scratch: Path
    client: str
    mint: Mint

    # Rows.

    def resident(self, published: Publication, count: int) -> Iterator[Row]:
        """Every certificate in memory, here and there; then what we hold with our usual number of contexts."""
        part = part_of(published, count)

        def peer(directory: Path, port: int) -> Peer:
            return tlspeers.nginx_blocks(directory, self.mint, count, port)

        with ExitStack() as stack:
            theirs = stack.enter_context(self.running(peer))
            ours = stack.enter_context(self.running(self.ours(part, max(count, Limits().contexts))))
            self.warm(ours, count)
            first, second = self.in_turn(ours, theirs, count)
            note = (
                f"{NOTE}; {ours.peer.name} {memory(ours.pid):.0f} MiB, {theirs.peer.name} {memory(theirs.pid):.0f} MiB"
            )
            yield faster(f"policy HTTPS, {count:,} names, all resident", first, second, theirs, (0.85, 1.0), note)
            if count < 10_000:
                return
            usual = stack.enter_context(self.running(self.ours(part, Limits().contexts)))
            self.warm(usual, count)
            yield Row(
                f"memory, {count:,} names configured, after load",
                memory(usual.pid),
                "MiB",
                Better.LOWER,
                0.3,
                0.15,
                f"{theirs.peer.name}, a server block per name",
                memory(theirs.pid),
                f"{Limits().contexts:,} contexts resident, our usual bound",
            )

    def cold(self, published: Publication) -> Iterator[Row]:
        """Certificates that are not in memory when they are asked for."""
        count = 1_000

        def peer(directory: Path, port: int) -> Peer:
            return tlspeers.nginx_variable(directory, self.mint, count, port)

        with self.running(peer) as theirs, self.running(self.ours(part_of(published, count), 20)) as ours:
            first, second = self.in_turn(ours, theirs, count)
            yield faster("policy HTTPS, certificate not resident", first, second, theirs, (0.7, 0.9), NOTE)

    def many(self, published: Publication) -> Iterator[Row]:
        """100,000 names: from the snapshot in memory to the first answer, and what is held then."""
        with self.running(self.ours(published, Limits().contexts)) as ours:
            answered = self.answered(ours)
            held = memory(ours.pid)
            self._load(ours, "fetch", 10_000, 4 * SECONDS)
            note = f"{memory(ours.pid):.0f} MiB after {4 * SECONDS} s of load"
            yield Row("memory, 100,000 names, at the start", held, "MiB", Better.LOWER, 400, 250, note=note)
        what = "start to first answer, 100,000 names, snapshot decoded"
        yield Row(what, answered - ours.decoded, "s", Better.LOWER, 2, 1, note="process start and decoding not counted")

    def flood(self, published: Publication) -> Row:
        """Names that nobody has, as fast as they come, and clients beside them that ask for one that is."""
        with self.running(self.ours(part_of(published, 1_000), Limits().contexts)) as ours:
            self.warm(ours, 1_000)
            flood = self._process(ours, "unknown", 64, UNKNOWN, SECONDS * (REPEATS + 2))
            time.sleep(SECONDS / 2)
            good = [self._load(ours, "fetch", 1_000, SECONDS, connections=4) for _ in range(REPEATS)]
            unknown = _said(flood)
        note = f"{unknown.done / unknown.seconds:,.0f} unknown names/s from 64 connections, 4 good connections"
        return Row(
            "unknown SNI flood: good clients' p99",
            median(s.p99_ms for s in good),
            "ms",
            Better.LOWER,
            200,
            50,
            note=note,
        )

    def beside_uvicorn(self, published: Publication) -> Row:
        def peer(directory: Path, port: int) -> Peer:
            return tlspeers.uvicorn(directory, self.mint, port)

        with self.running(peer) as theirs, self.running(self.ours(part_of(published, 1), 20)) as ours:
            first, second = self.in_turn(ours, theirs, 1)
            return faster("policy HTTPS, one name", first, second, theirs, (1.3, 1.6), NOTE)

    # Servers.

    def ours(self, published: Publication, contexts: int) -> Start:
        def start(directory: Path, port: int) -> Peer:
            snapshot = directory / "snapshot"
            snapshot.mkdir(mode=0o700)
            with closing(Store(snapshot)) as store:
                store.save(published)
            argv = (sys.executable, "-m", "bench.policy_server", str(snapshot), str(port), str(contexts))
            return Peer("trinco", argv)

        return start

    @contextmanager
    def running(self, start: Start) -> Iterator[Running]:
        port = free_port()
        directory = self.scratch / str(port)
        directory.mkdir()
        peer, log = start(directory, port), directory / "log"
        with server(peer.argv, log, lambda: listens(port), seconds=120) as pid:
            yield Running(peer, pid, port, log)

    # Loads.

    def in_turn(self, ours: Running, theirs: Running, count: int) -> tuple[Measured, Measured]:
        """Medians of both, driven one after the other, again and again."""
        taken = [
            [measure(each.pid, self._driver(each, count), repeats=1) for each in (ours, theirs)] for _ in range(REPEATS)
        ]
        return _median([pair[0] for pair in taken]), _median([pair[1] for pair in taken])

    def _driver(self, target: Running, count: int) -> Load:
        def load(seconds: float) -> tuple[int, float]:
            said = self._load(target, "fetch", count, seconds)
            return said.done, said.seconds

        return load

    def warm(self, target: Running, count: int) -> None:
        """Ask for every name once, so that every certificate that may be resident is."""
        self._load(target, "each", count, 300)

    def _load(self, target: Running, kind: str, count: int, seconds: float, *, connections: int = CONNECTIONS) -> Said:
        return _said(self._process(target, kind, connections, FORMAT, seconds, count))

    def _process(
        self, target: Running, kind: str, connections: int, names: str, seconds: float, count: int = 1_000_000
    ) -> subprocess.Popen[str]:
        argv = [self.client, kind, str(target.port), str(connections), str(seconds), names, str(count)]
        return subprocess.Popen(pinned(argv, 1), stdout=subprocess.PIPE, text=True)

    def answered(self, target: Running) -> float:
        """When the first policy came over HTTPS, on the monotonic clock."""
        while not self._load(target, "fetch", 100, 0.05, connections=1).done:
            pass
        return time.monotonic()


def faster(what: str, ours: Measured, theirs: Measured, peer: Running, bounds: tuple[float, float], note: str) -> Row:
    """Requests in a second of CPU time."""
    note = (
        f"{note}; {ours.rate:,.0f}/s and {theirs.rate:,.0f}/s; {ours.cpu_us:.0f} and {theirs.cpu_us:.0f} µs of CPU each"
    )
    figures = 1e6 / ours.cpu_us, 1e6 / theirs.cpu_us
    return Row(what, figures[0], "/s of CPU", Better.HIGHER, *bounds, peer.peer.name, figures[1], note)


def _median(taken: list[Measured]) -> Measured:
    return Measured(
        median(each.rate for each in taken),
        median(each.cpu_us for each in taken),
        median(each.memory for each in taken),
    )


def part_of(published: Publication, count: int) -> Publication:
    domains = dict(list(published.domains.items())[:count])
    return Publication(published.revision, published.zone, domains, published.chains)


def _said(process: subprocess.Popen[str]) -> Said:
    words = process.communicate()[0].split()
    values = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    if values["bad"] > values["done"] / 100:
        raise RuntimeError(f"more than one in a hundred went wrong: {' '.join(words)}")
    return Said(int(values["done"]), values["seconds"], values["p99"] / 1000)
