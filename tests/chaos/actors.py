"""A process of the town, over its lives. It says what it has to say through a pipe, so that no limit of its own files
keeps its log from us."""

from __future__ import annotations

import resource
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Actor:
    """`ready` is a word of its log that says that it is there, in this life."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready_word: str = ""
    process: subprocess.Popen[bytes] | None = None
    writer: subprocess.Popen[bytes] | None = None
    offset: int = 0
    lives: int = 0
    wanted: bool = False
    """Whether it should be running just now."""

    def start(self) -> None:
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        self.lives += 1
        self.wanted = True
        with self.log.open("ab") as output:
            self.writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=output)
        assert self.writer.stdin is not None
        pipe = self.writer.stdin
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        pipe.close()

    def say(self) -> str:
        """What it said in this life."""
        return self.log.read_bytes()[self.offset :].decode(errors="replace") if self.log.exists() else ""

    @property
    def ready(self) -> bool:
        return self.running and self.ready_word in self.say()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.wanted = False
        self.send(signal.SIGKILL)
        self._wait(20)

    def limit_files(self, octets: int) -> None:
        """No file of it may grow beyond that, as on a disk that is full: EFBIG in place of ENOSPC."""
        if self.process is not None and self.running:
            with suppress(ProcessLookupError):
                resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))

    def _wait(self, seconds: float) -> None:
        for process in (self.process, self.writer):
            if process is not None:
                process.wait(seconds)
