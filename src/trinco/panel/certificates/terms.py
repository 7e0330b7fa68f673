"""When a certificate is renewed, and when one that could not be had is tried for again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

Jitter = Callable[[], float]
"""A number from 0 to 1."""

LAST_MOMENT = timedelta(days=1)
"""Before the end: no authority may put a renewal off longer than that."""
LONGEST_HOLD = timedelta(days=1)
"""Nothing is put off for longer: neither after a failure nor by what an authority says."""
SLACK = timedelta(hours=1)
"""By which the clocks of two machines may differ."""
FARTHEST = LONGEST_HOLD + SLACK
"""A moment beyond was written down by a clock that was wrong: it is not waited for."""
_WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), timedelta(days=1))


def renew_due_at(not_before: datetime, not_after: datetime, jitter: float) -> datetime:
    """Two thirds of the life, half of it when it is shorter than ten days; earlier by up to a thirtieth, by chance."""
    life = not_after - not_before
    share = 2 / 3 if life >= timedelta(days=10) else 1 / 2
    return not_before + life * (share - jitter / 30)


def taken_over_at(not_before: datetime, not_after: datetime) -> datetime:
    """When one is obtained in place of a certificate that its owner brought and has not replaced."""
    return not_after - min(timedelta(days=7), (not_after - not_before) / 6)


def wanted_at(not_before: datetime, not_after: datetime) -> datetime:
    """From when on the owner is told to bring the next one: a third of its life, or 14 days, before its end."""
    return not_after - min(timedelta(days=14), (not_after - not_before) / 3)


def again_at(now: datetime, failures: int) -> datetime:
    """After so many failures before this one: 1, 10 and 100 minutes, then a day each time."""
    return now + _WAITS[min(failures, len(_WAITS) - 1)]


def chosen(start: datetime, end: datetime, not_after: datetime, jitter: float) -> datetime:
    """A moment in the window that an authority suggests, by chance (RFC 9773 section 4.2), and before the end comes
    near, whatever it suggests."""
    return min(start + (end - start) * jitter, not_after - LAST_MOMENT)
