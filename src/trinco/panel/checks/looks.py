"""Looks at many domains at once, each told the moment it is complete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import structlog
from django.conf import settings

from trinco.net import dns as look_ups
from trinco.panel.certificates.models import Account
from trinco.panel.checks import caa
from trinco.panel.checks.by_hand import ByHand, Sight
from trinco.panel.checks.sights import Subject, View, view
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, Way
from trinco.panel.domains.reporting import report_text
from trinco.panel.domains.services import served_elsewhere
from trinco.panel.policies.ways import text_of

AT_ONCE = 32
"""Domains that are looked at at the same time."""
_REFILL_SECONDS = 0.5
_STOP_REFILLING_SECONDS = 10.0
_LONGEST_SECONDS = 20.0
"""Of one look: whatever its name servers do, a lease outlives it."""
_log = structlog.get_logger("trinco.checks")

Due = Callable[[int], list[HostedDomain]]
"""Takes at most so many more domains that are due."""


def subject(domain: HostedDomain) -> Subject:
    """What the conversation must know of a row."""
    config = settings.CONFIG
    accounts = Account.objects.exclude(url="").values_list("url", flat=True)
    return Subject(domain.name, domain.label, str(config.base), caa.issuers(config, accounts), _by_hand(domain))


def _by_hand(domain: HostedDomain) -> ByHand:
    """What is wanted where the owner publishes no CNAME; read only where there is such a record."""
    config = settings.CONFIG
    text = text_of(domain) if domain.sts_way != Way.CNAME else None
    return ByHand(
        addresses=frozenset(config.policy_addresses) if domain.host_way != Way.CNAME else None,
        text=text,
        report_text=report_text(domain) if domain.tlsrpt_way != Way.CNAME else None,
        contested=text == "" and served_elsewhere(domain),
    )


def views(due: Due) -> Iterator[tuple[HostedDomain, View]]:
    """Look at what is due until nothing is, or for ten seconds; the event loop stands still while the caller writes
    down what it got. A domain with slow name servers delays no other."""
    began, running = time.monotonic(), dict[asyncio.Task[View], HostedDomain]()
    with asyncio.Runner() as runner:
        while True:
            if time.monotonic() - began < _STOP_REFILLING_SECONDS:
                _start(runner.get_loop(), due(AT_ONCE - len(running)), running)
            if not running:
                return
            for task in runner.run(_some(running)):
                yield running.pop(task), task.result()


def one(domain: HostedDomain) -> View:
    """Look at one domain now."""
    return asyncio.run(_look(look_ups.configured(settings.CONFIG), subject(domain)))


def _start(
    loop: asyncio.AbstractEventLoop, domains: list[HostedDomain], running: dict[asyncio.Task[View], HostedDomain]
) -> None:
    dns = look_ups.configured(settings.CONFIG)
    for domain in domains:
        running[loop.create_task(_look(dns, subject(domain)))] = domain


async def _some(running: dict[asyncio.Task[View], HostedDomain]) -> set[asyncio.Task[View]]:
    done, _ = await asyncio.wait(running, timeout=_REFILL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _look(dns: look_ups.Dns, whom: Subject) -> View:
    """One domain's view, whatever happens: a fault in it is one line in the log and "unknown", and stops no other."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await view(dns, whom)
    except TimeoutError:
        return _unknown("the name servers took too long")
    except Exception as error:  # noqa: BLE001 - the outermost loop of one look
        _log.error("look failed", domain=whom.domain, error=f"{type(error).__name__}: {error}")
        return _unknown("")


def _unknown(seen: str) -> View:
    return View({record: Sight(Finding.UNKNOWN, seen) for record in RecordName})
