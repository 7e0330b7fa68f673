"""Is it alive, and can it work?"""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from trinco.panel import migrating


def ask(path):
    response = Client().get(path, headers={"host": "10.1.2.3"})  # a load balancer asks by address
    return response.status_code, response.json(), response["Cache-Control"]


class TestHealth:
    def test_alive_without_a_database(self):
        assert ask("/healthz") == (200, {"status": "live"}, "no-store")

    def test_ready(self, db):
        assert ask("/readyz") == (200, {"status": "ready"}, "no-store")

    def test_not_ready_while_tables_are_behind(self, db):
        MigrationRecorder(connection).migration_qs.filter(app="policies").delete()
        assert ask("/readyz") == (503, {"status": "migrations"}, "no-store")

    def test_not_ready_without_the_database(self, db, monkeypatch):
        def gone(_connection):
            raise OperationalError

        monkeypatch.setattr(migrating, "MigrationExecutor", gone)
        assert ask("/readyz") == (503, {"status": "database"}, "no-store")

    @pytest.mark.django_db
    def test_another_path_goes_on_to_the_check_of_the_host(self):
        assert Client().get("/healthz/", headers={"host": "10.1.2.3"}).status_code == 400
