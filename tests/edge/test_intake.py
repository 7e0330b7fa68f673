"""The desk behind both doors: whose reports are taken, how large, and how many."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.edge.arrivals import TOKEN, arrival

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge.intake import Allowance, Buckets, Gate, Intake, IntakeLimits
from trinco.edge.spool import Spool

MIB = 1 << 20
OTHER = "b" * 26
TIGHT = IntakeLimits(
    mail=1000, https=500, address=Allowance(20, 2), token=Allowance(30, 1), pair=Allowance(5, 0.1), remembered=8
)
NO_TOKEN, LARGE, BUSY = ("550 5.1.1", 404), ("552 5.3.4", 413), ("450 4.7.1", 429)


def gate(limits: IntakeLimits = TIGHT) -> Gate:
    return Gate(lambda token: token in (TOKEN, OTHER) or token.startswith("t"), limits)


def said(refusal: Refused | None) -> tuple[str, int | None] | None:
    """How the doors say it; None: it is taken."""
    return None if refusal is None else ((refusal.smtp_reply or "")[:9], refusal.http_status)


def decided(desk: Gate, now: float, *arrivals: Arrival) -> Counter[Any]:
    return Counter(said(desk.decide(each, now)) for each in arrivals)


class TestToken:
    """DESIGN 2, flow 3: intake has limits and the token. It stands in DNS: it says whose report it is, no more."""

    @pytest.mark.parametrize("token", ["", "c" * 26, TOKEN.upper(), TOKEN + "\0"])
    def test_one_that_nobody_has(self, token):
        assert said(gate().decide(arrival(token=token), 0)) == NO_TOKEN

    def test_one_that_somebody_has(self):
        assert (gate().known(TOKEN), gate().known("c" * 26)) == (True, False)
        assert gate().decide(arrival(), 0) is None


class TestSize:
    """PROTOCOL: 15 MiB of mail, 10 MiB by HTTPS."""

    @pytest.mark.parametrize(("channel", "most"), [(Channel.MAIL, 15 * MIB), (Channel.HTTPS, 10 * MIB)])
    def test_of_each_channel(self, channel, most):
        desk = gate(IntakeLimits())
        assert desk.decide(arrival(bytes(most), channel=channel), 0) is None
        assert said(desk.decide(arrival(bytes(most + 1), channel=channel), 0)) == LARGE

    def test_nothing_else_comes_through_a_door(self):
        assert said(gate().decide(arrival(channel=Channel.IMPORT), 0)) == LARGE


class TestNoise:
    """RELIABILITY row 26: "1 noisy + 5 good senders: good lose 0"."""

    @pytest.mark.parametrize("noisy_token", [TOKEN, OTHER])
    def test_one_noisy_sender_and_five_good_ones(self, noisy_token):
        """A hundred a second for an hour under one token; the good ones send one every ten minutes."""
        desk = gate(IntakeLimits())
        noisy: Counter[Any] = Counter()
        good: Counter[Any] = Counter()
        for second in range(3600):
            flood = [arrival(peer="198.51.100.7", token=noisy_token)] * 100
            noisy += decided(desk, second, *flood)
            if second % 600 == 0:
                good += decided(desk, second, *(arrival(peer=f"192.0.2.{number}") for number in range(5)))
        assert good == {None: 30}
        assert noisy[None] < 400
        assert noisy[BUSY] == 360_000 - noisy[None]

    def test_many_noisy_senders_use_up_one_token_and_no_other(self):
        desk = gate()
        flood = [arrival(peer=f"198.51.100.{number}") for number in range(50)]
        assert decided(desk, 0, *flood) == {None: 30, BUSY: 20}
        assert decided(desk, 0, arrival(peer="198.51.100.1", token=OTHER)) == {None: 1}

    def test_one_address_under_many_tokens(self):
        desk = gate()
        flood = [arrival(token=f"t{number}") for number in range(50)]
        assert decided(desk, 0, *flood) == {None: 20, BUSY: 30}
        assert decided(desk, 0, arrival(peer="192.0.2.2", token="t1")) == {None: 1}

    @pytest.mark.parametrize(
        ("peers", "taken"),
        [
            (["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:5::"], 5),
            (["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"], 15),
            (["192.0.2.1", "::ffff:192.0.2.1"], 5),
        ],
    )
    def test_an_ipv6_64_is_one_address(self, peers, taken):
        flood = [arrival(peer=peer) for peer in peers for _ in range(10)]
        assert decided(gate(), 0, *flood)[None] == taken

    def test_an_allowance_fills_again(self):
        desk = gate()
        assert decided(desk, 0, *[arrival()] * 9) == {None: 5, BUSY: 4}
        assert decided(desk, 10, *[arrival()] * 9) == {None: 1, BUSY: 8}
        assert decided(desk, 1000, *[arrival()] * 9) == {None: 5, BUSY: 4}

    def test_what_is_shed_costs_nobody_anything(self):
        desk = gate()
        decided(desk, 0, *[arrival()] * 1000)
        assert decided(desk, 0, *[arrival(token=f"t{number}") for number in range(20)]) == {None: 15, BUSY: 5}

    def test_a_large_report_counts_as_several(self):
        desk = gate(IntakeLimits(pair=Allowance(10, 0.1)))
        assert decided(desk, 0, *[arrival(bytes(200_000))] * 5) == {None: 2, BUSY: 3}

    def test_the_largest_report_is_taken_when_nothing_was_before(self):
        desk = gate(IntakeLimits(pair=Allowance(10, 0.1)))
        assert decided(desk, 0, arrival(bytes(15 * MIB)), arrival()) == {None: 1, BUSY: 1}


class TestMemory:
    """Overload never grows."""

    def test_as_many_are_remembered_as_there_may_be(self):
        buckets = Buckets(Allowance(5, 1), 100)
        for number in range(1000):
            buckets.take(number, 5, 0)
        assert (len(buckets), buckets.has(999, 1, 0), buckets.has(0, 1, 0)) == (100, False, True)

    def test_whoever_goes_on_is_not_forgotten(self):
        buckets = Buckets(Allowance(5, 1), 100)
        buckets.take("noisy", 5, 0)
        for number in range(1000):
            buckets.take(number, 5, number / 1000)
            buckets.take("noisy", 0.0001, number / 1000)
        assert buckets.has("noisy", 1, 0.9) is False

    @given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 500)), max_size=60))
    def test_never_more_than_the_burst_and_what_came_since(self, steps):
        """In any span of time."""
        buckets, now, taken = Buckets(Allowance(100, 3), 10), 0.0, 0.0
        for pause, cost in steps:
            now += pause
            if buckets.has("a", cost, now):
                buckets.take("a", cost, now)
                taken += min(cost, 100)
        assert taken <= 100 + 3 * now + 1e-6


class TestDesk:
    """Deciding needs nobody; what is taken is durable when `accept` returns."""

    def accepted(self, tmp_path: Any, *arrivals: Arrival) -> tuple[list[Any], Intake, list[Arrival]]:
        async def life() -> tuple[list[Any], Intake, list[Arrival]]:
            spool = Spool(tmp_path)
            desk = Intake(lambda token: token == TOKEN, spool, TIGHT, clock=lambda: 0.0)
            results = await asyncio.gather(*map(desk.accept, arrivals), return_exceptions=True)
            await spool.close()
            return results, desk, [each for _, batch in spool.batches() for each in batch]

        return asyncio.run(life())

    def test_what_is_taken_is_in_the_spool(self, tmp_path):
        sent = [arrival(), arrival(token=OTHER), arrival()]
        results, desk, held = self.accepted(tmp_path, *sent)
        assert [said(result) for result in results] == [None, NO_TOKEN, None]
        assert held == [sent[0], sent[2]]
        assert (desk.known(TOKEN), desk.known(OTHER), desk.shed) == (True, False, Counter())

    def test_what_is_shed_is_counted(self, tmp_path):
        with capture_logs() as logs:
            _, desk, held = self.accepted(tmp_path, *(arrival(peer="192.0.2.1\r\n") for _ in range(100)))
        assert (len(held), desk.shed, desk.untold) == (5, {TOKEN: 95}, {TOKEN: 95})
        shed = [line for line in logs if line["event"] == "report_shed"]
        assert len(shed) == 5
        assert shed[0] == {
            "event": "report_shed",
            "log_level": "info",
            "reason": "too many reports from this address under this token",
            "peer": "192.0.2.1\\r\\n",
            "token": "abcdef...",
            "shed": 1,
        }
