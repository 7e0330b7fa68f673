"""All of it on one PostgreSQL: `trinco panel`, `trinco worker` and two `trinco edge`, as real processes."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import dns.message
import dns.query
import pytest
from tests.edge.installation import LEAKS, Edge, Installation, installed, until
from tests.edge.prober import Prober
from tests.support_postgres import Postgres, postgres

from trinco.cli import ports
from trinco.edge.fence import LEASE

pytestmark = [pytest.mark.filterwarnings(LEAKS), pytest.mark.slow, pytest.mark.timeout(1200)]
NAMES = ("um.example", "dois.example")


@dataclass
class Whole:
    """The installation, its server, and where its panel listens."""

    made: Installation
    server: Postgres
    panel: str

    def readiness(self) -> int:
        """The status of the panel's /readyz; 0: nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.panel}/readyz", timeout=60) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def serves(self, name: str, number: int) -> bool:
        """Whether both edges give this version and announce it."""
        context = self.made.context()
        bodies = [edge.body(name, context) or b"" for edge in self.made.edges]
        return self.made.announced(name) and all(f"mx: v{number}.{name}\r\n".encode() in body for body in bodies)


@contextmanager
def whole(data, *, own_addresses: bool = False) -> Iterator[Whole]:
    with postgres() as server, installed(data, *NAMES, database=server.url) as made, ExitStack() as stack:
        port = ports.free([("127.0.0.1", 0, ports.TCP)])
        environment = made.edges[0].environment | {
            "TRINCO_PANEL_LISTEN": f"127.0.0.1:{port}",
            "TRINCO_RESOLVERS": "127.0.0.1:9",
        }
        for role in ("panel", "worker"):
            log = stack.enter_context((data / f"{role}.log").open("wb"))
            command = [sys.executable, "-m", "trinco", role]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        for edge in made.edges:
            edge.environment["TRINCO_EDGE_ADDRESSES"] = edge.address if own_addresses else ""
            edge.start(wait=False)
        yield Whole(made, server, f"http://127.0.0.1:{port}")


def test_a_policy_reaches_both_edges_and_all_outlive_the_database(tmp_path):
    """Issue 4: panel, edges and worker on one PostgreSQL. RFC 8461 section 8.1: body first, then id. RELIABILITY 3:
    policies and DNS are served while the database is away, for any time."""
    with whole(tmp_path) as it:
        until(lambda: it.readiness() == 200)
        until(lambda: all(it.serves(name, 1) for name in NAMES))
        with Prober(it.made, {it.made.do("current", name)[0]: 1 for name in NAMES}) as prober:
            for number in (2, 3):
                for name in NAMES:
                    prober.numbers[it.made.do("publish", name, number)] = number
                until(lambda number=number: all(it.serves(name, number) for name in NAMES))
            it.server.stop()
            until(lambda: all("database_away" in edge.say() for edge in it.made.edges))
            silent = prober.silences
            time.sleep(LEASE + 3)
            assert prober.silences == silent
            assert it.readiness() == 503
            it.server.start()
            prober.numbers[it.made.do("publish", NAMES[0], 4)] = 4
            until(lambda: it.serves(NAMES[0], 4), it.made.edges[0].say)
            until(lambda: it.readiness() == 200)
        assert (prober.violations, prober.faults) == ([], [])
        assert prober.bodies > prober.looks


def addresses(edge: Edge, label: str) -> list[str]:
    """The A records of the policy host, as this edge tells them."""
    query = dns.message.make_query(f"{label}.policy.trinco.example", "A")
    reply = dns.query.udp(query, edge.address, timeout=60, port=edge.dns_port)
    return sorted(rdata.address for rrset in reply.answer for rdata in rrset)


def test_an_edge_that_is_gone_leaves_the_zone_and_comes_back_in_step(tmp_path):
    """RELIABILITY 5, 2: it is taken out of the address set, and never rejoins before it has the newest version."""
    with whole(tmp_path, own_addresses=True) as it:
        first, second = it.made.edges
        name, label = NAMES[0], it.made.labels[NAMES[0]]
        until(lambda: all(it.serves(name, 1) for name in NAMES))
        assert addresses(first, label) == [first.address, second.address]
        with Prober(it.made, {it.made.do("current", name)[0]: 1 for name in NAMES}, focus=name) as prober:
            second.kill()
            until(lambda: addresses(first, label) == [first.address])
            prober.numbers[it.made.do("publish", name, 2)] = 2
            until(lambda: it.made.announced(name))
            second.start()
            until(lambda: addresses(first, label) == [first.address, second.address])
            assert b"mx: v2." in (second.body(name, it.made.context()) or b"")
            until(lambda: addresses(second, label) == [first.address, second.address])
        assert (prober.violations, prober.faults) == ([], [])
