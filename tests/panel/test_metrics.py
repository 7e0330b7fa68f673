"""The numbers of tables, jobs and panel."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from tests.support_panel import announced, edge, live, organisation, sight

from trinco.panel import metrics, worker
from trinco.panel.certificates.models import Certificate
from trinco.panel.certificates.services import issue_due
from trinco.panel.metrics import Board, BoardCollector, TablesCollector, Traffic


def numbers(*collectors) -> dict[str, float]:
    """The numbers of ours, by name and labels."""
    said = metrics.text(metrics.registry(*collectors)).decode()
    samples = [sample for family in text_string_to_metric_families(said) for sample in family.samples]
    ours = [sample for sample in samples if sample.name.startswith("trinco_")]
    return {"|".join([sample.name, *sample.labels.values()]): sample.value for sample in ours}


@pytest.fixture(autouse=True)
def _the_tests_connection_stays(monkeypatch):
    monkeypatch.setattr(metrics, "close_old_connections", lambda: None)


@pytest.mark.django_db
class TestTables:
    """What the tables say, and never of whom."""

    def test_domains_and_what_waits_to_be_announced(self):
        ours = organisation()
        announced(ours, "correio.example")
        live(ours, "lyonnaise.example")
        found = numbers(TablesCollector())
        assert (found["trinco_database_up"], found["trinco_domains|live"]) == (1, 2)
        assert found["trinco_announcements_waiting"] == 1

    def test_edges_by_their_lease(self):
        edge("there", acknowledged=5, failing=("label",), lease=timedelta(seconds=9))
        edge("gone", acknowledged=3, lease=timedelta(seconds=-60))
        found = numbers(TablesCollector())
        assert 8 < found["trinco_edge_lease_seconds|there"] <= 9
        assert found["trinco_edge_lease_seconds|gone"] == 0
        assert (found["trinco_edge_acknowledged_revision|there"], found["trinco_edge_failing_policies|there"]) == (5, 1)

    def test_certificates_by_the_days_that_they_have_left(self):
        ours = organisation()
        for name, days in (("a.example", -1), ("b.example", 2.5), ("c.example", 2.5), ("d.example", 80)):
            sight(live(ours, name))
            issue_due(timezone.now())
            newest = Certificate.objects.everywhere().filter(domain__name=name)
            newest.update(not_after=timezone.now() + timedelta(days=days))
        found = numbers(TablesCollector())
        counted = {name.partition("|")[2]: n for name, n in found.items() if name.startswith("trinco_certificates|")}
        assert counted == {"0": 1, "1": 0, "3": 2, "7": 0, "14": 0, "30": 0, "60": 0, "more": 1}
        assert found["trinco_certificates_least_seconds"] == pytest.approx(-86_400, abs=60)

    def test_no_name_of_a_tenant_is_said(self):
        domain = announced(organisation(), "correio.example")
        issue_due(timezone.now())
        said = metrics.text(metrics.registry(TablesCollector())).decode()
        assert [word for word in ("correio", domain.label, "ana@", "mx1") if word in said] == []

    def test_the_tables_are_asked_once_in_a_while_however_often_somebody_reads(self, django_assert_num_queries):
        now = [100.0]
        collector = TablesCollector(lambda: now[0])
        first = numbers(collector)
        now[0] += metrics.FRESH - 1
        with django_assert_num_queries(0):
            assert numbers(collector) == first
        now[0] += 1
        edge("new", acknowledged=0)
        assert "trinco_edge_lease_seconds|new" in numbers(collector)

    def test_without_the_database_it_says_that_and_nothing_else_of_it(self, monkeypatch):
        def gone(_now):
            raise OperationalError

        monkeypatch.setattr(metrics, "_PARTS", (gone,))
        assert numbers(TablesCollector()) == {"trinco_database_up": 0}


class TestJobs:
    """Worker jobs: last success, failures."""

    def test_what_was_done_and_what_failed(self, monkeypatch):
        monkeypatch.setattr(worker, "close_old_connections", lambda: None)
        monkeypatch.setattr(worker.connections, "close_all", lambda: None)
        monkeypatch.setattr(worker.clock, "now", timezone.now)
        stop, board = threading.Event(), Board()

        def fails(_now):
            stop.set()
            raise RuntimeError

        jobs = (worker.Job("works", lambda _now: 3, 60.0), worker.Job("fails", fails, 0.1))
        worker.run(stop, jobs, board=board)
        found = numbers(BoardCollector(board, [job.name for job in jobs]))
        assert found["trinco_worker_job_rows_total|works"] == 3
        assert found["trinco_worker_job_failures_total|fails"] == 1
        assert found["trinco_worker_job_last_success_timestamp_seconds|fails"] == 0
        last = found["trinco_worker_job_last_success_timestamp_seconds|works"]
        assert last == pytest.approx(timezone.now().timestamp(), abs=60)


class TestTraffic:
    """Requests to the panel, by the first digit of their status."""

    def test_each_answer_is_counted_and_passed_on(self):
        traffic, started = Traffic(), []

        def application(environ, start_response):
            start_response(environ["status"], [], None)
            return [b"body"]

        counted = traffic.around(application)
        for status in ("200 OK", "404 Not Found", "204 No Content"):
            assert counted({"status": status}, lambda *said: started.append(said)) == [b"body"]
        assert started[0] == ("200 OK", [], None)
        found = numbers(traffic)
        assert [found[f"trinco_panel_requests_total|{n}xx"] for n in (2, 3, 4, 5)] == [2, 0, 1, 0]
