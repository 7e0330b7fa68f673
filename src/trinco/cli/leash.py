"""Runs a module of ours as a child that does not outlive the supervisor, however that one ends.

    python -m trinco.cli.leash PARENT MODULE [ARGUMENT...]

On Linux the kernel sends SIGTERM when the parent dies (PR_SET_PDEATHSIG, prctl(2)); elsewhere nothing is done, and a
supervisor that is killed outright leaves its children.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie(parent: int) -> None:
    """End this process with its parent. Exits at once if the parent has gone already."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
