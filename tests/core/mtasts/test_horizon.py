"""Until when any sender may hold a policy that we served: RFC 8461 sections 3.2, 5 and 8.3."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.mtasts.horizon import Served, horizon
from trinco.core.mtasts.policy import Mode

NOW = datetime(2026, 12, 3, tzinfo=UTC)
DAY = 86_400


def ago(seconds: int) -> datetime:
    return NOW - timedelta(seconds=seconds)


class TestHorizon:
    """3.2: senders keep a policy up to max_age from their last fetch; the last possible fetch was when we last served it."""

    @pytest.mark.parametrize(
        ("served", "seconds"),
        [
            ([Served(Mode.ENFORCE, 7 * DAY, None)], 7 * DAY + 300),
            ([Served(Mode.ENFORCE, 7 * DAY, ago(DAY))], 6 * DAY + 300),
            ([Served(Mode.TESTING, DAY, ago(0)), Served(Mode.ENFORCE, 7 * DAY, ago(DAY))], 6 * DAY + 300),
            ([Served(Mode.TESTING, DAY, None), Served(Mode.ENFORCE, 60, ago(DAY))], DAY + 300),
            ([Served(Mode.ENFORCE, 0, None)], 300),
            ([Served(Mode.ENFORCE, 31_557_600, ago(DAY)), Served(Mode.NONE, DAY, None)], 31_557_600 - DAY + 300),
        ],
    )
    def test_the_latest_end(self, served, seconds):
        assert horizon(served, NOW, 300) == NOW + timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        "served", [[], [Served(Mode.ENFORCE, DAY, ago(DAY + 301))], [Served(Mode.ENFORCE, 0, ago(400))]]
    )
    def test_nobody_can_hold_one(self, served):
        assert horizon(served, NOW, 300) is None

    def test_the_last_moment_counts(self):
        """5.1: a policy applies while its time since fetch has not exceeded max_age."""
        assert horizon([Served(Mode.ENFORCE, DAY, ago(DAY + 300))], NOW, 300) == NOW

    @pytest.mark.parametrize("last_served", [None, ago(1)])
    def test_mode_none_binds_nobody(self, last_served):
        """5: with mode none, senders act as if there were no policy; 8.3: that is how a domain leaves."""
        assert horizon([Served(Mode.NONE, 31_557_600, last_served)], NOW, 300) is None

    @given(
        st.lists(
            st.builds(
                Served,
                st.sampled_from(Mode),
                st.integers(0, 31_557_600),
                st.none() | st.integers(0, 10**8).map(ago),
            )
        ),
        st.integers(0, DAY),
        st.integers(0, 10**8),
    )
    def test_no_sender_holds_one_after_it(self, served, ttl, fetched_ago):
        """Whoever fetched at any moment at which a binding policy was served holds it no longer than the horizon."""
        end = horizon(served, NOW, ttl)
        for line in served:
            fetched = min(ago(fetched_ago), line.last_served or NOW)
            held_until = fetched + timedelta(seconds=line.max_age)
            if line.mode is not Mode.NONE and held_until >= NOW:
                assert end is not None
                assert held_until <= end
