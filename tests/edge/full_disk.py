"""A process that fills the disk under a spool until the kernel says no, makes room, and prints what it saw.

    python -m tests.edge.full_disk DIRECTORY [LIMIT]

With LIMIT no file may be larger than that many octets, and one report is; without it, the disk is a small one.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from tests.edge.arrivals import arrival

from trinco.core.errors import Refused
from trinco.edge.spool import Spool

EXPECTED = "refused: 452 4.3.1 503; half files: 0; room again: taken; lost: 0; damaged: 0"
SMALL, LARGE = 3000, 600_000
PLENTY = 2000


async def refusal(spool: Spool, size: int) -> str:
    try:
        await spool.put(arrival(b"x" * size))
    except Refused as refused:
        return f"{(refused.smtp_reply or '')[:9]} {refused.http_status}"
    return "taken"


async def fill(spool: Spool, limit: int | None) -> tuple[int, str]:
    """How many were taken, and how the next one was refused."""
    for taken in range(PLENTY):
        said = await refusal(spool, LARGE if limit and taken == 50 else SMALL)
        if said != "taken":
            return taken, said
    return PLENTY, "never"


async def main(directory: Path, limit: int | None) -> None:
    spool = Spool(directory)
    taken, said = await fill(spool, limit)
    half = [path for path in directory.iterdir() if path.suffix not in (".spool", ".numbers")]
    batches = list(spool.batches())
    for path, _ in batches[:2]:
        spool.done(path)
    again = await refusal(spool, SMALL)
    lost = taken - 2 + 1 - sum(len(arrivals) for _, arrivals in spool.batches())
    damaged = len(list(directory.glob("damaged/*")))
    await spool.close()
    print(f"refused: {said}; half files: {len(half)}; room again: {again}; lost: {lost}; damaged: {damaged}")


if __name__ == "__main__":
    _, folder, *limits = sys.argv
    most = int(limits[0]) if limits else None
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    asyncio.run(main(Path(folder), most))
