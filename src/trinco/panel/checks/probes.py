"""STARTTLS of the mail servers of live domains, every hour and when a person asks.

A host that serves many domains is talked to once, and every domain that has it is told. Nothing is concluded here: what
was seen is written down beside the MX host, for the pages and for the gates before enforce.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import datetime

import structlog
from django.conf import settings

from trinco.core.errors import DnsFailure
from trinco.net import dns as look_ups
from trinco.net import https, smtp
from trinco.net.dns import Dns
from trinco.net.smtp import Caller, Probe
from trinco.panel import clock
from trinco.panel.checks import schedule, status
from trinco.panel.domains.models import MxSighting, Starttls, State
from trinco.panel.roots import roots

AT_ONCE = 24
"""Hosts that are talked to at the same time."""
_ADDRESSES = 3
"""Of one host, tried in turn until one answers."""
_PROBLEM_CHARACTERS = 255
_log = structlog.get_logger("trinco.checks")


def probe_due(now: datetime) -> int:
    """Probe the hosts that are due, a bounded number, and write down what they answered. How many hosts there were."""
    hosts = schedule.take_hosts(now, AT_ONCE)
    for host, probe in _probes(hosts) if hosts else ():
        try:
            _note(host, probe, clock.now())
        except Exception as error:  # noqa: BLE001 - the outermost loop of one host's probe
            _log.error("probe lost", host=host, error=f"{type(error).__name__}: {error}")
    return len(hosts)


def _probes(hosts: list[str]) -> Iterator[tuple[str, Probe]]:
    """The probe of each host, as soon as it is complete."""
    with asyncio.Runner() as runner:
        loop, dns, context = runner.get_loop(), look_ups.configured(settings.CONFIG), https.context(roots())
        running = {loop.create_task(_probe(dns, host, context)): host for host in hosts}
        while running:
            for task in runner.run(_some(running)):
                yield running.pop(task), task.result()


async def _some(running: dict[asyncio.Task[Probe], str]) -> set[asyncio.Task[Probe]]:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _probe(dns: Dns, host: str, context: ssl.SSLContext) -> Probe:
    """One host's probe, whatever happens: a fault in it is one line in the log and stops no other."""
    try:
        return await probe_host(dns, host, context)
    except Exception as error:  # noqa: BLE001 - the outermost loop of one probe
        _log.error("probe failed", host=host, error=f"{type(error).__name__}: {error}")
        return Probe(problem="the probe itself failed")


async def probe_host(dns: Dns, host: str, context: ssl.SSLContext) -> Probe:
    """Talk to the first address of `host` that answers; the guard judges each literal before it is dialled."""
    try:
        addresses = await dns.addresses(host)
    except DnsFailure as error:
        return Probe(problem=str(error))
    if not addresses:
        return Probe(problem="the host has no address")
    found = Probe(problem=f"none of its addresses may be dialled: {', '.join(addresses[:_ADDRESSES])}")
    config = settings.CONFIG
    for address in dns.guard.permitted(addresses)[:_ADDRESSES]:
        found = await smtp.probe(host, address, config.smtp_port, context, Caller(helo=str(config.base)))
        if found.reached:
            break
    return found


def result(probe: Probe) -> Starttls:
    """The probe in one word."""
    if not probe.reached:
        return Starttls.UNREACHABLE
    if not probe.starttls:
        return Starttls.NOT_OFFERED
    return Starttls.OK if probe.verified else Starttls.BAD_CERTIFICATE


def _note(host: str, probe: Probe, now: datetime) -> None:
    """Tell every live domain that has this host; work out anew the levels of those to which it is news."""
    rows = MxSighting.objects.everywhere().filter(host=host, domain__state=State.LIVE)
    news = list(rows.exclude(starttls=result(probe), not_after=probe.not_after).values_list("domain", flat=True))
    rows.update(
        starttls=result(probe),
        tls_version=probe.tls_version,
        problem=probe.problem[:_PROBLEM_CHARACTERS],
        not_after=probe.not_after,
        probed_at=now,
        probe_due_at=now + schedule.PROBE_EVERY,
    )
    status.refresh_by_key(news, now)
