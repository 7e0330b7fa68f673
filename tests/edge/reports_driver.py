"""A process that takes reports by both doors, in many short lives: each is forked from here, where all is loaded.

One request per line on standard input, `[deed, argument, …]` in JSON; one answer per line on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trinco.cli import edge

from django.conf import settings  # isort: skip - after the set-up
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import Sum
from django.utils import timezone
from tests.support_panel import live, organisation

from trinco.core.hosting import Publication
from trinco.edge.serving import Serving
from trinco.panel import feeds
from trinco.panel.certificates import hosts
from trinco.panel.reports import services
from trinco.panel.reports.models import DailyTotal, RawReport, Report
from trinco.panel.seal import Seal


class Lives:
    """At most one life at a time, of a process that does what `trinco edge` does behind its node."""

    def __init__(self) -> None:
        self._pid = 0
        self._publication: Publication | None = None

    def host(self, *names: str) -> dict[str, str]:
        """Make the database and host these names, live; their labels."""
        call_command("migrate", interactive=False, verbosity=0)
        ours = organisation()
        labels = {name: live(ours, name, (f"mx.{name}",)).label for name in names}
        hosts.issue_due(timezone.now())
        self._publication = feeds.publication(settings.CONFIG.zone)
        return labels

    def start(self) -> None:
        """Answers when the doors are open."""
        connections.close_all()
        assert self._publication is not None
        ready, told = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(ready)
            _live(self._publication, lambda: os.write(told, b"."))
        os.close(told)
        said = os.read(ready, 1)
        os.close(ready)
        assert said == b"."

    def kill(self) -> None:
        """As nobody expects it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As a supervisor does; the status."""
        return self._end(signal.SIGTERM)

    def shelve(self, path: str) -> None:
        """Take the file of an SQLite database away, with all that was committed."""
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connections.close_all()
        Path(settings.DATABASES["default"]["NAME"]).rename(path)

    def count(self) -> dict[str, Any]:
        """Digest all that there is, and count it."""
        while services.digest_due(timezone.now()):
            pass
        reports = Report.objects.everywhere()
        sessions = DailyTotal.objects.everywhere().filter(policy_type="", result_type="")
        return {
            "ids": sorted(reports.filter(counted=True).values_list("report_id", flat=True)),
            "sessions": sessions.aggregate(sum=Sum("successful_session_count"))["sum"],
            "copies": reports.aggregate(sum=Sum("copies"))["sum"],
            "arrivals": RawReport.objects.everywhere().count(),
        }

    def _end(self, number: signal.Signals) -> int:
        os.kill(self._pid, number)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)


def _live(publication: Publication, ready: Callable[[], Any]) -> None:
    """One life; never returns."""
    status = 1
    try:
        asyncio.run(_serve(publication, ready))
        status = 0
    finally:
        os._exit(status)


async def _serve(publication: Publication, ready: Callable[[], Any]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    listeners = edge.Listeners(settings.CONFIG, settings.DATA / "spool", Seal.of(settings.SEAL_KEY))
    async with listeners(Serving(publication), lambda: True):
        ready()
        await ended.wait()


def main() -> None:
    lives = Lives()
    for line in sys.stdin:
        deed, *arguments = json.loads(line)
        answer = getattr(lives, deed)(*arguments)
        connections.close_all()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
