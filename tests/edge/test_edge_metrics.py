"""The numbers of an edge: what its doors did, and nothing of whose it was."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests import support_tls
from tests.edge import policy_rig
from tests.edge.arrivals import TOKEN, arrival
from tests.edge.dnszone import query
from tests.edge.publications import publication

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Channel
from trinco.edge import tally
from trinco.edge.dnsudp import Reader
from trinco.edge.intake import Allowance, Intake, IntakeLimits
from trinco.edge.metrics import EdgeRole, Sight
from trinco.edge.mmsg import DATAGRAM, SLOTS
from trinco.edge.serving import Serving
from trinco.edge.sni import Table
from trinco.edge.spool import Spool


def numbers(sight: Sight) -> dict[str, float]:
    """The numbers of ours, by name and labels."""
    lines = EdgeRole(sight).metrics().decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if line.startswith("trinco_")]
    return {name.removeprefix("trinco_edge_"): float(value) for name, _, value in pairs}


class Datagrams:
    """A batch of these messages, in memory."""

    def __init__(self, *messages: bytes) -> None:
        self.messages, self.sent = messages, list[int]()
        self.memory = memoryview(bytearray(DATAGRAM * SLOTS))
        self.starts = tuple(range(0, DATAGRAM * SLOTS, DATAGRAM))
        self.lengths, self.sizes, self.sources = [0] * SLOTS, [0] * SLOTS, [0] * SLOTS
        self.mask = 0

    def receive(self) -> int:
        for slot, message in enumerate(self.messages):
            self.memory[self.starts[slot] : self.starts[slot] + len(message)] = message
            self.lengths[slot] = len(message)
        return len(self.messages)

    def send(self, count: int, unanswered: Any = ()) -> None:
        self.sent.append(count - len(unanswered))


class TestDns:
    """DNS answers by response code; silence is counted too."""

    def test_each_message_is_counted_once(self):
        serving = Serving(publication(1))
        known, unknown = query("trinco.example", "SOA"), query("other.example", "A")
        waiting = Datagrams(known.to_wire(), known.to_wire(), unknown.to_wire(), b"", b"\0" * 11)
        Reader(waiting, serving.answers, None)()
        found = numbers(Sight(tally.Tally(), serving=serving))
        assert found['dns_answers_total{rcode="NOERROR"}'] == 2
        assert found['dns_answers_total{rcode="REFUSED"}'] == 1
        assert found['dns_answers_total{rcode="none"}'] == 2


class TestHttps:
    """TLS handshakes and refusals, policies served."""

    def test_each_conversation_is_counted_once(self):
        authority, counted = support_tls.Authority(), tally.Tally()
        table = Table(policy_rig.publication(policy_rig.hosted(authority, "a.example"), issuers=authority.issuers))
        admitted = [True]
        rig = policy_rig.Rig(table, authority, admit=lambda: admitted[0], tally=counted)
        with rig.running():
            assert policy_rig.status_of(rig.fetch("a.example")) == 200
            assert policy_rig.status_of(rig.ask("a.example", policy_rig.get("b.example", "Connection: close"))) == 421
            rig.say(policy_rig.client_hello("mta-sts.b.example"))
            rig.say(policy_rig.client_hello(None))
            with pytest.raises(ssl.SSLError):
                rig.secure("a.example", ssl.create_default_context())
            admitted[0] = False
            rig.say(policy_rig.client_hello("mta-sts.a.example"))
        found = numbers(Sight(counted))
        assert found['tls_handshakes_total{result="done"}'] in (2, 3)  # a TLS 1.3 client is done before it says no
        assert found['tls_handshakes_total{result="refused"}'] == 2
        assert found['tls_handshakes_total{result="fenced"}'] == 1
        assert (found["policies_served_total"], found['https_responses_total{status="421"}']) == (1, 1)


class TestReports:
    """RELIABILITY row 26: "reports were shed" shown; and what waits on disk."""

    def test_by_channel_and_outcome(self, tmp_path):
        async def take() -> dict[str, float]:
            spool = Spool(tmp_path / "spool")
            few = IntakeLimits(https=10, pair=Allowance(2, 0.001))
            desk = Intake(lambda token: token == TOKEN, spool, few)
            for each in (arrival(), arrival(), arrival(), arrival(token="x"), arrival(b"", channel=Channel.HTTPS)):
                try:
                    await desk.accept(each)
                except Refused:
                    continue
            await spool.close()
            return numbers(Sight(tally.Tally(), desk=desk, spool=spool))

        found = asyncio.run(take())
        assert found['reports_total{channel="mail",outcome="accepted"}'] == 2
        assert found['reports_total{channel="mail",outcome="refused"}'] == 1
        assert sum(value for name, value in found.items() if 'outcome="shed"' in name) == 2
        assert (found["spool_files"], found["spool_octets"], found["spool_left_files"]) == (2, 8192, 0)
        assert 0 <= found["spool_oldest_seconds"] < 60


class TestReady:
    """Policy host and DNS keep serving from the last snapshot with the DB down; and say so."""

    @pytest.mark.parametrize(
        ("since", "admits", "said"),
        [
            (None, True, (True, {"status": "ready", "revision": "7"})),
            (1, True, (True, {"status": "stale", "revision": "7", "stale_since": "2026-01-01T00:00:01+00:00"})),
            (1, False, (False, {"status": "fenced", "revision": "7", "stale_since": "2026-01-01T00:00:01+00:00"})),
        ],
    )
    def test_the_words(self, since, admits, said):
        stale = None if since is None else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=since)
        node: Any = SimpleNamespace(held=publication(1, 7), stale_since=stale, admit=lambda: admits)
        role = EdgeRole(Sight(tally.Tally(), node=node))
        assert role.ready() == said
        found = numbers(Sight(tally.Tally(), node=node))
        assert (found["revision"], found["admits"], found["stale_seconds"] > 0) == (7, int(admits), since is not None)

    def test_before_it_answers_it_is_starting(self):
        assert EdgeRole(Sight(tally.Tally())).ready() == (False, {"status": "starting"})
