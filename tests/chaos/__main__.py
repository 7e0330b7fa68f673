"""`make chaos`: python -m tests.chaos [--seed N] [--minutes M] [--keep DIRECTORY]

Without a seed one is drawn, and said: the same seed draws the same faults at the same times.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.plan import KINDS
from tests.chaos.run import run


def main() -> int:
    asked = argparse.ArgumentParser(prog="make chaos")
    asked.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    asked.add_argument("--minutes", type=float, default=10.0)
    asked.add_argument("--only", nargs="*", choices=tuple(KINDS), default=())
    asked.add_argument("--keep", type=Path, help="where the logs go, and stay")
    given = asked.parse_args()
    began = time.monotonic()
    data = given.keep or Path(tempfile.mkdtemp(prefix="trinco-chaos-"))
    data.mkdir(parents=True, exist_ok=True)

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:7.1f}  {what}", flush=True)

    print(f"seed {given.seed}, {given.minutes} minutes, logs in {data}", flush=True)
    outcome = run(data, given.seed, given.minutes * 60, say, given.only)
    print(outcome.told())
    if outcome.violations:
        print(f"Again: make chaos SEED={given.seed} MINUTES={given.minutes:g}. The logs stay in {data}")
        return 1
    if not given.keep:
        shutil.rmtree(data, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
