"""Both doors for reports, the desk and the spool, in a process that is looked at from outside; nothing else is in it.

    python -m tests.edge.traced_doors DIRECTORY

Makes `DIRECTORY/spool`, `ca.pem`, and at last `ports` with the two ports, of mail and of HTTPS. Ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.edge.report_rig import HOST, TOKEN, served
from tests.support_tls import Authority, unseal

from trinco.edge import maild, policy_host
from trinco.edge.intake import Intake
from trinco.edge.report_host import ReportDoor
from trinco.edge.sni import Table
from trinco.edge.spool import Spool


async def main(directory: Path) -> None:
    authority = Authority()
    (directory / "ca.pem").write_text(authority.pem)
    spool = Spool(directory / "spool")
    desk = Intake(lambda token: token == TOKEN, spool)
    here = [("127.0.0.1", 0)]
    async with (
        policy_host.listen(Table(served(authority)), here, unseal=unseal, reports=ReportDoor(desk, HOST)) as https,
        maild.listen(desk, here, reports_host=HOST, tls=lambda: None) as mail,
    ):
        (directory / "made").write_text(f"{mail[0][1]} {https[0][1]}")
        (directory / "made").rename(directory / "ports")
        await asyncio.to_thread(sys.stdin.read)
    await spool.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
