"""Whether the listeners of `trinco serve` answer yet: asked until they do, each in its own protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import dns.asyncquery
import dns.exception
import dns.message

from trinco.config import Config, Endpoint

PAUSE = 0.1
"""Seconds between two questions."""
SECONDS = 3.0
"""So long an answer may take; a name server's, a third of it."""

Probe = Callable[[], Awaitable[bool]]


def probes(settings: Config) -> dict[str, Probe]:
    """The question for each listener, by a name for people."""
    asked: dict[str, Probe] = {
        "panel": lambda: panel_answers(settings.panel_listen),
        "policy host": lambda: accepts(settings.policy_listen[0]),
        "name server": lambda: name_server_answers(settings.dns_listen[0], str(settings.base)),
    }
    if settings.smtp_listen:
        asked["report mailbox"] = lambda: mailbox_answers(settings.smtp_listen[0])
    if settings.http_listen:
        asked["challenges"] = lambda: accepts(settings.http_listen[0])
    if settings.front_listen:
        asked["front"] = lambda: accepts(settings.front_listen[0])
    if settings.playground:
        asked["playground"] = lambda: name_server_answers(settings.playground_listen, "example")
    return asked


async def ready(settings: Config) -> None:
    """Return when everything answers. Never raises; put a time limit around it to give up."""
    await asyncio.gather(*(_until(probe) for probe in probes(settings).values()))


async def silent(settings: Config) -> list[str]:
    """The listeners that do not answer at this moment."""
    return [name for name, probe in probes(settings).items() if not await probe()]


async def _until(probe: Probe) -> None:
    while not await probe():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(PAUSE)


async def accepts(endpoint: Endpoint) -> bool:
    """Whether a TCP connection is taken."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*endpoint), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def panel_answers(endpoint: Endpoint) -> bool:
    """Whether the panel says that it is alive and that its database answers."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(*endpoint)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return line.split(b" ")[1:2] == [b"200"]


async def mailbox_answers(endpoint: Endpoint) -> bool:
    """Whether a mail server greets whoever connects (RFC 5321 section 3.1)."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(*endpoint)
            try:
                greeting = await reader.read(3)
                writer.write(b"QUIT\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return greeting == b"220"


async def name_server_answers(endpoint: Endpoint, name: str) -> bool:
    """Whether a query over UDP gets any reply."""
    query = dns.message.make_query(name, "SOA")
    try:
        await dns.asyncquery.udp(query, endpoint[0], timeout=SECONDS / 3, port=endpoint[1])
    except (OSError, dns.exception.DNSException):
        return False
    return True
