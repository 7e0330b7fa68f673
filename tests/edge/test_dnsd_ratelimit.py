"""Response-rate limiting, with a clock of its own."""

from __future__ import annotations

import socket

import pytest

from trinco.edge import ratelimit
from trinco.edge.ratelimit import RateLimiter, Rates, Verdict, network

SEND, TRUNCATE, DROP = Verdict.SEND, Verdict.TRUNCATE, Verdict.DROP


def reply(rcode: int, answers: int = 0) -> bytes:
    """A header is all that is looked at."""
    return bytes((0, 0, 0x84, rcode, 0, 1, 0, answers, 0, 0, 0, 0))


ANSWER, NODATA, NXDOMAIN, REFUSED, FORMERR = reply(0, 1), reply(0), reply(3), reply(5), reply(1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(Rates(answers=4, nodata=3, nxdomain=2, errors=1, slip=2), clock)


class TestCounting:
    """So many replies of a kind in a second to one network; the others go, or become TC every other time."""

    @pytest.mark.parametrize(
        ("kind", "verdicts"),
        [
            (ANSWER, [SEND, SEND, SEND, SEND, DROP, TRUNCATE, DROP, TRUNCATE]),
            (NODATA, [SEND, SEND, SEND, DROP, TRUNCATE, DROP, TRUNCATE, DROP]),
            (NXDOMAIN, [SEND, SEND, DROP, TRUNCATE, DROP, TRUNCATE, DROP, TRUNCATE]),
            (REFUSED, [SEND] + [DROP] * 7),
        ],
    )
    def test_each_kind_has_its_rate(self, limiter: RateLimiter, kind: bytes, verdicts: list[Verdict]) -> None:
        assert [limiter.check(1, kind) for _ in range(8)] == verdicts

    def test_kinds_are_counted_apart(self, limiter: RateLimiter) -> None:
        for _ in range(9):
            limiter.check(1, NXDOMAIN)
        assert [limiter.check(1, kind) for kind in (ANSWER, NODATA, REFUSED)] == [SEND] * 3

    def test_all_errors_are_one_kind(self, limiter: RateLimiter) -> None:
        assert [limiter.check(1, kind) for kind in (REFUSED, FORMERR, reply(4))] == [SEND, DROP, DROP]

    def test_networks_are_counted_apart(self, limiter: RateLimiter) -> None:
        assert [limiter.check(each, REFUSED) for each in (1, 2, 3, 1)] == [SEND, SEND, SEND, DROP]

    @pytest.mark.parametrize(
        ("slip", "verdicts"), [(0, [DROP] * 4), (1, [TRUNCATE] * 4), (3, [DROP, DROP, TRUNCATE, DROP])]
    )
    def test_slip(self, slip: int, verdicts: list[Verdict]) -> None:
        limiter = RateLimiter(Rates(answers=1, slip=slip))
        limiter.check(1, ANSWER)
        assert [limiter.check(1, ANSWER) for _ in range(4)] == verdicts

    def test_the_next_second_is_new(self, limiter: RateLimiter, clock: Clock) -> None:
        limiter.check(1, REFUSED)
        clock.now += 0.9
        limiter.tick()
        assert limiter.check(1, REFUSED) is DROP
        clock.now += 0.1
        limiter.tick()
        assert limiter.check(1, REFUSED) is SEND

    def test_what_is_remembered_is_bounded(self, limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ratelimit, "MAX_NETWORKS", 10)
        for each in range(1000):
            limiter.check(each, ANSWER)
        counts, _ = limiter._kinds[0]
        assert len(counts) <= 10


class TestNetworks:
    """What one spoofed victim has: /24 of IPv4, /56 of IPv6. Loopback is a network like any other."""

    @pytest.mark.parametrize(
        ("family", "one", "other", "same"),
        [
            (socket.AF_INET, "192.0.2.1", "192.0.2.255", True),
            (socket.AF_INET, "192.0.2.1", "192.0.3.1", False),
            (socket.AF_INET6, "2001:db8:0:100::1", "2001:db8:0:1ff:ffff::", True),
            (socket.AF_INET6, "2001:db8:0:100::1", "2001:db8:0:200::1", False),
            (socket.AF_INET6, "fe80::1%eth0", "fe80::2%eth1", True),
        ],
    )
    def test_same_network(self, family: int, one: str, other: str, same: bool) -> None:
        assert (network(family, one) == network(family, other)) is same
