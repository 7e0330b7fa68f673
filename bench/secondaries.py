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


Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Primary:
    """Where the zone comes from, and with which key: one edge, or several."""

    origin: str
    masters: tuple[Endpoint, ...]
    """Each edge's name server, as the secondary reaches it. NOTIFY comes from the address."""
    key: TsigKey = KEY

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(host for host, _ in self.masters))

    @property
    def secret(self) -> str:
        return base64.b64encode(self.key.secret).decode()


def nsd(directory: Path, primary: Primary, listen: Endpoint = ("127.0.0.1", 0)) -> NameServer:
    """NSD as a secondary. Raises Missing."""
    host, port, path = listen[0], listen[1] or free_port(), program("nsd")
    notified = "\n".join(f"    allow-notify: {each} {primary.key.name}" for each in primary.hosts)
    requests = "\n".join(f"    request-xfr: {at}@{each} {primary.key.name}" for at, each in primary.masters)
    config = directory / "nsd.conf"
    config.write_text(f"""
server:
    ip-address: {host}@{port}
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
{notified}
{requests}
""")
    return NameServer(version(path, "-v"), (path, "-d", "-c", str(config)), port)


def knot(directory: Path, primary: Primary, listen: Endpoint = ("127.0.0.1", 0)) -> NameServer:
    """Knot DNS as a secondary. Raises Missing."""
    host, port, path = listen[0], listen[1] or free_port(), program("knotd", "knot")
    names = {f"edge{number}": f"{at}@{each}" for number, (at, each) in enumerate(primary.masters, start=1)}
    remotes = "\n".join(
        f"  - id: {name}\n    address: {each}\n    key: {primary.key.name}" for name, each in names.items()
    )
    config = directory / "knot.conf"
    config.write_text(f"""
server:
    rundir: "{directory}"
    listen: {host}@{port}
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
    address: {_several(primary.hosts)}
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


def _several(hosts: tuple[str, ...]) -> str:
    return hosts[0] if len(hosts) == 1 else f"[{', '.join(hosts)}]"
