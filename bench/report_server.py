"""Both doors under test: python -m bench.report_server DIRECTORY HTTPS_PORT SMTP_PORT durable|volatile

`volatile` is the same server with the kernel's sync calls left out: what durability costs is the difference. Nothing is
carried away: the spool grows, and may.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvloop
from tests import support_tls

from trinco.core.hosting import Certificate, HostedDomain
from trinco.edge import maild, policy_host
from trinco.edge.intake import OPEN_HANDED, Intake
from trinco.edge.limits import Limits
from trinco.edge.mailroom import MailLimits
from trinco.edge.report_host import ReportDoor
from trinco.edge.spool import Spool, SpoolLimits

HOST, TOKEN = "reports.trinco.example", "abcdefghijklmnopqrstuvwxyz"
ADDRESS = "127.0.0.1"


class Source:
    """One certificate, no policy."""

    def __init__(self) -> None:
        authority = support_tls.Authority()
        self._served = authority.certificate(HOST), authority.issuers

    def certificate(self, server_name: bytes) -> tuple[Certificate, Sequence[bytes]] | None:
        return self._served if server_name == HOST.encode() else None

    def hosted(self, policy_host: bytes) -> HostedDomain | None:  # noqa: ARG002 - the interface
        return None


async def serve(directory: Path, https: int, smtp: int) -> None:
    limits = OPEN_HANDED
    spool = Spool(directory, SpoolLimits(octets=8 << 30, batches=10**7))
    desk = Intake(lambda token: token == TOKEN, spool, limits)
    listening = Limits(requests=10**9, total=3600.0)
    gc.freeze()
    async with (
        policy_host.listen(
            Source(), [(ADDRESS, https)], unseal=support_tls.unseal, limits=listening, reports=ReportDoor(desk, HOST)
        ),
        maild.listen(desk, [(ADDRESS, smtp)], reports_host=HOST, tls=lambda: None, limits=MailLimits(total=3600.0)),
    ):
        await asyncio.Event().wait()


def main(directory: str, https: str, smtp: str, kind: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    if kind == "volatile":
        os.fsync = os.fdatasync = lambda _descriptor: None
    uvloop.run(serve(Path(directory), int(https), int(smtp)))


if __name__ == "__main__":
    main(*sys.argv[1:])
