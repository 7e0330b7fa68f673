"""NSD, Knot and PowerDNS on a zone file of ours: each in a directory of its own, on one loopback port, with one worker.

Their rate limiting is off, as ours is in the same runs; nothing else is changed from what their packages do.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.harness import program
from trinco.cli import ports


@dataclass(frozen=True, slots=True)
class NameServer:
    """A peer: its name with version, how to start it, where it listens."""

    name: str
    argv: tuple[str, ...]
    port: int

    def ready(self, origin: str) -> Callable[[], bool]:
        """A test whether it answers for its zone."""
        return lambda: answers(self.port, origin)


def free_port() -> int:
    """A loopback port that is free for UDP and TCP just now."""
    return ports.free([(ports.LOOPBACK, 0, kind) for kind in (ports.TCP, ports.UDP)])


def listens(port: int) -> bool:
    """Whether somebody takes connections at this port of loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def answers(port: int, origin: str) -> bool:
    """Whether somebody answers an SOA question for `origin` at this port with NOERROR and an answer."""
    name = b"".join(bytes((len(label),)) + label.encode() for label in origin.split(".")) + b"\0"
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(b"up\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1")
            reply = sock.recv(4096)
        except OSError:
            return False
    return reply[3] & 0xF == 0 and reply[7] > 0


def nsd(directory: Path, origin: str, zone: Path, processes: int = 1) -> NameServer:
    """NSD, with so many server processes on its port. Raises Missing."""
    port, path = free_port(), program("nsd")
    config = directory / "nsd.conf"
    config.write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    server-count: {processes}
    reuseport: yes
    username: ""
    chroot: ""
    database: ""
    hide-version: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    zonesdir: "{directory}"
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    cookie-secret-file: ""
remote-control:
    control-enable: no
zone:
    name: {origin}
    zonefile: "{zone}"
""")
    return NameServer(version(path, "-v"), (path, "-d", "-c", str(config)), port)


def knot(directory: Path, origin: str, zone: Path) -> NameServer:
    """Knot DNS. Raises Missing."""
    port, path = free_port(), program("knotd", "knot")
    config = directory / "knot.conf"
    config.write_text(f"""
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    identity: ""
    version: ""
database:
    storage: "{directory}"
log:
  - target: stderr
    any: warning
zone:
  - domain: {origin}
    file: "{zone}"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
""")
    return NameServer(version(path, "-V"), (path, "-c", str(config)), port)


def powerdns(directory: Path, origin: str, zone: Path) -> NameServer:
    """PowerDNS with its SQLite backend, the zone loaded into a new database. Raises Missing."""
    port, path, util = free_port(), program("pdns_server", "pdns-server"), program("pdnsutil", "pdns-server")
    database = directory / "pdns.sqlite3"
    schema = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
    subprocess.run([program("sqlite3"), str(database)], stdin=schema.open(), check=True)
    (directory / "pdns.conf").write_text(f"""
local-address=127.0.0.1
local-port={port}
launch=gsqlite3
gsqlite3-database={database}
gsqlite3-pragma-synchronous=0
receiver-threads=1
distributor-threads=1
socket-dir={directory}
disable-syslog=yes
loglevel=3
""")
    where = f"--config-dir={directory}"
    subprocess.run([util, where, "load-zone", origin, str(zone)], check=True, capture_output=True)
    argv = (path, where, "--guardian=no", "--daemon=no", "--write-pid=no")
    return NameServer(version(path, "--version"), argv, port)


def version(path: str, flag: str) -> str:
    """The first line in which the program says its version."""
    said = subprocess.run([path, flag], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    line = next(each for each in (said.stdout + said.stderr).splitlines() if any(map(str.isdigit, each)))
    words = line.replace("(", "").replace(")", "").replace(",", "").split()
    number = next(word for word in words if word[0].isdigit() and "." in word and ":" not in word)
    return f"{Path(path).name} {number}"
