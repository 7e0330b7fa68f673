"""The lists with 10,000 domains: overview, every filter, search as typed, API, a provider's clients, the log; and the
import that brings as many.

One organisation has 10,000 domains, a provider's 200 clients have as many; five years of totals, 500,000 lines of the
log each (`lists_fill`). The time is from the request to the whole page within the panel, without a network.

Filling takes some three minutes for each database. `LIST_DOMAINS=500 python -m bench lists` has a quick look.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests.support_postgres import postgres

from bench import harness
from bench.row import Better, Row

DOMAINS = int(os.environ.get("LIST_DOMAINS", "10000"))
FLOOR, GOAL = 300, 120
"""Milliseconds of a list."""
REPORTS_FLOOR, REPORTS_GOAL = 400, 150
"""Milliseconds of a page of reports."""


def rows(scratch: Path) -> Iterator[Row]:
    for name in ("SQLite", "PostgreSQL"):
        with postgres() if name == "PostgreSQL" else nullcontext() as server:
            told = _run(scratch / name, server.url if server else "")
        print(f"   {name}: filled in {told['seconds']:.0f} s", flush=True)
        what = f"import of {DOMAINS:,} domains with mail servers and tags, {name}"
        yield Row(what, told["import"], "s", Better.LOWER, 60, 30)
        for page, found in told["pages"].items():
            floor, goal = (REPORTS_FLOOR, REPORTS_GOAL) if page.startswith("reports") else (FLOOR, GOAL)
            note = f"{found['queries']} queries, {found['octets'] / 1024:.0f} KiB"
            what = f"{page}; {DOMAINS:,} domains, 5 years, {name}"
            yield Row(what, found["milliseconds"], "ms", Better.LOWER, floor, goal, note=note)


def _run(directory: Path, url: str) -> dict[str, Any]:
    argv = harness.pinned((sys.executable, "-m", "bench.lists_child", str(DOMAINS)), 0)
    environment = {**os.environ, "TRINCO_DATA": str(directory), **({"TRINCO_DATABASE": url} if url else {})}
    told = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))
