"""The policy host under test: python -m bench.policy_server SNAPSHOT PORT CONTEXTS

Loads the snapshot as an edge does and serves it on 127.0.0.1. Prints `decoded T` when the Publication is in memory, T
on the monotonic clock of the machine.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import structlog
import uvloop

from bench.tlscerts import SEAL
from trinco.edge import policy_host
from trinco.edge.limits import Limits
from trinco.edge.snapshot import Store
from trinco.edge.sni import Table


async def serve(snapshot: Path, port: int, contexts: int) -> None:
    publication = Store(snapshot).load()
    assert publication is not None
    print(f"decoded {time.monotonic()}", flush=True)
    table = Table(publication)
    gc.collect()
    gc.freeze()
    limits = Limits(contexts=contexts)
    async with policy_host.listen(table, [("127.0.0.1", port)], unseal=SEAL, limits=limits):
        await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
