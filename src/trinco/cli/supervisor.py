"""
NAME
    supervisor - run several programs as one, and end them as one

DESCRIPTION
    Starts each program in a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone and the
    order of the end is ours: stage by stage, first those who change things, then those who serve. A program that ends
    by itself is started again, soon the first time and later and later if it goes on (at most every 30 s). Each line
    that a program writes is passed on with its name in front.

DIAGNOSTICS
    One line when a program ended by itself, with its exit status and when it is started again.

BUGS
    On systems without PR_SET_PDEATHSIG (not Linux) the programs survive a supervisor that is killed outright.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

STOP_SECONDS = 8.0
"""All programs together have this long to end by themselves; then they are killed."""
PATIENCE = 4.0
"""So long one of them may take of it, in seconds."""
LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 60.0
"""A program that ran for this long begins again without a pause."""
LINE_LIMIT = 2**20

Say = Callable[[str, str], None]
"""Called with a program's name and a line of its output."""


@dataclass(frozen=True, slots=True)
class Program:
    """A module to run (`python -m module arguments`), by a name that the log shows."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "trinco.cli.leash", str(os.getpid()), self.module, *self.arguments)


class Child:
    """One program over its lives. `run` keeps it going, `end` is called once."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process of the present life, if it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def run(self) -> None:
        """Start the program, again and again, until `end`."""
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._live()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > SETTLED_SECONDS else failures + 1
            pause = min(LONGEST_PAUSE, 0.25 * 2**failures)
            self._say("trinco", f"{self.program.name} ended ({_status(status)}); starting again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _live(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self.program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
            start_new_session=True,
            limit=LINE_LIMIT,
        )
        if self._stopping.is_set():  # told to end while it was being started
            self._signal(signal.SIGTERM)
        await self._pass_on(self._process)
        return await self._process.wait()

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        output = process.stdout
        while output is not None:
            try:
                line = await output.readline()
            except ValueError:
                continue  # a line beyond all measure is dropped
            if not line:
                return
            self._say(self.program.name, line.decode(errors="replace").rstrip())

    async def end(self, deadline: float) -> None:
        """Ask the program to end; kill it and all that it started when the loop's clock reaches the deadline."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait_for(process.wait(), max(0.1, min(PATIENCE, left)))
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number is signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)


def _status(status: int) -> str:
    return f"exit {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


async def supervise(stages: Sequence[Sequence[Program]], stop: asyncio.Event, say: Say) -> None:
    """Run the programs of all stages until `stop` is set, and end them stage by stage, the first one first."""
    children = [[Child(program, say) for program in stage] for stage in stages]
    async with asyncio.TaskGroup() as group:
        for stage in reversed(children):  # who serves is there before who asks
            for child in stage:
                group.create_task(child.run())
        await stop.wait()
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        for stage in children:
            await asyncio.gather(*(child.end(deadline) for child in stage))
