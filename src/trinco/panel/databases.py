"""The database behind the panel, from its URL: SQLite for one machine, PostgreSQL for several."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_BUSY_SECONDS = 20
_KEPT_SECONDS = 60
"""How long a thread keeps its connection."""

NO_LONG_WAIT = "SET LOCAL lock_timeout = '2s'"
"""In a transaction of PostgreSQL's that changes tables: who reads one meanwhile must not be kept waiting behind us."""
LOCKED = "55P03"
"""SQLSTATE when that time is over."""

_SQLITE: dict[str, Any] = {
    # FULL: a commit that was reported survives a power loss. IMMEDIATE: a transaction that will write takes its turn at
    # the start, instead of failing in its middle.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
    "transaction_mode": "IMMEDIATE",
    "timeout": _BUSY_SECONDS,
}
_POSTGRESQL: dict[str, Any] = {
    # The kernel's own keepalive would notice a vanished host after two hours only.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "connect_timeout": 10,
}


def database(url: str) -> dict[str, Any]:
    """The entry of `DATABASES` for `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/NAME?option=value`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(url.removeprefix("sqlite:///"))
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "CONN_MAX_AGE": _KEPT_SECONDS, "OPTIONS": _SQLITE}
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "trinco.panel.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": _KEPT_SECONDS,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**_POSTGRESQL, **options},
    }
