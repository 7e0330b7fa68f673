"""No report costs more than bounded time and memory, whatever was done to it."""

import json
import subprocess
import sys

import pytest
from tests.core.tlsrpt.bombs import BOMBS


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """One process for all, since it starts slowly; a child with limits for each."""
    command = [sys.executable, "-m", "tests.core.tlsrpt.bombs"]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=110, check=True)
    return {name: said for name, said, _ in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", BOMBS)
def test_bounded(name, outcomes):
    """The answer comes, within the limits, and it is one of ours."""
    assert outcomes[name] == BOMBS[name][1]
