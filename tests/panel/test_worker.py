"""The loop of the worker."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError
from django.utils import timezone
from structlog.testing import capture_logs
from tests.support_panel import edge, live, organisation, standing

from trinco.panel import clock, worker
from trinco.panel.worker import JOBS, Job, run


class Work:
    """Counts its calls; raises what it is given, once each."""

    def __init__(self, *errors):
        self.errors, self.calls, self.enough = list(errors), 0, threading.Event()

    def __call__(self, now):
        self.calls += 1
        if self.calls > 3:
            self.enough.set()
        if self.errors:
            raise self.errors.pop(0)
        return 0


def during(jobs, wait):
    """Run the jobs until `wait` returns."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop, jobs))
    thread.start()
    try:
        assert wait()
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


class TestRun:
    """A crash of one job loses nothing: its rows are still due, and the others go on."""

    @pytest.fixture(autouse=True)
    def _no_database(self, monkeypatch):
        monkeypatch.setattr(clock, "now", timezone.now)

    def test_each_job_is_done_again_and_again(self):
        first, second = Work(), Work()
        during(
            [Job("a", first, 0.01), Job("b", second, 0.01)], lambda: first.enough.wait(60) and second.enough.wait(60)
        )

    def test_a_job_that_crashes_goes_on_after_one_line(self):
        broken, other = Work(OperationalError("gone"), ValueError("odd")), Work()
        with capture_logs() as lines:
            during([Job("broken", broken, 0.01), Job("other", other, 0.01)], lambda: broken.enough.wait(60))
        assert [(line["event"], line["job"], line["error"]) for line in lines] == [
            ("job failed", "broken", "OperationalError: gone"),
            ("job failed", "broken", "ValueError: odd"),
        ]

    def test_a_job_that_keeps_failing_waits_longer_each_time(self):
        waits = [worker.pause(0.25, failures, 0.0) for failures in range(10)]
        assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
        assert worker.pause(0.25, 5_000, 0.0) == 30.0

    def test_a_job_with_much_to_do_leaves_most_of_a_core_to_the_others(self):
        assert worker.pause(0.25, 0, 0.01) == 0.25
        assert worker.pause(0.25, 0, 0.5) == 2.0

    def test_a_job_that_hangs_delays_neither_the_others_nor_the_end(self):
        hangs, other = threading.Event(), Work()
        stop = threading.Event()
        thread = threading.Thread(
            target=run, args=(stop, [Job("hangs", lambda now: hangs.wait(600), 1), Job("other", other, 0.01)], 0.2)
        )
        thread.start()
        assert other.enough.wait(60)
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
        hangs.set()

    def test_what_it_does(self):
        assert [job.name for job in JOBS] == [
            "announce",
            "edges",
            "digest",
            "reissue",
            "certificates",
            "own certificate",
            "renewal advice",
            "ended orders",
            "certificate events",
            "look",
            "texts",
            "probe",
            "label hosts",
            "levels",
            "imports",
            "forward",
            "retire",
            "prune",
            "days",
            "months",
            "idempotency keys",
            "webhook events",
            "webhooks",
            "webhooks kept",
        ]


@pytest.mark.django_db(transaction=True)
class TestWork:
    """With the real tables, from threads of their own."""

    def test_an_announcement_and_a_certificate(self):
        domain = live(organisation())
        edge(acknowledged=10)
        jobs = [job for job in JOBS if job.name in {"announce", "certificates", "retire"}]

        def done():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                if standing(domain).announced is not None and domain.certificates.exists():
                    return True
                time.sleep(0.02)
            return False

        during(jobs, done)
