"""The status listener of a role: in a thread of its own where the work is not in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from django.db import DatabaseError
from prometheus_client import CollectorRegistry

from trinco.config import Endpoint
from trinco.edge import status_host
from trinco.panel import health, metrics

_log = structlog.get_logger("trinco.status")

More = Callable[[], tuple[bool, Mapping[str, str]]]
"""What else must be well, and its words."""


def _nothing_more() -> tuple[bool, Mapping[str, str]]:
    return True, {}


class TablesRole:
    """A process that works on the tables, as a `status_host.Role`.

    It blocks, while a thread of its own asks: Django lets no thread with an event loop near the tables.
    """

    def __init__(self, registry: CollectorRegistry, more: More = _nothing_more) -> None:
        self._registry = registry
        self._more = more
        self._thread = ThreadPoolExecutor(1, "status-tables")

    def ready(self) -> tuple[bool, Mapping[str, str]]:
        """Ready when the tables answer and are up to date, and what else there is to see is well."""
        words = self._thread.submit(_tables).result()
        if words["status"] != health.READY:
            return False, words
        well, more = self._more()
        return well, {**words, **more}

    def metrics(self) -> bytes:
        return self._thread.submit(metrics.text, self._registry).result()


def _tables() -> dict[str, str]:
    word = health.database()
    try:
        return {"status": word, **health.remarks()} if word == health.READY else {"status": word}
    except DatabaseError:
        return {"status": "database"}


def answering(role: status_host.Role, endpoints: Sequence[Endpoint]) -> None:
    """As `watched`, from a thread of its own, as long as the process lives. No endpoint: nothing."""
    if endpoints:
        work = partial(asyncio.run, _for_ever(role, endpoints))
        threading.Thread(target=work, name="status", daemon=True).start()


async def _for_ever(role: status_host.Role, endpoints: Sequence[Endpoint]) -> None:
    async with watched(role, endpoints):
        await asyncio.Event().wait()


@asynccontextmanager
async def watched(role: status_host.Role, endpoints: Sequence[Endpoint]) -> AsyncIterator[None]:
    """Answer at these endpoints until the block is left.

    An endpoint that is taken is one line in the log: nobody's work stops for want of being watched.
    """
    async with AsyncExitStack() as stack:
        try:
            bound = await stack.enter_async_context(status_host.listen(role, endpoints))
        except OSError as error:
            _log.error("status not listening", reason=str(error))
        else:
            _log.info("status listening", endpoints=bound)
        yield
