"""The numbers of an edge, for Prometheus: made of plain integers at the moment when somebody asks.

No tenant's name is in a label. `trinco_edge_` is what every name begins with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dns.rcode import Rcode, to_text
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from trinco.edge.carrier import Carrier
from trinco.edge.intake import Intake
from trinco.edge.node import Node
from trinco.edge.serving import Serving
from trinco.edge.spool import Spool
from trinco.edge.tally import SILENCE, Tally

PREFIX: Final = "trinco_edge_"
_OK: Final = b"200"


@dataclass(slots=True)
class Sight:
    """What there is to see of an edge, filled in while it starts; None: not yet."""

    tally: Tally
    node: Node | None = None
    serving: Serving | None = None
    desk: Intake | None = None
    spool: Spool | None = None
    carrier: Carrier | None = None


class EdgeRole:
    """An edge as a `status_host.Role`: it looks into memory, and never waits."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._registry = CollectorRegistry()
        self._registry.register(EdgeCollector(sight))
        ProcessCollector(registry=self._registry)

    def ready(self) -> tuple[bool, Mapping[str, str]]:
        """Ready while policies are handed out: also from the snapshot, and then it says since when."""
        node = self._sight.node
        if node is None:
            return False, {"status": "starting"}
        words = {"revision": str(node.held.revision)}
        if node.stale_since is not None:
            words |= {"stale_since": node.stale_since.isoformat(timespec="seconds")}
        if not node.admit():
            return False, {"status": "fenced", **words}
        return True, {"status": "stale" if "stale_since" in words else "ready", **words}

    def metrics(self) -> bytes:
        return generate_latest(self._registry)


class EdgeCollector(Collector):
    """The numbers of this edge at this moment."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def collect(self) -> Iterator[Metric]:
        sight = self._sight
        yield from _https(sight.tally)
        if sight.serving is not None:
            yield _dns(sight.serving.answers.rcodes)
        if sight.node is not None:
            yield from _node(sight.node)
        if sight.desk is not None:
            yield _reports(sight.desk)
        if sight.spool is not None:
            yield from _spool(sight.spool)
        if sight.carrier is not None:
            since = sight.carrier.stale_since
            yield _gauge(
                "reports_waiting_seconds", "Since when the database takes no reports; 0: it does.", _age(since)
            )


def _https(tally: Tally) -> Iterator[Metric]:
    statuses = {line[9:12]: count for line, count in list(tally.statuses.items())}
    yield _counter("policies_served", "Policies handed out.", statuses.get(_OK, 0))
    responses = CounterMetricFamily(PREFIX + "https_responses", "Responses at the HTTPS door.", labels=["status"])
    for status, count in sorted(statuses.items()):
        responses.add_metric([status.decode("ascii")], count)
    yield responses
    handshakes = CounterMetricFamily(PREFIX + "tls_handshakes", "Hellos, by what became of them.", labels=["result"])
    results = {
        "done": tally.handshakes,
        "failed": tally.handshakes_failed,
        "refused": tally.hellos_refused,
        "fenced": tally.fenced,
    }
    for result, count in results.items():
        handshakes.add_metric([result], count)
    yield handshakes


def _dns(rcodes: list[int]) -> Metric:
    answers = CounterMetricFamily(PREFIX + "dns_answers", "DNS messages, by response code.", labels=["rcode"])
    for code, count in enumerate(rcodes):
        name = "none" if code == SILENCE else to_text(Rcode(code))
        if count or code in (0, SILENCE):
            answers.add_metric([name], count)
    return answers


def _node(node: Node) -> Iterator[Metric]:
    yield _gauge("revision", "The revision that is served.", node.held.revision)
    yield _gauge("domains", "Domains that are served.", len(node.held.domains))
    yield _gauge("stale_seconds", "Since when the database is away; 0: it is there.", _age(node.stale_since))
    yield _gauge("admits", "1 while policies may be handed out, 0 while this edge might be behind.", int(node.admit()))


def _reports(desk: Intake) -> Metric:
    family = CounterMetricFamily(PREFIX + "reports", "Reports at the doors.", labels=["channel", "outcome"])
    for (channel, outcome), count in sorted(desk.outcomes.items()):
        family.add_metric([channel, outcome], count)
    return family


def _spool(spool: Spool) -> Iterator[Metric]:
    state = spool.state()
    oldest = 0.0 if state.oldest is None else max(0.0, time.time() - state.oldest)
    yield _gauge("spool_octets", "Of reports on disk that the database does not have.", state.octets)
    yield _gauge("spool_files", "Files of such reports.", state.files)
    yield _gauge(
        "spool_left_files", "Files among them that could not be taken, and are offered again later.", state.left
    )
    yield _gauge("spool_oldest_seconds", "Age of the oldest of them.", oldest)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _age(since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())
