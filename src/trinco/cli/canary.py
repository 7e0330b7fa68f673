"""The canary: a domain of the installation's own, looked at each minute from outside, as a sending mail server does.

Nothing of what the database knows is asked: the TXT record comes from a resolver, then from each name server of the
zone at its public address; the policy from each public address of the policy hosts, under TLS that verifies
(RFC 8461 sections 3.1, 3.3). What one address serves otherwise than the others is found here too.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.flags
import dns.rdatatype
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trinco.config import Config
from trinco.core.errors import DnsFailure, TrincoError
from trinco.core.mtasts import policy, record
from trinco.core.names import Domain
from trinco.net import https
from trinco.net.dns import configured
from trinco.net.wire import ask, question

EVERY: Final = 60.0
OLD: Final = 3 * EVERY
"""Seconds after which what was seen says nothing any more."""
SECONDS: Final = 5.0
"""Patience with one address."""
_log = structlog.get_logger("trinco.worker")


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was looked at. `problem` "": it is as it should be."""

    part: str
    """`resolver`, `name server`, `policy host`."""
    address: str
    seconds: float
    said: bytes = b""
    """What is compared with the others: an id, or a body."""
    problem: str = ""


async def look(config: Config, domain: Domain, roots: Sequence[Path]) -> list[Sight]:
    """Look at everything once."""
    context = https.context()
    for path in roots:
        context.load_verify_locations(path)
    found, target = await _resolved(config, domain)
    servers = [address for server in config.nameservers for address in server.addresses]
    port = config.policy_port
    names = [_timed("name server", a, _record((a, config.authority_port), target)) for a in servers if target]
    hosts = [
        _timed("policy host", a, _body(https.fetch_policy(domain, a, port, context))) for a in config.policy_addresses
    ]
    return [found, *_agreeing(await asyncio.gather(*names)), *_agreeing(await asyncio.gather(*hosts))]


async def _resolved(config: Config, domain: Domain) -> tuple[Sight, str]:
    """What a resolver says, and the name in our zone that it came to."""
    name, target = f"_mta-sts.{domain}", ""

    async def resolved() -> bytes:
        nonlocal target
        answer = await configured(config).resolve(name, "TXT")
        target = (answer.values("CNAME") or (name,))[-1]
        return record.select(answer.values("TXT")).id.encode()

    return await _timed("resolver", "", resolved()), target


async def _record(endpoint: tuple[str, int], target: str) -> bytes:
    reply = await ask(question(target, "TXT"), endpoint, SECONDS)
    if not reply.flags & dns.flags.AA:
        raise DnsFailure("it has no authority for the zone")
    sets = [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.TXT]
    return record.select(b"".join(text.strings).decode("ascii") for rrset in sets for text in rrset).id.encode()


async def _body(fetched: Awaitable[bytes]) -> bytes:
    body = await fetched
    policy.parse(body)
    return body


async def _timed(part: str, address: str, asked: Awaitable[bytes]) -> Sight:
    began, said, problem = time.monotonic(), b"", ""
    try:
        said = await asked
    except (TrincoError, UnicodeError) as error:
        problem = str(error) or type(error).__name__
    return Sight(part, address, time.monotonic() - began, said, problem)


def _agreeing(sights: Sequence[Sight]) -> list[Sight]:
    """The same, where what differs from what most of them say is a problem of its own."""
    said = [sight.said for sight in sights if not sight.problem]
    usual = max(said, key=said.count, default=b"")
    odd = "it says something else than the others"
    return [s if s.problem or s.said == usual else Sight(s.part, s.address, s.seconds, s.said, odd) for s in sights]


class Canary(Collector):
    """What was seen last, for the numbers and for `/readyz`. Looked at from a thread of its own."""

    def __init__(self, config: Config, domain: Domain) -> None:
        self._config = config
        self._domain = domain
        self._sights: list[Sight] = []
        self._looked_at = time.time()

    def keep_looking(self, stop: threading.Event) -> None:
        """Look each minute until `stop` is set."""
        while not stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the outermost loop of a job
                _log.error("canary failed", error=f"{type(error).__name__}: {error}")
            stop.wait(EVERY)

    def look(self) -> None:
        """Look once. What changes between well and not well is said in the log."""
        before, roots = self.problems, [self._config.data / "ca.pem", self._config.acme_ca_file]
        self._sights = asyncio.run(
            look(self._config, self._domain, [path for path in roots if path and path.is_file()])
        )
        self._looked_at = time.time()
        if self.problems != before:
            _log.warning("canary", problems="; ".join(self.problems) or "none any more")

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence each."""
        return [f"{s.part} {s.address}: {s.problem}".replace(" :", ":") for s in self._sights if s.problem]

    def ready(self) -> tuple[bool, Mapping[str, str]]:
        """Whether all was well within the last minutes, and the words for it."""
        if time.time() - self._looked_at > OLD:
            return False, {"status": "canary", "canary": "nobody has looked for minutes"}
        if self.problems:
            return False, {"status": "canary", "canary": "; ".join(self.problems)}
        return True, {"canary": "well" if self._sights else "not looked at yet"}

    def collect(self) -> Iterator[Metric]:
        labels, sights = ["part", "address"], self._sights
        well = GaugeMetricFamily("trinco_canary_ok", "1: seen as it should be, 0: not.", labels=labels)
        took = GaugeMetricFamily("trinco_canary_seconds", "How long that took.", labels=labels)
        for sight in sights:
            well.add_metric([sight.part, sight.address], 0 if sight.problem else 1)
            took.add_metric([sight.part, sight.address], sight.seconds)
        yield from (well, took)
        last = "trinco_canary_last_timestamp_seconds"
        yield GaugeMetricFamily(last, "When the canary was last looked at.", value=self._looked_at if sights else 0)
