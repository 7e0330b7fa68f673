"""The numbers of the tables, of the worker's jobs and of the panel, for Prometheus. No tenant's name is in a label.

The tables are asked at most once in `FRESH` seconds, however often somebody reads the numbers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import Count, F, Max, Min, Q
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from trinco.panel import clock
from trinco.panel.certificates import hosts
from trinco.panel.certificates.models import Attempt, Certificate, Event, EventKind, Order
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED, newest_revision
from trinco.panel.policies.models import EdgeNode, Standing
from trinco.panel.reports.models import RawReport, RawState
from trinco.panel.webhooks.models import Delivery, DeliveryState, Webhook

FRESH: Final = 15.0
DAYS: Final = (0, 1, 3, 7, 14, 30, 60)
"""Bounds of the days that certificates have left; beyond the last one is `more`."""
_UP: Final = "trinco_database_up"


def registry(*collectors: Collector) -> CollectorRegistry:
    """One of our own, with the numbers of the process beside these."""
    made = CollectorRegistry()
    for collector in collectors:
        made.register(collector)
    ProcessCollector(registry=made)
    return made


def text(source: CollectorRegistry) -> bytes:
    """All of it, in the text format."""
    return generate_latest(source)


class Board:
    """What a worker's jobs have done, written by their threads and read by another. An assignment is one step."""

    def __init__(self) -> None:
        self.succeeded_at: dict[str, float] = {}
        self.failures: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()

    def done(self, job: str, rows: int) -> None:
        """A job could do its work, on so many rows."""
        self.succeeded_at[job] = time.time()
        self.rows[job] += rows

    def failed(self, job: str) -> None:
        """A job could not."""
        self.failures[job] += 1


class BoardCollector(Collector):
    """The jobs, by name."""

    def __init__(self, board: Board, jobs: Iterable[str]) -> None:
        self._board = board
        self._jobs = tuple(jobs)

    def collect(self) -> Iterator[Metric]:
        board = self._board
        last = "trinco_worker_job_last_success_timestamp_seconds"
        families: tuple[tuple[Any, Mapping[str, float]], ...] = (
            (GaugeMetricFamily(last, "When a job last did its work; 0: never.", labels=["job"]), board.succeeded_at),
            (CounterMetricFamily("trinco_worker_job_failures", "Turns that failed.", labels=["job"]), board.failures),
            (CounterMetricFamily("trinco_worker_job_rows", "What was done.", labels=["job"]), board.rows),
        )
        for family, numbers in families:
            for job in self._jobs:
                family.add_metric([job], numbers.get(job, 0))
            yield family


class Traffic(Collector):
    """Requests to the panel, by the first digit of their status. Counted around the whole application."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()

    def around(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """The same WSGI application, counted."""

        def counted(environ: Any, start_response: Callable[..., Any]) -> Any:
            def start(status: str, *rest: Any) -> Any:
                self.statuses[f"{status[:1]}xx"] += 1
                return start_response(status, *rest)

            return application(environ, start)

        return counted

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily("trinco_panel_requests", "Requests to the panel, by status.", labels=["status"])
        for status in ("2xx", "3xx", "4xx", "5xx"):
            family.add_metric([status], self.statuses[status])
        yield family


class TablesCollector(Collector):
    """What the tables say. While the database is away there is `trinco_database_up 0`, and nothing else of them."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._asked_at = -FRESH
        self._said: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        if self._monotonic() - self._asked_at >= FRESH:
            self._said = self._ask()
            self._asked_at = self._monotonic()
        yield from self._said

    def _ask(self) -> list[Metric]:
        close_old_connections()
        try:
            now = clock.now()
            said = [metric for part in _PARTS for metric in part(now)]
        except (DatabaseError, InterfaceError):
            connection.close()
            return [GaugeMetricFamily(_UP, "1 while the database answers.", value=0)]
        return [GaugeMetricFamily(_UP, "1 while the database answers.", value=1), *said]


def _publication(_now: datetime) -> Iterator[Metric]:
    yield _gauge("revision", "The newest revision.", newest_revision())
    waiting = Standing.objects.everywhere().exclude(announced=F("current")).count()
    yield _gauge("announcements_waiting", "Policies whose id is not announced yet.", waiting)
    states = HostedDomain.objects.everywhere().order_by().values_list("state").annotate(Count("pk"))
    yield _labelled("domains", "Domains, by their state.", "state", dict(states))


