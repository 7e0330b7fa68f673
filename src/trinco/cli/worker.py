"""`trinco worker`: announcements, certificates, checks, and the end of what has left."""

from __future__ import annotations

import signal
import threading

import structlog
import typer

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up
from trinco.panel.worker import JOBS, run

_log = structlog.get_logger("trinco.worker")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker")(worker)


def worker() -> None:
    """Announcements, certificates, checks. With PostgreSQL there may be several, on several machines."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    _log.info("worker ready", jobs=len(JOBS))
    run(stop)
