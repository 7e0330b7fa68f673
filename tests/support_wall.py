"""The role that PostgreSQL's policies bind, made for the tests."""

from __future__ import annotations

from django.db import connection

from trinco.panel import wall, wall_tables
from trinco.panel.walled import STANDING


def built() -> None:
    """The wall stands, in the database under test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [wall.ROLE])
        if not cursor.fetchone()[0]:
            cursor.execute(f"CREATE ROLE {wall.ROLE} NOLOGIN")
    assert wall_tables.raise_up()
    assert STANDING.stands()
