"""An edge's way of reports, without its doors: accepts one after the other, and says each id once it is durable.

python -m tests.cli.backup_reports LABEL      until it is ended
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up

from django.conf import settings  # isort: skip - after the set-up

from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge.carrier import carrying
from trinco.edge.spool import Spool
from trinco.panel.feeds import DatabaseInbox

EVERY = 0.02


def report(number: str) -> bytes:
    """A report of one session, under this id."""
    summary = {"total-successful-session-count": 1, "total-failure-session-count": 0}
    policy = {"policy-type": "sts", "policy-string": ["version: STSv1"], "policy-domain": "correio.example"}
    dates = {"start-datetime": "2026-01-01T00:00:00Z", "end-datetime": "2026-01-01T23:59:59Z"}
    whole = {
        "organization-name": "Sender",
        "date-range": dates,
        "contact-info": "tlsrpt@sender.example",
        "report-id": number,
        "policies": [{"policy": policy, "summary": summary}],
    }
    return json.dumps(whole).encode()


async def accept(label: str) -> None:
    spool, number = Spool(settings.DATA / "edge" / "edge1" / "spool"), 0
    async with carrying(spool, DatabaseInbox()):
        while True:
            number += 1
            name = f"drill-{number:06}"
            body = report(name)
            await spool.put(
                Arrival(name, label, Channel.HTTPS, time.time(), body, "192.0.2.9", "", "application/tlsrpt+json")
            )
            print(name, flush=True)
            await asyncio.sleep(EVERY)


async def main() -> None:
    work = asyncio.ensure_future(accept(sys.argv[1]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    asyncio.run(main())
