"""`trinco worker`: announcements, certificates, checks, and the end of what has left."""

from __future__ import annotations

import signal
import threading

import structlog
import typer
from django.conf import settings

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up
from trinco.cli.canary import Canary
from trinco.cli.status import TablesRole, answering
from trinco.config import Config
from trinco.panel.metrics import Board, BoardCollector, TablesCollector, registry
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
    board = Board()
    _be_watched(settings.CONFIG, board, stop)
    run(stop, board=board)


def _be_watched(config: Config, board: Board, stop: threading.Event) -> None:
    """Look at the canary, and say how everything is, each in a thread of its own."""
    collectors = [BoardCollector(board, (job.name for job in JOBS)), TablesCollector()]
    if config.canary is None:
        answering(TablesRole(registry(*collectors)), config.worker_status_listen)
        return
    canary = Canary(config, config.canary)
    threading.Thread(target=canary.keep_looking, args=(stop,), name="canary", daemon=True).start()
    answering(TablesRole(registry(*collectors, canary), canary.ready), config.worker_status_listen)
