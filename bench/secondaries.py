"""NSD and Knot as secondaries of ours: each in a directory of its own, on one loopback port, as docs/nameservers.md says.

What stands below beside the page's lines is what it takes to run without root and beside others.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from bench.harness import program
from bench.nameservers import NameServer, free_port
from trinco.config import TsigKey

KEY = TsigKey("trinco", "hmac-sha256", b"a secret of thirty-two octets...")


@dataclass(frozen=True, slots=True)
class Primary:
    """Where the zone comes from, and with which key."""

    origin: str
    port: int
    key: TsigKey = KEY

    @property
    def secret(self) -> str:
        return base64.b64encode(self.key.secret).decode()


def nsd(directory: Path, primary: Primary, port: int = 0) -> NameServer:
    """NSD as a secondary. Raises Missing."""
    port, path = port or free_port(), program("nsd")
    config = directory / "nsd.conf"
    config.write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    database: ""
    verbosity: 2
    rrl-ratelimit: 0
    zonesdir: "{directory}"
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    cookie-secret-file: ""
remote-control:
    control-enable: no
key:
    name: "{primary.key.name}"
    algorithm: {primary.key.algorithm}
    secret: "{primary.secret}"
zone:
    name: "{primary.origin}"
    zonefile: "{primary.origin}.zone"
    allow-notify: 127.0.0.1 {primary.key.name}
    request-xfr: 127.0.0.1@{primary.port} {primary.key.name}
""")
    return NameServer("nsd", (path, "-d", "-c", str(config)), port)


def knot(directory: Path, primary: Primary, port: int = 0) -> NameServer:
    """Knot DNS as a secondary. Raises Missing."""
    port, path = port or free_port(), program("knotd", "knot")
    config = directory / "knot.conf"
    config.write_text(f"""
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
database:
    storage: "{directory}"
log:
  - target: stderr
    any: info
key:
  - id: {primary.key.name}
    algorithm: {primary.key.algorithm}
    secret: {primary.secret}
remote:
  - id: primary
    address: 127.0.0.1@{primary.port}
    key: {primary.key.name}
acl:
  - id: notify-from-primary
    address: 127.0.0.1
    key: {primary.key.name}
    action: notify
zone:
  - domain: {primary.origin}
    storage: "{directory}"
    master: primary
    acl: notify-from-primary
""")
    return NameServer("knotd", (path, "-c", str(config)), port)
