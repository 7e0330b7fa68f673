"""The pages of TLS reports over 10 million failure rows and five years: what the panel needs for one, nothing else.

One organisation with 50 domains, on each of which ten senders report every day (`pages_fill`). Asked for are 30 days,
as people do, and the most that there is: all days of all domains. The time is from the request to the whole page
within the panel, without a network.

Filling takes some two minutes for each database. `REPORT_DAYS=100 python -m bench reports_pages` has a quick look.
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

DAYS = int(os.environ.get("REPORT_DAYS", "1826"))
FLOOR, GOAL = 400, 150
"""Milliseconds."""


def rows(scratch: Path) -> Iterator[Row]:
    for name in ("SQLite", "PostgreSQL"):
        with postgres() if name == "PostgreSQL" else nullcontext() as server:
            told = _run(scratch / name, server.url if server else "")
        print(f"   {name}: filled in {told['seconds']:.0f} s", flush=True)
        for page, found in told["pages"].items():
            what = f"{page}; {told['failures'] / 1e6:.0f} million failure rows, {DAYS / 365.25:.0f} years, {name}"
            note = f"{found['queries']} queries, {found['octets'] / 1024:.0f} KiB"
            yield Row(what, found["milliseconds"], "ms", Better.LOWER, FLOOR, GOAL, note=note)


def _run(directory: Path, url: str) -> dict[str, Any]:
    argv = harness.pinned((sys.executable, "-m", "bench.pages_child", str(DAYS)), 0)
    environment = {**os.environ, "TRINCO_DATA": str(directory), **({"TRINCO_DATABASE": url} if url else {})}
    told = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))
