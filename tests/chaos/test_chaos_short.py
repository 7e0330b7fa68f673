"""The short run of `make chaos`, and that a seed is a run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.chaos.plan import EDGES, KINDS, RECOVERY, SECONDARIES, drawn
from tests.edge.installation import CLEAN, PATHS
from tests.support import needs


class TestPlan:
    """RELIABILITY 5, 16: "a seeded chaos script"."""

    def test_a_seed_is_a_plan(self) -> None:
        assert drawn(7, 300) == drawn(7, 300)
        assert drawn(7, 300) != drawn(8, 300)

    def test_everything_that_can_go_wrong_goes_wrong(self) -> None:
        assert {fault.kind for fault in drawn(7, 3600)} == set(KINDS)

    @pytest.mark.parametrize("group", [EDGES, SECONDARIES])
    def test_one_is_always_left_alone(self, group: tuple[str, ...]) -> None:
        faults = [fault for fault in drawn(7, 3600) if fault.target in group]
        for fault in faults:
            there = [each for each in faults if each.at <= fault.at < each.at + each.seconds + RECOVERY]
            assert len({each.target for each in there}) == len(there) < len(group)
            assert not {each.spared for each in there} & {each.target for each in there}


@pytest.mark.timeout(1200)
class TestShort:
    """Issue 4: "no new id with an old body, no accepted report lost or doubled, no expired certificate, no other tenant's
    byte, every good probe answered"."""

    SEED = "5190"
    """Of five faults: a kill, three stops and a promotion, all at once."""

    def test_a_few_seconds(self, tmp_path) -> None:
        for program in (needs("nsd"), needs("knotd"), needs("postgres"), needs("gcc")):
            assert program
        command = [
            sys.executable,
            "-m",
            "tests.chaos",
            "--seed",
            self.SEED,
            "--minutes",
            "0.21",
            "--keep",
            str(tmp_path),
        ]
        done = subprocess.run(
            command, env=CLEAN | {"PYTHONPATH": PATHS}, capture_output=True, text=True, check=False, timeout=1100
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        assert done.stdout.endswith("violations: 0\n")
