"""A zone with 100,000 hosted domains, and our name server on it as `trinco edge` runs it.

python -m bench.dns_server PORT [limited]
"""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib
import importlib.util
import random
import sys

from trinco.core.hosting import HostedDomain, NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.edge.answers import Answers
from trinco.edge.dnsd import Limits, listen
from trinco.edge.ratelimit import Rates

BASE = "trinco.example"
NAMES = 100_000

ZONE = Zone(
    base=Domain.trusted(BASE),
    nameservers=(NameServer(f"ns1.{BASE}", ("192.0.2.1", "2001:db8::1")),),
    policy_addresses=("192.0.2.5", "2001:db8::5"),
    caa=("ca.example; validationmethods=http-01",),
)


def labels() -> list[str]:
    """The same labels in every process: 128 bits in base 32, as the panel makes them."""
    dice = random.Random(8461)
    return [base64.b32encode(dice.randbytes(16)).decode().lower().rstrip("=") for _ in range(NAMES)]


def publication() -> Publication:
    """All that an edge knows of the customers, but for their policies and certificates."""
    domains = {
        label: HostedDomain(
            domain=Domain.trusted(f"customer{at}.example"),
            label=label,
            revision=at,
            policy_id=f"20260101T000000Z{at:08x}",
            tlsrpt=f"v=TLSRPTv1; rua=mailto:{label}@reports.{BASE}",
        )
        for at, label in enumerate(labels())
    }
    return Publication(NAMES, ZONE, domains)


async def serve(port: int, rates: Rates | None) -> None:
    """Our server, as `trinco edge` runs it: the Publication stays in memory."""
    held = publication()
    gc.collect()
    gc.freeze()
    async with listen(Answers(held), [("127.0.0.1", port)], limits=Limits(rates=rates)):
        await asyncio.Event().wait()


def main(port: int, rates: Rates | None) -> None:
    name = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    with asyncio.Runner(loop_factory=importlib.import_module(name).new_event_loop) as runner:
        runner.run(serve(port, rates))


if __name__ == "__main__":
    main(int(sys.argv[1]), Rates() if "limited" in sys.argv else None)
