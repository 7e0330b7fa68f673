"""What every bench shares: a server on one core, a client on the other, and what an operation costs the server.

Rates suffer from a busy machine and from a client that is full first; the server's CPU time per operation does not, and
so it is always taken along. Memory is the proportional share (PSS) of all the server's processes: pages that it forked
count once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.row import Missing

SECONDS = 2
"""Length of one run, after a warm-up of half of it."""
REPEATS = 3
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

_TICK = os.sysconf("SC_CLK_TCK")


def program(name: str, package: str = "") -> str:
    """The path of a program. Raises Missing, naming its Debian package."""
    path = shutil.which(name, path=PATH)
    if path is None:
        raise Missing(f"{name}: apt-get install {package or name}")
    return path


def pinned(argv: Sequence[str], role: int) -> list[str]:
    """The command on a core of its own: role 0 is the server's, 1 the client's. With one core, as it is."""
    cores = sorted(os.sched_getaffinity(0))
    return [program("taskset", "util-linux"), "-c", str(cores[role]), *argv] if len(cores) > 1 else [*argv]


@contextmanager
def server(argv: Sequence[str], log: Path, ready: Callable[[], bool], *, seconds: float = 60) -> Iterator[int]:
    """Run a server on its core until the block ends; gives its process id once `ready`. Its output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(pinned(argv, 0), stdout=output, stderr=output, start_new_session=True)
    try:
        _await(ready, process, log, seconds)
        yield process.pid
    finally:
        family = tree(process.pid)
        process.terminate()
        _end(process, family)


def _await(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args}: not ready\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes], family: Sequence[int]) -> None:
    """Wait for a server that was told to stop; whoever of its processes is left then is killed."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in family[1:]:
        if Path(f"/proc/{pid}/stat").exists():
            os.kill(pid, signal.SIGKILL)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found.extend(map(int, children.read_text().split()))
    return found


def cpu(pid: int) -> float:
    """CPU seconds that the process and all below it have used so far, user and system."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in tree(pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / _TICK


def memory(pid: int) -> float:
    """MiB of the process and all below it, each page divided by the processes that share it (PSS)."""
    texts = [Path(f"/proc/{each}/smaps_rollup").read_text() for each in tree(pid)]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) / 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of the repeats: operations per second, the server's CPU µs for one, and MiB of memory at the end."""

    rate: float
    cpu_us: float
    memory: float


Load = Callable[[float], tuple[int, float]]
"""Drives a server for so many seconds; gives how many operations it answered, and in how many seconds by the client."""


def measure(pid: int, load: Load, *, seconds: float = SECONDS, repeats: int = REPEATS) -> Measured:
    """The medians over `repeats` runs of `load` against the server `pid`, after a shorter one to warm it up."""
    return compare({"": (pid, load)}, seconds=seconds, repeats=repeats)[""]


def compare(
    servers: Mapping[str, tuple[int, Load]], *, seconds: float = SECONDS, repeats: int = REPEATS
) -> dict[str, Measured]:
    """Like `measure` for several servers that are up together, in turns: a busy moment of the machine hits them all."""
    for _, load in servers.values():
        load(seconds / 2)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    for _ in range(repeats):
        for name, (pid, load) in servers.items():
            runs[name].append(_run(pid, load, seconds))
    return {name: _medians(runs[name], pid) for name, (pid, _) in servers.items()}


def _run(pid: int, load: Load, seconds: float) -> tuple[float, float]:
    used = cpu(pid)
    done, took = load(seconds)
    return done / took, (cpu(pid) - used) / max(1, done) * 1e6


def _medians(runs: Sequence[tuple[float, float]], pid: int) -> Measured:
    rates, costs = zip(*runs, strict=True)
    return Measured(median(rates), median(costs), memory(pid))