def _edges(now: datetime) -> Iterator[Metric]:
    nodes = list(EdgeNode.objects.order_by("name"))
    left = {node.name: max(0.0, (node.lease_until - now).total_seconds()) for node in nodes}
    yield _labelled("edge_lease_seconds", "What is left of an edge's lease; 0: it ran out.", "edge", left)
    acknowledged = {node.name: node.acknowledged or 0 for node in nodes}
    yield _labelled("edge_acknowledged_revision", "The newest revision that an edge proved.", "edge", acknowledged)
    failing = {node.name: len(node.failing) for node in nodes}
    yield _labelled("edge_failing_policies", "Policies that an edge cannot fetch from itself.", "edge", failing)


def _reports(now: datetime) -> Iterator[Metric]:
    rows = RawReport.objects.everywhere().order_by()
    due = rows.filter(state=RawState.PENDING).aggregate(count=Count("pk"), oldest=Min("received_at"))
    age = (now - due["oldest"]).total_seconds() if due["oldest"] else 0.0
    yield _gauge("reports_pending", "Reports that wait to be read.", due["count"])
    yield _gauge("reports_pending_oldest_seconds", "Age of the oldest of them.", max(0.0, age))
    parked = dict(rows.filter(state=RawState.PARKED).values_list("channel").annotate(Count("pk")))
    yield _labelled("reports_parked", "Reports that could not be read, by channel.", "channel", parked)


def _certificates(now: datetime) -> Iterator[Metric]:
    served = Certificate.objects.everywhere().filter(domain__state__in=SERVED)
    newest = served.order_by().values("domain").annotate(last=Max("not_after"))
    bounds = {str(days): Q(last__lte=now + timedelta(days=days)) for days in DAYS}
    counts = newest.aggregate(
        least=Min("last"), all=Count("domain"), **{f"to_{d}": Count("domain", q) for d, q in bounds.items()}
    )
    yield _labelled("certificates", "Certificates that are served, by days left.", "days_left", _between(counts))
    ours = hosts.ours().values_list("not_after", flat=True)
    ends = [end for end in (counts["least"], *ours) if end]
    least = min(ends) if ends else now
    yield _gauge(
        "certificates_least_seconds", "What is left of the one that ends first.", (least - now).total_seconds()
    )
    yield _gauge(
        "certificates_failing",
        "Domains whose certificate could not be had lately.",
        Attempt.objects.everywhere().filter(domain__state__in=SERVED).count(),
    )
    pending = Order.objects.everywhere().filter(ended_at__isnull=True).count()
    yield _gauge("certificate_orders_pending", "Orders under way at authorities.", pending)


def _events(_now: datetime) -> Iterator[Metric]:
    """Each event once, however many names it touches and however long it lasts."""
    kinds = Event.objects.everywhere().order_by().values_list("kind")
    every = dict.fromkeys(EventKind.values, 0)
    lasting = {**every, **dict(kinds.filter(ended_at__isnull=True).annotate(Count("pk")))}
    yield _labelled("certificate_events_open", "Events of certificates that last, by kind.", "kind", lasting)
    opened = {**every, **dict(kinds.annotate(Count("pk")))}
    family = CounterMetricFamily("trinco_certificate_events", "Events of certificates that began.", labels=["kind"])
    for kind, number in opened.items():
        family.add_metric([kind], number)
    yield family


def _webhooks(_now: datetime) -> Iterator[Metric]:
    rows = Delivery.objects.everywhere().order_by().values_list("state").annotate(Count("pk"))
    counts = {**dict.fromkeys((DeliveryState.WAITING, DeliveryState.FAILED), 0), **dict(rows)}
    waiting, failed = counts[DeliveryState.WAITING], counts[DeliveryState.FAILED]
    yield _gauge("webhook_deliveries_pending", "Deliveries to webhooks that wait.", waiting)
    yield _gauge("webhook_deliveries_failed", "Deliveries of the last 30 days that were given up.", failed)
    stopped = Webhook.objects.everywhere().filter(stopped_at__isnull=False).count()
    yield _gauge("webhooks_stopped", "Webhooks that were switched off by themselves.", stopped)


def _between(counts: Mapping[str, Any]) -> dict[str, float]:
    """From how many end before each bound to how many end between two."""
    numbers, before = dict[str, float](), 0
    for days in DAYS:
        numbers[str(days)] = counts[f"to_{days}"] - before
        before = counts[f"to_{days}"]
    return {**numbers, "more": counts["all"] - before}


_PARTS: Final = (_publication, _edges, _reports, _certificates, _events, _webhooks)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"trinco_{name}", help_text, value=value)


def _labelled(name: str, help_text: str, label: str, numbers: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"trinco_{name}", help_text, labels=[label])
    for value, number in numbers.items():
        family.add_metric([str(value)], number)
    return family
