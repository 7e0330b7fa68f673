"""When the policy host may answer."""

from __future__ import annotations

import time

from trinco.edge.fence import LEASE, MARGIN, MOMENT, Fence, boottime


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestFence:
    """RELIABILITY 5: an edge that nobody waits for any more does not answer with what may be old."""

    def setup_method(self):
        self.time = Time()
        self.fence = Fence(self.time)

    def test_it_is_shut_at_first(self):
        assert not self.fence.admit()

    def test_a_lease_opens_it_for_less_than_the_lease(self):
        self.fence.leased(1000.0)
        self.time.now = 1000.0 + LEASE - MARGIN - 0.01
        assert self.fence.admit()
        self.time.now = 1000.0 + LEASE - MARGIN
        assert not self.fence.admit()

    def test_a_lease_counts_from_when_it_was_asked_for(self):
        self.time.now = 1030.0  # stopped between the question and now
        self.fence.leased(1000.0)
        assert not self.fence.admit()

    def test_a_look_around_opens_it_for_a_moment(self):
        self.fence.unrivalled(1000.0)
        self.time.now = 1000.0 + MOMENT
        assert not self.fence.admit()

    def test_a_look_around_never_shortens_a_lease(self):
        self.fence.leased(1000.0)
        self.fence.unrivalled(1000.0)
        self.time.now = 1000.0 + MOMENT
        assert self.fence.admit()

    def test_who_is_outrun_is_silent_at_once(self):
        self.fence.unrivalled(1000.0)
        assert self.fence.admit()
        self.fence.outrun()
        assert not self.fence.admit()

    def test_being_outrun_does_not_cut_a_lease_short(self):
        self.fence.leased(1000.0)
        self.fence.outrun()
        assert self.fence.admit()

    def test_the_clock_runs_through_suspension(self):
        assert abs(boottime() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1
