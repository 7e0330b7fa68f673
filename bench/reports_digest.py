"""From decoded reports of 20 failure details to committed rows and totals, beside Django's bulk_create of the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from tests.support_postgres import postgres

from bench import harness
from bench.reports_read import DETAILS
from bench.row import Better, Row

COUNT, BATCH, REPEATS = 2_000, 100, 3
"""`BATCH` as in `digest_child`, which needs a database before it can be imported."""


def rows(scratch: Path) -> Iterator[Row]:
    for name, floor, goal in (("SQLite", 2.5, 5.0), ("PostgreSQL", 1.5, 3.0)):
        taken: dict[str, list[float]] = {"ours": [], "django": []}
        for number in range(REPEATS):
            for way, found in taken.items():
                directory = scratch / f"{name}-{way}-{number}"
                with postgres() if name == "PostgreSQL" else nullcontext() as server:
                    found.append(_run(way, directory, server.url if server else ""))
        note = f"1 report, {DETAILS} details, daily totals; {BATCH} in a transaction; ours also files and de-duplicates"
        ours, django = median(taken["ours"]), median(taken["django"])
        yield Row(f"digest, {name}", ours, "/s", Better.HIGHER, floor, goal, "Django bulk_create", django, note)


def _run(way: str, directory: Path, url: str) -> float:
    argv = harness.pinned((sys.executable, "-m", "bench.digest_child", way, str(COUNT)), 0)
    environment = {**os.environ, "TRINCO_DATA": str(directory), **({"TRINCO_DATABASE": url} if url else {})}
    told = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    return float(told.stdout.split()[-1])
