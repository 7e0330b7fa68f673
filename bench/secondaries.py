"""NSD and Knot as secondaries of ours, as docs/nameservers.md says: each in a directory of its own, on a loopback port.

What stands below beside the page's lines is what it takes to run without root and beside others.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from bench.harness import program
from bench.nameservers import NameServer, free_port, version
from trinco.config import TsigKey

KEY = TsigKey("trinco", "hmac-sha256", b"a secret of thirty-two octets...")


@dataclass(frozen=True, slots=True)
class Primary:
    """Where the zone comes from, and with which key: one edge, or several."""

    origin: str
    port: int
    key: TsigKey = KEY
    more: tuple[int, ...] = ()
    """Ports of further edges."""

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, *self.more)

    @property
    def secret(self) -> str:
        return base64.b64encode(self.key.secret).decode()


def nsd(directory: Path, primary: Primary, port: int = 0) -> NameServer:
    """NSD as a secondary. Raises Missing."""
    port, path = port or free_port(), program("nsd")
    requests = "\n".join(f"    request-xfr: 127.0.0.1@{each} {primary.key.name}" for each in primary.ports)
    config = directory / "nsd.conf"
    config.write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    database: ""
    verbosity: 2
    xfrd-reload-timeout: 0
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
{requests}
""")
    return NameServer(version(path, "-v"), (path, "-d", "-c", str(config)), port)


def knot(directory: Path, primary: Primary, port: int = 0) -> NameServer:
    """Knot DNS as a secondary. Raises Missing."""
    port, path = port or free_port(), program("knotd", "knot")
    names = {f"edge{number}": each for number, each in enumerate(primary.ports, start=1)}
    remotes = "\n".join(
        f"  - id: {name}\n    address: 127.0.0.1@{each}\n    key: {primary.key.name}" for name, each in names.items()
    )
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
{remotes}
acl:
  - id: notify-from-edges
    address: 127.0.0.1
    key: {primary.key.name}
    action: notify
zone:
  - domain: {primary.origin}
    storage: "{directory}"
    master: [{", ".join(names)}]
    acl: notify-from-edges
    zonefile-sync: 1h
""")
    return NameServer(version(path, "-V"), (path, "-c", str(config)), port)
