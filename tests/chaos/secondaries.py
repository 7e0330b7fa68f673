"""NSD and Knot as the town's public name servers, as docs/nameservers.md says: each follows all three edges, each by a
way of its own that can be cut."""

from __future__ import annotations

import base64
from pathlib import Path

from bench.secondaries import KEY
from tests.support import needs

BASE = "trinco.example"
_SECRET = base64.b64encode(KEY.secret).decode()
Masters = list[tuple[str, int]]
"""Address and port of each edge's name server, as this secondary reaches it. NOTIFY comes from the address."""


def nsd(directory: Path, listen: tuple[str, int], masters: Masters) -> list[str]:
    directory.mkdir(exist_ok=True)
    notified = "\n".join(f"    allow-notify: {host} {KEY.name}" for host, _ in masters)
    requests = "\n".join(f"    request-xfr: {host}@{port} {KEY.name}" for host, port in masters)
    (directory / "nsd.conf").write_text(f"""
server:
    ip-address: {listen[0]}@{listen[1]}
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
    name: "{KEY.name}"
    algorithm: {KEY.algorithm}
    secret: "{_SECRET}"
zone:
    name: "{BASE}"
    zonefile: "{BASE}.zone"
{notified}
{requests}
""")
    return [needs("nsd"), "-d", "-c", str(directory / "nsd.conf")]


def knot(directory: Path, listen: tuple[str, int], masters: Masters) -> list[str]:
    directory.mkdir(exist_ok=True)
    remotes = "\n".join(
        f"  - id: edge{number}\n    address: {host}@{port}\n    key: {KEY.name}"
        for number, (host, port) in enumerate(masters, 1)
    )
    names = ", ".join(f"edge{number}" for number in range(1, len(masters) + 1))
    hosts = ", ".join(host for host, _ in masters)
    (directory / "knot.conf").write_text(f"""
server:
    rundir: "{directory}"
    listen: {listen[0]}@{listen[1]}
database:
    storage: "{directory}"
log:
  - target: stderr
    any: info
key:
  - id: {KEY.name}
    algorithm: {KEY.algorithm}
    secret: {_SECRET}
remote:
{remotes}
acl:
  - id: notify-from-edges
    address: [{hosts}]
    key: {KEY.name}
    action: notify
zone:
  - domain: {BASE}
    storage: "{directory}"
    master: [{names}]
    acl: notify-from-edges
    zonefile-sync: 1h
""")
    return [needs("knotd"), "-c", str(directory / "knot.conf")]
