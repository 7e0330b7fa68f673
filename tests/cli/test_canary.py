"""The canary, against name servers and policy hosts on loopback addresses: well, and broken on purpose."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from tests import support_dns, support_tls
from tests.edge import policy_rig

from trinco import config
from trinco.cli import canary, ports
from trinco.core.hosting import NameServer
from trinco.core.names import Domain
from trinco.edge import dnsd, policy_host
from trinco.edge.answers import Answers
from trinco.edge.sni import Table

NAME, IDS = "correio.example", ("20260101T000000Z0badcafe", "20260202T000000Z0badcafe")
ADDRESSES = ("127.0.0.1", "127.0.0.2")
AUTHORITY = support_tls.Authority()
HOSTED = policy_rig.hosted(AUTHORITY, NAME, policy_id=IDS[0])
TARGET = f"{HOSTED.label}.mta-sts.trinco.example"
ZONES = {
    NAME: f"{support_dns.HEAD}_mta-sts 300 IN CNAME {TARGET}.\n",
    "trinco.example": f'{support_dns.HEAD}{HOSTED.label}.mta-sts 300 IN TXT "v=STSv1; id={IDS[0]};"\n',
}


def looked(tmp_path: Path, served=(HOSTED, HOSTED), *, zones=ZONES, roots: bool = True) -> dict[tuple[str, str], str]:
    """What is wrong with each part and address, "" for nothing, when each address serves its domain."""
    pem = tmp_path / "ca.pem"
    pem.write_text(AUTHORITY.pem)
    both = [(address, 0, kind) for address in ADDRESSES for kind in (ports.TCP, ports.UDP)]
    policy_port, dns_port = ports.free(both), ports.free(both)

    async def look(resolvers):
        servers = tuple(NameServer(f"ns{n}.trinco.example", (a,)) for n, a in enumerate(ADDRESSES))
        made = replace(config.load({}), resolvers=resolvers, nameservers=servers, policy_addresses=ADDRESSES)
        made = replace(made, policy_port=policy_port, authority_port=dns_port)
        async with AsyncExitStack() as stack:
            for address, domain in zip(ADDRESSES, served, strict=True):
                if domain is not None:
                    held = policy_rig.publication(domain, issuers=AUTHORITY.issuers)
                    policies = policy_host.listen(Table(held), [(address, policy_port)], unseal=support_tls.unseal)
                    await stack.enter_async_context(policies)
                    await stack.enter_async_context(dnsd.listen(Answers(held), [(address, dns_port)]))
            return await canary.look(made, Domain.parse(NAME), [pem] if roots else [])

    with support_dns.internet(zones) as dns:
        return {(s.part, s.address): s.problem for s in asyncio.run(look(dns.resolvers))}


WELL = {("resolver", ""): ""} | {(part, a): "" for part in ("name server", "policy host") for a in ADDRESSES}


class TestLook:
    """RELIABILITY 3, Health: external canary customer on every edge checks DNS+TLS+policy; broken on purpose."""

    def test_all_is_well(self, tmp_path):
        assert looked(tmp_path) == WELL

    def test_an_edge_that_is_away(self, tmp_path):
        found = looked(tmp_path, (HOSTED, None))
        assert {at for at, problem in found.items() if problem} == {
            ("name server", ADDRESSES[1]),
            ("policy host", ADDRESSES[1]),
        }

    def test_an_edge_that_lags_behind_the_others(self, tmp_path):
        old = structs.replace(HOSTED, policy=policy_rig.body_of(NAME, "none"), policy_id=IDS[1])
        found = looked(tmp_path, (HOSTED, old))
        odd = "it says something else than the others"
        assert found == WELL | {(part, ADDRESSES[1]): odd for part in ("name server", "policy host")}

    def test_a_certificate_that_nobody_trusts(self, tmp_path):
        found = looked(tmp_path, roots=False)
        assert {part for (part, _), problem in found.items() if problem} == {"policy host"}
        assert "certificate" in found["policy host", ADDRESSES[0]]

    def test_a_policy_that_is_none(self, tmp_path):
        found = looked(tmp_path, (structs.replace(HOSTED, policy=b"version: STSv1\r\n"),) * 2)
        assert {part for (part, _), problem in found.items() if problem} == {"policy host"}

    def test_a_domain_whose_record_is_gone(self, tmp_path):
        found = looked(tmp_path, zones={**ZONES, NAME: support_dns.HEAD})
        assert (found["resolver", ""] != "", ("name server", ADDRESSES[0]) in found) == (True, True)


class TestTold:
    """What `/readyz` and the numbers say of it."""

    @pytest.fixture
    def bird(self) -> canary.Canary:
        return canary.Canary(config.load({}), Domain.parse(NAME))

    def test_before_the_first_look_nobody_is_alarmed(self, bird):
        assert bird.ready() == (True, {"canary": "not looked at yet"})

    def test_well(self, bird):
        bird._sights = [canary.Sight("policy host", "192.0.2.1", 0.01, b"body")]
        assert bird.ready() == (True, {"canary": "well"})

    def test_broken(self, bird):
        bird._sights = [canary.Sight("resolver", "", 0.01, problem="no record")]
        assert bird.ready() == (False, {"status": "canary", "canary": "resolver: no record"})
        samples = {s.name: (s.labels, s.value) for metric in bird.collect() for s in metric.samples}
        assert samples["trinco_canary_ok"] == ({"part": "resolver", "address": ""}, 0)

    def test_a_look_of_long_ago_says_nothing(self, bird):
        bird._looked_at = time.time() - canary.OLD - 1
        assert bird.ready() == (False, {"status": "canary", "canary": "nobody has looked for minutes"})
