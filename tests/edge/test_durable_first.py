"""What the kernel is asked for, and in which order, when a report is accepted: seen by strace."""

from __future__ import annotations

import re
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.edge.installation import CLEAN, LEAKS, PATHS, until
from tests.edge.report_rig import TOKEN
from tests.edge.report_senders import Deliver, by_https, by_mail
from tests.support_reports import policy, report_json

pytestmark = pytest.mark.filterwarnings(LEAKS)
CALLS = "openat,fdatasync,fsync,rename,renameat,renameat2,write,writev,sendto,sendmsg,read,recvfrom,recvmsg"
RECEIVE, SEND = ("read", "recvfrom", "recvmsg"), ("write", "writev", "sendto", "sendmsg")
LARGE = 2500
"""Octets of a report, so that it is told from the smaller things that a sender says."""
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?)(?P<open> <unfinished \.\.\.>)?$")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """A system call: where in the trace it began and where it had returned."""

    name: str
    arguments: str
    began: int
    ended: int

    @property
    def octets(self) -> int:
        """What it returned."""
        returned = re.search(r"= (\d+)$", self.arguments)
        return int(returned[1]) if returned else 0


def calls(trace: str) -> list[Call]:
    """Of all threads, in the order in which they returned."""
    found: list[Call] = []
    pending: dict[str, tuple[str, str, int]] = {}
    for number, line in enumerate(trace.splitlines()):
        if (split := _LINE.fullmatch(line)) is None:
            continue
        pid, rest = split["pid"], split["rest"]
        if resumed := _RESUMED.fullmatch(rest):
            name, arguments, began = pending.pop(pid, ("", "", number))
            found.append(Call(name, arguments + resumed["rest"], began, number))
        elif call := _CALL.fullmatch(rest):
            if call["open"]:
                pending[pid] = (call["name"], call["arguments"], number)
            else:
                found.append(Call(call["name"], call["arguments"], number, number))
    return found


@dataclass
class Traced:
    """The doors under strace."""

    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def ports(self) -> tuple[int, int]:
        mail, https = (self.directory / "ports").read_text().split()
        return int(mail), int(https)

    def accepted(self, deliver: Deliver, port: int) -> list[str]:
        """What was done from the end of what the sender said to the first word of ours after it, in its order."""
        deliver(TOKEN, report_json(policy("um.example", successful=1), organization_name=secrets.token_hex(LARGE)))
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        seen = calls((self.directory / "trace").read_text())
        peer = re.compile(rf"\d+<TCP(?:v6)?:\[127\.0\.0\.1:{port}->.*")
        ours = [call for call in seen if peer.match(call.arguments)]
        heard = max(call.ended for call in ours if call.name in RECEIVE and call.octets > LARGE)
        said = min(call.began for call in ours if call.name in SEND and call.began > heard)
        between = [call for call in seen if call.began > heard and call.ended < said]
        return [step for call in between if (step := self.step(call))] + ["the word"]

    def step(self, call: Call) -> str:
        spool = re.escape(str(self.directory / "spool"))
        if call.name == "fdatasync" and re.match(rf"\d+<{spool}/\d+\.tmp>", call.arguments):
            return "the file is synced"
        if call.name.startswith("rename") and re.search(rf'{spool}/(\d+)\.tmp".*{spool}/\1\.spool"', call.arguments):
            return "it is renamed"
        if call.name == "fsync" and re.match(rf"\d+<{spool}>", call.arguments):
            return "the directory is synced"
        return ""


@pytest.fixture
def traced(tmp_path, needs) -> Iterator[Traced]:
    strace = [needs("strace"), "-f", "-yy", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(tmp_path / "trace")]
    command = [*strace, sys.executable, "-m", "tests.edge.traced_doors", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**CLEAN, "PYTHONPATH": PATHS}, stdin=subprocess.PIPE, stdout=log, stderr=log
        )
        try:
            until(lambda: (tmp_path / "ports").exists() or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield Traced(tmp_path, process)
        finally:
            process.kill()
            process.wait()


class TestOrder:
    """RELIABILITY 3: "fsync precedes the reply": kill -9 cannot show this, since what the kernel has outlives a process."""

    ORDER = ("the file is synced", "it is renamed", "the directory is synced", "the word")

    def test_by_mail(self, traced):
        port, _ = traced.ports
        assert tuple(traced.accepted(by_mail("127.0.0.1", port), port)[-4:]) == self.ORDER

    def test_by_https(self, traced):
        _, port = traced.ports
        context = ssl.create_default_context(cafile=traced.directory / "ca.pem")
        assert tuple(traced.accepted(by_https("127.0.0.1", port, context), port)[-4:]) == self.ORDER
