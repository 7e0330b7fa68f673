"""Our zone at secondaries: AXFR of 100,000 domains, and from a change to the answer of NSD and Knot.

The primary runs in a process of its own, with the secondaries beside it as docs/nameservers.md says, and takes over a
change when a line comes on its standard input. The client is dnspython, or the secondary itself.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import dns.message
import dns.rdatatype
from msgspec.structs import replace

from bench import harness, nameservers, secondaries
from bench.__main__ import main
from bench.dns import dnsperf, questions
from bench.dns import ours as direct
from bench.dns_server import BASE, NAMES, labels, publication
from bench.row import Better, Row
from trinco.core.hosting import Change
from trinco.edge import dnsd, wire
from trinco.edge.dnsd import Limits
from trinco.edge.history import History
from trinco.edge.notify import notifying
from trinco.edge.serving import Serving
from trinco.edge.transfer import Transfers
from trinco.edge.tsig import Keys

CHANGES = 7
PAUSE = 2.5
"""Seconds between two changes: Knot asks at most every two seconds."""
LOCAL = frozenset({"127.0.0.1"})


def rows(scratch: Path) -> Iterator[Row]:
    """All rows of this bench. Raises Missing without NSD or Knot."""
    port = nameservers.free_port()
    primary = secondaries.Primary(BASE, (("127.0.0.1", port),))
    peers = {}
    for kind in (secondaries.nsd, secondaries.knot):
        directory = scratch / kind.__name__
        directory.mkdir()
        peers[kind.__name__] = kind(directory, primary)
    argv = (sys.executable, "-m", "bench.transfer", str(port), *(str(peer.port) for peer in peers.values()))
    ours = nameservers.NameServer("ours", argv, port)
    with ExitStack() as stack:
        pid, told = _primary(stack, scratch, ours)
        yield _axfr(pid, primary)
        pids = {
            name: stack.enter_context(harness.server(peer.argv, scratch / f"{name}.log", lambda: True))
            for name, peer in peers.items()
        }
        for name, peer in peers.items():
            _until(lambda peer=peer: nameservers.answers(peer.port, BASE))
            print(f"   {name} has the zone")
        yield _behind(scratch, stack, peers["nsd"], pids["nsd"])
        yield from _followed(told, peers)


def _primary(stack: ExitStack, scratch: Path, ours: nameservers.NameServer) -> tuple[int, subprocess.Popen[bytes]]:
    log = stack.enter_context((scratch / "ours.log").open("wb"))
    process = subprocess.Popen(
        harness.pinned(ours.argv, 0), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    _until(ours.ready(BASE))
    return process.pid, process


def _until(holds: object) -> None:
    deadline = time.monotonic() + 60
    while not holds():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError("not ready in a minute")
        time.sleep(0.02)


def _axfr(pid: int, primary: secondaries.Primary) -> Row:
    """The client reads and counts, and leaves the records unread: it is the server that is measured."""
    taken, used, octets = [], [], 0
    for _ in range(harness.REPEATS):
        before, began = harness.cpu(pid), time.perf_counter()
        octets = _transfer(primary)
        taken.append(time.perf_counter() - began)
        used.append(harness.cpu(pid) - before)
    return Row(
        what=f"AXFR of {NAMES:,} domains, signed",
        ours=median(taken),
        unit="s",
        better=Better.LOWER,
        floor=10,
        goal=3,
        note=f"{octets / 1e6:.0f} MB; {median(used):.2f} s of the server's CPU",
    )


def _transfer(primary: secondaries.Primary) -> int:
    """The whole zone, until its SOA comes again; how many octets it was."""
    query = dns.message.make_query(BASE, dns.rdatatype.AXFR)
    query.use_tsig(Keys(primary.key).key)
    asked, octets, seen = query.to_wire(), 0, 0
    with socket.create_connection(("127.0.0.1", primary.port), 30) as sock, sock.makefile("rb") as stream:
        sock.sendall(struct.pack("!H", len(asked)) + asked)
        while seen < 2:
            (length,) = struct.unpack("!H", stream.read(2))
            message = stream.read(length)
            octets += length
            seen += message.count(b"\x0ahostmaster")
    return octets


def _behind(scratch: Path, stack: ExitStack, nsd: nameservers.NameServer, process: int) -> Row:
    """What the world gets from NSD as a secondary, beside our own name server with nothing in front."""
    program, asked, ours = harness.program("dnsperf"), questions(scratch), direct()
    before = stack.enter_context(harness.server(ours.argv, scratch / "before.log", ours.ready(BASE)))
    loads = {name: dnsperf(program, port, asked) for name, port in (("ours", ours.port), ("nsd", nsd.port))}
    measured = harness.compare({"ours": (before, loads["ours"]), "nsd": (process, loads["nsd"])})
    rates = {name: 1e6 / figures.cpu_us for name, figures in measured.items()}
    return Row(
        what=f"DNS TXT by UDP behind {nsd.name} as a secondary, {NAMES:,} domains: answers in a second of its CPU",
        ours=rates["nsd"],
        unit="/s",
        better=Better.HIGHER,
        floor=0.7,
        goal=0.9,
        against="ours, nothing in front",
        peers=rates["ours"],
        note=f"{measured['nsd'].rate:,.0f} and {measured['ours'].rate:,.0f} in a second of the clock",
    )


def _followed(told: subprocess.Popen[bytes], peers: dict[str, nameservers.NameServer]) -> Iterator[Row]:
    label = labels()[0]
    taken: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(CHANGES):
        policy_id = f"2027{number:012}"
        assert told.stdin is not None
        told.stdin.write(f"{label} {policy_id}\n".encode())
        told.stdin.flush()
        for name, seconds in _seen(peers, label, policy_id.encode()).items():
            taken[name].append(seconds)
        time.sleep(PAUSE)
    for name, peer in peers.items():
        yield Row(
            what=f"DNS behind {peer.name}: from a change to the secondary's answer, {NAMES:,} domains",
            ours=median(taken[name]),
            unit="s",
            better=Better.LOWER,
            floor=2,
            goal=0.5,
            note=f"{CHANGES} changes, the slowest {max(taken[name]):.2f} s",
        )


def _seen(peers: dict[str, nameservers.NameServer], label: str, policy_id: bytes) -> dict[str, float]:
    """The seconds until each answers with that id."""
    began, found = time.perf_counter(), dict[str, float]()
    while len(found) < len(peers):
        if time.perf_counter() - began > 30:
            raise RuntimeError(f"no change in 30 s but at {', '.join(found) or 'nobody'}")
        for name in peers.keys() - found.keys():
            if policy_id in _txt(peers[name].port, label):
                found[name] = time.perf_counter() - began
    return found


def _txt(port: int, label: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(("127.0.0.1", port))
        sock.send(b"xf\0\0\0\1\0\0\0\0\0\0" + wire.name(f"{label}.mta-sts.{BASE}") + b"\0\x10\0\1")
        try:
            return sock.recv(4096)
        except OSError:
            return b""


async def serve(port: int, endpoints: list[tuple[str, int]]) -> None:
    """Our primary; a line on the standard input is a change."""
    serving, keys = Serving(publication()), Keys(secondaries.KEY)
    history = History(serving.held)
    serving.told.append(history.take)
    serving.answers.keys = keys
    transfers = Transfers(history, serving.answers, keys, LOCAL)
    server = dnsd.listen(serving.answers, [("127.0.0.1", port)], limits=Limits(rates=None), transfers=transfers)
    async with server as bound, notifying(history, endpoints, keys, bound):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().split():
            label, policy_id = line
            held = serving.held
            revision = held.revision + 1
            changed = replace(held.domains[label], policy_id=policy_id, revision=revision)
            await serving.take(Change(revision, held.zone, (changed,)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        first, *others = map(int, sys.argv[1:])
        asyncio.run(serve(first, [("127.0.0.1", each) for each in others]))
    else:
        sys.exit(main(["transfer"]))
