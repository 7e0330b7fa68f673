"""What time it is, for whoever reads or writes leases: the database says, since several machines never agree."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The database server's clock; with SQLite, whose users share a machine, that machine's. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
