"""`trinco serve` as a process of its own: started as a person starts it, asked as senders ask it, ended by a signal."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.query

from trinco.cli import ports

COMMAND = [sys.executable, "-m", "trinco", "serve", "--playground"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}


@dataclass
class Server:
    """A running `trinco serve`, its data directory and the file that says where it listens."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "endpoints.json").read_bytes())
        return found

    @property
    def children(self) -> list[int]:
        """The processes that the supervisor has started, and what these have started."""
        return descendants(self.process.pid)

    def say(self) -> str:
        return self.log.read_text(errors="replace")


def base() -> str:
    """A number behind which all ports of a server are free: two that start at once would take the same usual ones."""
    wanted = [(host, door.place + offset, kind) for door in ports.DOORS for host, offset, kind in door.needs]
    return str(ports.free(wanted))


def start(folder: Path) -> Server:
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, "--port-base", base()],
            cwd=folder,
            env={**CLEAN, "TRINCO_DATA": ".run"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, folder / ".run", log)
    wait(lambda: (server.data / "endpoints.json").exists() or process.poll() is not None, 180)
    assert process.poll() is None, server.say()
    return server


def wait(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def descendants(parent: int) -> list[int]:
    stats = [stat for each in Path("/proc").glob("[0-9]*/stat") if (stat := read(each))]
    parents = {int(stat.split()[0]): int(stat.rpartition(")")[2].split()[1]) for stat in stats}
    children = [pid for pid, above in parents.items() if above == parent]
    return [*children, *(below for child in children for below in descendants(child))]


def read(stat: Path) -> str:
    """A process may end while one looks at it."""
    try:
        return stat.read_text()
    except OSError:
        return ""


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def end(server: Server, number: signal.Signals) -> tuple[int, list[int]]:
    """Signal the whole process group, as a terminal does; the exit status and the processes that are left."""
    children = server.children
    assert len(children) >= 4
    os.killpg(server.process.pid, number)
    status = server.process.wait(60)
    return status, running(children)


def fetch(server: Server, domain: str) -> tuple[int, str]:
    """A policy, by its own name and under the root of the development CA (RFC 8461 section 3.3)."""
    host, _, port = server.told["policy"].rpartition(":")
    context = ssl.create_default_context(cafile=server.told["ca"])
    raw = socket.create_connection((host, int(port)), timeout=60)
    with context.wrap_socket(raw, server_hostname=f"mta-sts.{domain}") as connection:
        connection.sendall(f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.{domain}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


def ask(server: Server, name: str, rtype: str, at: str = "zones") -> dns.message.Message:
    host, _, port = server.told[at].rpartition(":")
    return dns.query.udp(dns.message.make_query(name, rtype), host, port=int(port), timeout=60)
