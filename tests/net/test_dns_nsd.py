"""Look-ups at a name server that we did not write: what NSD says is what is told."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests import support_dns as lab
from tests.support import needs

from trinco.core.errors import DnsFailure
from trinco.net.dns import Answer, Dns, Record
from trinco.net.guard import Guard

ADDRESS = "127.0.0.53"
ZONE = """@ 300 IN SOA ns hostmaster 1 3600 600 1209600 300
@ 300 IN NS ns
ns 300 IN A 127.0.0.53
_mta-sts 300 IN CNAME l1.mta-sts.trinco.example.
*.wild 300 IN TXT "from a wildcard"
sub 300 IN NS ns.elsewhere.example.
many 300 IN TXT "0"
""" + "".join(f'many 300 IN TXT "{n:0200}"\n' for n in range(1, 12))
CONFIGURATION = """server:
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  database: ""
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: a.example
  zonefile: zone
"""


@pytest.fixture(scope="module")
def look_ups(tmp_path_factory) -> Iterator[Dns]:
    """A resolver of ours that knows where the zone is, and NSD that holds it."""
    program, directory = needs("nsd"), tmp_path_factory.mktemp("nsd")
    (directory / "zone").write_text(ZONE)
    with lab.internet({"a.example": ZONE}) as world, running(program, directory, world.port):
        yield Dns(world.resolvers, world.port, Guard((ip_network("127.0.0.0/8"),)), 60.0)


@contextmanager
def running(program: str, directory: Path, port: int) -> Iterator[None]:
    configuration = directory / "nsd.conf"
    configuration.write_text(CONFIGURATION.format(address=ADDRESS, port=port, directory=directory))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "-d", "-c", str(configuration)], stdout=log, stderr=log)
    try:
        asyncio.run(answering(port, time.monotonic() + 60))
        yield
    finally:
        process.terminate()
        process.wait(60)


async def answering(port: int, deadline: float) -> None:
    """Wait until NSD listens (over TCP, which fails at once while it does not)."""
    while True:
        try:
            _, writer = await asyncio.open_connection(ADDRESS, port)
        except OSError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return


def ask(look_ups: Dns, name: str, rdtype: str) -> Answer:
    fresh = Dns(look_ups.resolvers, look_ups.authority_port, look_ups.guard, look_ups.timeout)
    return asyncio.run(fresh.authoritative(name, rdtype))


class TestBesideNsd:
    def test_a_cname_as_it_stands(self, look_ups):
        record = Record("_mta-sts.a.example", "CNAME", 300, "l1.mta-sts.trinco.example")
        assert ask(look_ups, "_mta-sts.a.example", "CNAME") == Answer("NOERROR", (record,), aa=True)
        assert ask(look_ups, "_MTA-STS.a.example", "CAA").values("CNAME") == ("l1.mta-sts.trinco.example",)

    def test_nothing(self, look_ups):
        assert ask(look_ups, "mta-sts.a.example", "CNAME") == Answer("NXDOMAIN", (), aa=True)
        assert ask(look_ups, "a.example", "TYPE1000") == Answer("NOERROR", (), aa=True)

    def test_a_wildcard(self, look_ups):
        record = Record("x.wild.a.example", "TXT", 300, "from a wildcard")
        assert ask(look_ups, "x.wild.a.example", "TXT") == Answer("NOERROR", (record,), aa=True)

    def test_more_than_fits_into_a_datagram(self, look_ups):
        assert len(ask(look_ups, "many.a.example", "TXT").values("TXT")) == 12

    def test_below_a_delegation_it_is_not_the_one_to_ask(self, look_ups):
        with pytest.raises(DnsFailure):
            ask(look_ups, "x.sub.a.example", "TXT")
