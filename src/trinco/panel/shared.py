"""Django's cache in a table: what all processes of the panel count and remember together.

Attempts at signing in, requests within a minute, one-time codes that were used: each is wrong when every process keeps
its own. `add` and `incr` are one deed of the database, of two at once one comes first. Nothing is pushed out before its
time, since a code that was forgotten early could be used again. Values are JSON: what is read is never run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import models, transaction
from django.utils import timezone

_SWEPT: Final = 60.0
"""Seconds between two sweeps of one process."""
_FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


class SharedCache(BaseCache):
    """The backend that `settings.CACHES` names."""

    def __init__(self, _location: str, params: Mapping[str, Any]) -> None:
        super().__init__(dict(params))
        self._swept: float | None = None

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        self._sweep()
        name, facts = self._name(key, version), self._facts(value, timeout)
        if self._rows().filter(key=name, expires_at__lte=timezone.now()).update(**facts):
            return True
        return bool(self._rows().get_or_create(key=name, defaults=facts)[1])

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        found = self._living(key, version).first()
        return default if found is None else found.value

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._sweep()
        self._rows().update_or_create(key=self._name(key, version), defaults=self._facts(value, timeout))

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._living(key, version).update(expires_at=self._until(timeout)))

    @transaction.atomic
    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError: there is no such key."""
        row = self._living(key, version).select_for_update().first()
        if row is None:
            raise ValueError(key)
        row.value += delta
        row.save(update_fields=["value"])
        return int(row.value)

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(self._rows().filter(key=self._name(key, version)).delete()[0])

    def clear(self) -> None:
        self._rows().delete()

    def _name(self, key: str, version: int | None) -> str:
        return str(self.make_and_validate_key(key, version=version))

    def _living(self, key: str, version: int | None) -> models.QuerySet[Any]:
        return self._rows().filter(key=self._name(key, version), expires_at__gt=timezone.now())

    def _facts(self, value: Any, timeout: Any) -> dict[str, Any]:
        return {"value": value, "expires_at": self._until(timeout)}

    def _until(self, timeout: Any) -> datetime:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return _FOR_EVER if seconds is None else timezone.now() + timedelta(seconds=seconds)

    def _sweep(self) -> None:
        """Take away what is over, now and then."""
        now = time.monotonic()
        if self._swept is None or now - self._swept >= _SWEPT:
            self._swept = now
            self._rows().filter(expires_at__lte=timezone.now()).delete()

    @staticmethod
    def _rows() -> models.QuerySet[Any]:
        """Looked up late: settings name this module before there are models."""
        rows: models.QuerySet[Any] = apps.get_model("accounts", "SharedValue").objects.all()
        return rows
