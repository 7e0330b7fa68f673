"""Durable acceptance by HTTPS and by SMTP, on disk before it is said, beside the same server without sync."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import harness
from bench.nameservers import free_port, listens
from bench.row import Better, Row

CONNECTIONS = {"https": 64, "smtp": 24}
KINDS = ("durable", "volatile")


def rows(scratch: Path) -> Iterator[Row]:
    for door, what in (("https", "HTTPS POST"), ("smtp", "SMTP")):
        with ExitStack() as stack:
            servers = {}
            for kind in KINDS:
                directory = scratch / f"{door}-{kind}"
                ports = {"https": free_port(), "smtp": free_port()}
                argv = [sys.executable, "-m", "bench.report_server", str(directory), str(ports["https"])]
                ready = partial(listens, ports["smtp"])
                pid = stack.enter_context(
                    harness.server([*argv, str(ports["smtp"]), kind], scratch / f"{door}-{kind}.log", ready)
                )
                servers[kind] = (pid, partial(_load, door, ports[door]))
            measured = harness.compare(servers)
        durable, volatile = (measured[kind] for kind in KINDS)
        note = (
            f"{CONNECTIONS[door]} connections, {harness.REPEATS} x {harness.SECONDS} s in turn; "
            f"{durable.cpu_us:.0f} and {volatile.cpu_us:.0f} µs of CPU each"
        )
        yield Row(
            f"durable acceptance, {what}",
            durable.rate,
            "/s",
            Better.HIGHER,
            0.3,
            0.6,
            "the same server without fsync",
            volatile.rate,
            note,
        )


def _load(door: str, port: int, seconds: float) -> tuple[int, float]:
    argv = (sys.executable, "-m", "bench.report_client", door, str(port), str(seconds), str(CONNECTIONS[door]))
    told = subprocess.run(harness.pinned(argv, 1), capture_output=True, text=True, check=True).stdout.split()
    return int(told[0]), float(told[1])
