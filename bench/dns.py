"""Our name server beside NSD, Knot and PowerDNS: TXT by UDP over 100,000 hosted domains, memory, start, and a flood.

All serve the same zone, ours from a Publication, the others from the zone file made of it, with one worker each and no
rate limit; dnsperf asks for the TXT of random labels.
"""

from __future__ import annotations

import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from statistics import quantiles

from bench import harness, nameservers
from bench.__main__ import main
from bench.dns_server import BASE, NAMES, labels, publication
from bench.row import Better, Missing, Row
from trinco.edge import wire
from trinco.edge.answers import Answers
from trinco.edge.zonefile import zone_file

FLOOD = 20_000
"""Made-up names per second that the server is flooded with."""
PROBES = 200
"""Known names per second that are asked for meanwhile."""


def rows(scratch: Path) -> Iterator[Row]:
    """All rows of this bench. Raises Missing without dnsperf or with no peer at all."""
    program = harness.program("dnsperf")
    zone, asked = scratch / "zone", questions(scratch)
    zone.write_text(zone_file(publication()))
    yield from _beside_peers(scratch, zone, lambda port: dnsperf(program, port, asked))
    yield _start()
    yield _flood(scratch, program)


def questions(scratch: Path) -> Path:
    """A file of questions for the TXT of every label, in no order."""
    asked, path = labels(), scratch / "questions"
    random.Random(1).shuffle(asked)
    path.write_text("".join(f"{label}.mta-sts.{BASE} TXT\n" for label in asked))
    return path


def _beside_peers(scratch: Path, zone: Path, load: Callable[[int], harness.Load]) -> Iterator[Row]:
    with ExitStack() as stack:
        servers = {"ours": ours(), **_peers(scratch, zone)}
        running = {}
        for name, server in servers.items():
            pid = stack.enter_context(harness.server(server.argv, scratch / f"{name}.log", server.ready(BASE)))
            running[name] = (pid, load(server.port))
        measured = harness.compare(running)
    yield from _rate_rows(measured, servers)
    yield from _memory_rows(measured, servers)


def ours(*words: str) -> nameservers.NameServer:
    port = nameservers.free_port()
    return nameservers.NameServer("ours", (sys.executable, "-m", "bench.dns_server", str(port), *words), port)


def _peers(scratch: Path, zone: Path) -> dict[str, nameservers.NameServer]:
    """The peers that are installed."""
    found, reasons = {}, []
    for kind in (nameservers.nsd, nameservers.knot, nameservers.powerdns):
        directory = scratch / kind.__name__
        directory.mkdir()
        try:
            found[kind.__name__] = kind(directory, BASE, zone)
        except Missing as reason:
            reasons.append(str(reason))
            print(f"   {reason}")
    if not found:
        raise Missing("; ".join(reasons))
    return found


BOUNDS = {"nsd": (0.7, 1.1), "knot": (0.7, 1.0), "powerdns": (2.0, 4.0)}
"""Floor and goal of our rate, by peer."""

FIGURES: dict[str, Callable[[harness.Measured], float]] = {
    "answers in a second of the server's CPU": lambda measured: 1e6 / measured.cpu_us,
    "answers in a second of the clock": lambda measured: measured.rate,
}
"""The first bears a busy machine and a client that is full; the second is what a client saw."""


def _rate_rows(measured: dict[str, harness.Measured], servers: dict[str, nameservers.NameServer]) -> Iterator[Row]:
    for figure, (name, (floor, goal)) in product(FIGURES, BOUNDS.items()):
        if name not in measured:
            continue
        yield Row(
            what=f"DNS TXT by UDP, {NAMES:,} domains, one core: {figure}",
            ours=FIGURES[figure](measured["ours"]),
            unit="/s",
            better=Better.HIGHER,
            floor=floor,
            goal=goal,
            against=servers[name].name,
            peers=FIGURES[figure](measured[name]),
        )


def _memory_rows(measured: dict[str, harness.Measured], servers: dict[str, nameservers.NameServer]) -> Iterator[Row]:
    if "nsd" in measured:
        yield Row(
            what=f"DNS memory, {NAMES:,} domains",
            ours=measured["ours"].memory,
            unit="MiB",
            better=Better.LOWER,
            floor=0.6,
            goal=0.3,
            against=servers["nsd"].name,
            peers=measured["nsd"].memory,
            note="PSS of all processes",
        )


def dnsperf(program: str, port: int, asked: Path, *words: str) -> harness.Load:
    """Asks these questions at a port of loopback."""

    def load(seconds: float) -> tuple[int, float]:
        where = ("-s", "127.0.0.1", "-p", str(port), "-d", str(asked), "-l", f"{max(1, round(seconds))}")
        argv = harness.pinned([program, *where, "-c", "8", "-q", "200", *words], 1)
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return int(_number("Queries completed", said)), _number("Run time", said)

    return load


def _number(what: str, said: str) -> float:
    """A figure of dnsperf's report."""
    found = re.search(rf"{what} \(?s?\)?:\s+([0-9.]+)|{what}:\s+([0-9.]+)", said)
    if found is None:
        raise RuntimeError(f"dnsperf did not say {what!r}:\n{said}")
    return float(found[1] or found[2])


def _start() -> Row:
    held, taken = publication(), []
    for _ in range(harness.REPEATS):
        began = time.perf_counter()
        Answers(held)
        taken.append(time.perf_counter() - began)
    return Row(
        what=f"DNS: from a Publication of {NAMES:,} domains to answers",
        ours=sorted(taken)[len(taken) // 2],
        unit="s",
        better=Better.LOWER,
        floor=1.0,
        goal=0.1,
    )


def _flood(scratch: Path, program: str) -> Row:
    """The 99th percentile of the answers to known names while made-up ones pour in, with the usual rate limits."""
    dice, flood = random.Random(2), scratch / "flood"
    flood.write_text("".join(f"{dice.randbytes(10).hex()}.mta-sts.{BASE} TXT\n" for _ in range(50_000)))
    server = ours("limited")
    with harness.server(server.argv, scratch / "flood.log", server.ready(BASE)):
        pour = dnsperf(program, server.port, flood, "-Q", str(FLOOD), "-t", "1", "-q", "60000")
        pouring = threading.Thread(target=pour, args=(5,))
        pouring.start()
        time.sleep(1)
        taken, lost = _probe(server.port, seconds=3)
        pouring.join()
    return Row(
        what=f"DNS: 99 % of known names answered, {FLOOD:,} made-up names/s beside them",
        ours=quantiles(taken, n=100)[98] * 1e3,
        unit="ms",
        better=Better.LOWER,
        floor=50,
        goal=5,
        note=f"{len(taken)} asked, {lost} lost",
    )


def _probe(port: int, seconds: float) -> tuple[list[float], int]:
    """Ask for known names at an even pace: the seconds that each took (one when lost), and how many were lost."""
    known, taken, lost = labels()[: round(PROBES * seconds)], [], 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(1)
        for at, label in enumerate(known):
            question = (
                b"%c%c\0\0\0\1\0\0\0\0\0\0" % divmod(at, 256) + wire.name(f"{label}.mta-sts.{BASE}") + b"\0\x10\0\1"
            )
            began = time.perf_counter()
            try:
                sock.send(question)
                while sock.recv(512)[:2] != question[:2]:
                    pass
            except TimeoutError:
                lost += 1
            taken.append(time.perf_counter() - began)
            time.sleep(max(0, 1 / PROBES - taken[-1]))
    return taken, lost


if __name__ == "__main__":
    sys.exit(main(["dns"]))
