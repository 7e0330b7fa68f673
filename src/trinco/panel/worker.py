"""The worker: what Trinco does by itself, on time, however often it crashed.

Each job has a thread of its own, so that a name server that does not answer never delays an announcement. All are
level-triggered: a row says when it is due, several workers share the rows by locks, and a crash loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import close_old_connections, connections

from trinco.panel import clock
from trinco.panel.accounts import idempotency
from trinco.panel.certificates import hosts
from trinco.panel.certificates.advice import ask_due
from trinco.panel.certificates.events import watch
from trinco.panel.certificates.orders import forget
from trinco.panel.certificates.services import issue_due
from trinco.panel.checks import label_hosts
from trinco.panel.checks.publishing import publish_due
from trinco.panel.checks.services import look_due, probe_due
from trinco.panel.checks.status import refresh_changed
from trinco.panel.metrics import Board
from trinco.panel.policies.imports import imports_due
from trinco.panel.policies.rotation import rotate_due
from trinco.panel.policies.services import announce_due, reissue_due, retire_due
from trinco.panel.reports.days import fold_due
from trinco.panel.reports.services import digest_due, forward_due, prune_due
from trinco.panel.reports.summing import sum_due
from trinco.panel.webhooks.outbox import spread_due
from trinco.panel.webhooks.sending import deliver_due, tidy_due

_LONGEST_WAIT = 30.0
"""Seconds between two attempts of a job that keeps failing."""
_REST = 4
"""How much longer than its work a job's pause is, at least."""
_log = structlog.get_logger("trinco.worker")


@dataclass(frozen=True, slots=True)
class Job:
    """`work(now)` does what is due and returns how much that was; `every` is the pause after it, in seconds."""

    name: str
    work: Callable[[datetime], int]
    every: float


JOBS: tuple[Job, ...] = (
    Job("announce", announce_due, 0.25),
    Job("edges", rotate_due, 1.0),
    Job("digest", digest_due, 0.25),
    Job("reissue", reissue_due, 2.0),
    Job("certificates", issue_due, 0.5),
    Job("own certificate", hosts.issue_due, 5.0),
    Job("renewal advice", ask_due, 5.0),
    Job("ended orders", forget, 600.0),
    Job("certificate events", watch, 10.0),
    Job("look", look_due, 0.5),
    Job("texts", publish_due, 1.0),
    Job("probe", probe_due, 1.0),
    Job("label hosts", label_hosts.look_due, 2.0),
    Job("levels", refresh_changed, 0.5),
    Job("imports", imports_due, 0.25),
    Job("forward", forward_due, 2.0),
    Job("retire", retire_due, 5.0),
    Job("prune", prune_due, 10.0),
    Job("days", fold_due, 1.0),
    Job("months", sum_due, 5.0),
    Job("idempotency keys", idempotency.forget, 600.0),
    Job("webhook events", spread_due, 0.5),
    Job("webhooks", deliver_due, 0.5),
    Job("webhooks kept", tidy_due, 10.0),
)


def run(stop: threading.Event, jobs: Sequence[Job] = JOBS, patience: float = 3.0, board: Board | None = None) -> None:
    """Run the jobs until `stop` is set, and then at most `patience` seconds for what they have in hand.

    `board` says afterwards, and meanwhile, what they did.
    """
    told = board or Board()
    threads = [threading.Thread(target=_keep_doing, args=(job, stop, told), name=job.name, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _keep_doing(job: Job, stop: threading.Event, board: Board) -> None:
    failures = 0
    while not stop.is_set():
        began = time.thread_time()
        failures = 0 if _done(job, board) else failures + 1
        stop.wait(pause(job.every, failures, time.thread_time() - began))
    connections.close_all()


def pause(every: float, failures: int, busy: float) -> float:
    """Seconds until a job's next turn: twice as long after each failure in a row, half a minute at most.

    `busy` is the processor time of the last turn, in seconds: no job takes more than a fifth of a core for itself,
    however many domains there are.
    """
    return max(min(every * (1 << min(failures, 16)), _LONGEST_WAIT), _REST * busy)


def _done(job: Job, board: Board) -> bool:
    """Whether the job could do its work. A crash is one line in the log, and the rows are still due."""
    close_old_connections()
    try:
        board.done(job.name, job.work(clock.now()))
    except Exception as error:  # noqa: BLE001 - the outermost loop of a job
        board.failed(job.name)
        _log.error("job failed", job=job.name, error=f"{type(error).__name__}: {error}")
        return False
    return True
