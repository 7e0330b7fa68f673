"""Workers of real processes, killed by SIGKILL at every step of an order at an authority over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fake_ca.authority import Authority, Clock, Habits
from tests.fake_ca.server import serving

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}
POINTS = 12


def lived_through(folder: Path, kills: int, domains: int, *, reuses: bool) -> None:
    authority = Authority(Clock(datetime.now(UTC)), habits=Habits(reuses=reuses, new_orders=10_000))
    with serving(authority) as server:
        command = [sys.executable, "-m", "tests.fake_ca.killed", server.directory, str(kills), str(domains)]
        environment = {**CLEAN, "TRINCO_DATA": str(folder / "data"), "TRINCO_LOG": "error"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert set(told["died"].values()) == {kills}
    assert (told["certificates"], told["fit"]) == (domains, domains)
    assert told["failed"] == []
    assert (told["keys"], len(authority.accounts)) == (1, 1)
    asked = [(order.names, order.replaces) for order in authority.orders]
    assert len(asked) == len(set(asked)) == POINTS * (domains + 1)
    assert {len(order.csrs) for order in authority.orders} == {1}


@pytest.mark.parametrize("reuses", [True, False])
class TestKilled:
    """No order twice, no key lost, no request handed in twice, whether the authority gives open orders again or lists
    them."""

    def test_once_at_each_step(self, tmp_path, reuses):
        lived_through(tmp_path, 1, 1, reuses=reuses)

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_twenty_times_at_each_step(self, tmp_path, reuses):
        lived_through(tmp_path, 20, 20, reuses=reuses)
