"""The feed over SQLite when its file is missing, another one, or locked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from django.db import connection

from trinco.core.errors import FeedUnavailable
from trinco.panel.feeds import DatabaseFeed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def zone(settings):
    return settings.CONFIG.zone


def moved(path: Path) -> Path:
    """Take the file away, with all that was committed: what is in the WAL alone would not go with it."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.rename(path.with_suffix(".away"))


def registered(zone) -> DatabaseFeed:
    made = DatabaseFeed("edge1", zone)
    made.register(None)
    return made


class TestNoDatabase:
    """edge.ports.Feed: whatever is wrong with the database is FeedUnavailable, and is over when it is right again."""

    @pytest.fixture
    def path(self) -> Path:
        return Path(connection.settings_dict["NAME"])

    def test_a_missing_file(self, zone, path):
        feed = registered(zone)
        away = moved(path)
        try:
            for call in (feed.revision, feed.renew, feed.leave, lambda: feed.changes(None)):
                with pytest.raises(FeedUnavailable):
                    call()
            assert not path.exists()
        finally:
            away.rename(path)
        assert feed.revision() == 0

    def test_a_file_put_in_place_of_another(self, zone, path):
        """An open connection would go on with the file that is no longer there."""
        feed = registered(zone)
        away = moved(path)
        sqlite3.connect(path).close()
        try:
            with pytest.raises(FeedUnavailable, match="no such table"):
                feed.revision()
        finally:
            away.rename(path)
        assert feed.revision() == 0

    def test_a_locked_one(self, zone, path):
        feed = registered(zone)
        connection.connection.execute("PRAGMA busy_timeout=50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(FeedUnavailable, match="locked"):
                feed.renew()
        finally:
            other.close()
        feed.renew()
