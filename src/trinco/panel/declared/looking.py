"""The mail servers of domains that are to enforce, read from DNS where they are not known as `enforce` wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from django.conf import settings

from trinco.core.errors import DnsFailure
from trinco.net import dns
from trinco.panel.checks.sights import mail_servers

_SECONDS = 20
"""Of one look, as the worker's."""

Servers = tuple[tuple[int, str], ...]
"""(preference, host)."""


def looked(names: Iterable[str]) -> dict[str, Servers]:
    """By name, what DNS shows now; a name that got no answer is not there. All are asked at the same time."""
    wanted = list(names)
    return asyncio.run(_all(wanted)) if wanted else {}


async def _all(names: list[str]) -> dict[str, Servers]:
    asking = dns.configured(settings.CONFIG)
    found = await asyncio.gather(*(_one(asking, name) for name in names))
    return {name: servers for name, servers in zip(names, found, strict=True) if servers is not None}


async def _one(asking: dns.Dns, name: str) -> Servers | None:
    try:
        async with asyncio.timeout(_SECONDS):
            return await mail_servers(asking, name)
    except (DnsFailure, TimeoutError):
        return None
