"""No deadline of a listener passes in these tests by itself: a machine that stands still ends no conversation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.edge.held_clock import HeldClock


@pytest.fixture(autouse=True, scope="package")
def _no_deadlines() -> Iterator[None]:
    """Tests of deadlines have a `HeldClock` of their own, and let its seconds pass."""
    with HeldClock().instead():
        yield
