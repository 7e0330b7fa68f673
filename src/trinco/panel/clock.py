"""What time it is, for whoever reads or writes leases: the database says, since several machines never agree."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone


def now() -> datetime:
    """The database server's clock; with SQLite, whose users share a machine, that machine's. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def due(field: str, now: datetime, afar: timedelta) -> Q:
    """What is to be done by now, and what is to be done later than anything ever waits: `afar` from now. A clock that
    was ahead wrote that, and nobody could wait for it."""
    return Q(**{f"{field}__lte": now}) | Q(**{f"{field}__gt": now + afar})
