"""All of an installation on loopback addresses of its own: three edges, NSD and Knot, panel and worker, and PostgreSQL
with a standby. Whatever goes from one to another goes by a way that can be cut (`relays`).

    127.0.1.1 …3    edge1 … edge3: policy host, name server, mail
    127.0.1.4, .5   NSD, Knot
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import secondaries
from bench.secondaries import KEY
from tests.chaos import clocks, pair
from tests.chaos.actors import Actor
from tests.chaos.plan import EDGES, SECONDARIES
from tests.chaos.relays import Relays
from tests.edge.installation import BASE, CLEAN, PATHS

from trinco.cli import ports

ADDRESSES = {name: f"127.0.1.{number}" for number, name in enumerate((*EDGES, *SECONDARIES), 1)}
NAMES = ("um.example", "dois.example", "tres.example", "quatro.example")
PATIENCE = 60.0


@dataclass
class Town:
    """What runs. `ports`: of the policy hosts, the name servers, the mail doors."""

    data: Path
    relays: Relays
    databases: pair.Pair
    clocks: clocks.Clocks
    policy_port: int
    dns_port: int
    smtp_port: int
    actors: dict[str, Actor] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    usual: dict[str, str] = field(default_factory=dict)
    """The environment that all of Trinco's processes have in common."""
    driver: subprocess.Popen[str] | None = None
    authority: subprocess.Popen[str] | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    def do(self, deed: str, *arguments: Any) -> Any:
        """What the driver answers: one question at a time."""
        assert self.driver is not None
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        with self.turn:
            self.driver.stdin.write(json.dumps([deed, *arguments]) + "\n")
            self.driver.stdin.flush()
            line = self.driver.stdout.readline()
        assert line, (self.data / "driver.log").read_text()
        return json.loads(line)

    @property
    def database_ways(self) -> list[str]:
        return [name for name in self.relays.ways if name.endswith("-database")]

    @property
    def roots(self) -> Path:
        return self.data / "authority" / "roots.pem"

    def trusting(self) -> ssl.SSLContext:
        """What senders trust."""
        return ssl.create_default_context(cafile=self.roots)

    def described(self) -> Path:
        """The file that tells the checker what there is."""
        text = json.dumps(
            {
                "labels": self.labels,
                "servers": ADDRESSES,
                "secondaries": list(SECONDARIES),
                "dns_port": self.dns_port,
                "smtp_port": self.smtp_port,
                "edges": [[name, ADDRESSES[name], self.policy_port] for name in EDGES],
                "roots": str(self.roots),
            }
        )
        path = self.data / "town.json"
        path.write_text(text)
        return path


@contextmanager
def built(data: Path) -> Iterator[Town]:
    """The town with all in it started and at work; all that runs is ended afterwards."""
    wanted = [(address, 0, kind) for address in ADDRESSES.values() for kind in (ports.TCP, ports.UDP)]
    policy, dns, smtp = (ports.free(wanted) for _ in range(3))
    relays = Relays()
    with ExitStack() as stack:
        moved = stack.enter_context(clocks.made())
        stack.enter_context(relays.running())
        databases = stack.enter_context(pair.running(moved.environment("database")))
        town = Town(data, relays, databases, moved, policy, dns, smtp)
        stack.callback(_ended, town)
        _settle(town)
        yield town


def _settle(town: Town) -> None:
    usual = town.usual = _environment(town, _start_authority(town))
    for name in ("driver", "worker", "panel", *EDGES):
        _to_database(town, name)
    _start_driver(town, usual)
    town.labels = town.do("host", *NAMES)
    town.databases.follow()
    for name in EDGES:
        town.actors[name] = _edge(town, name, usual)
    for name in SECONDARIES:
        town.actors[name] = _secondary(town, name)
    for role, word in (("worker", "worker ready"), ("panel", "")):
        town.actors[role] = _inside(town, role, word, usual)
    for actor in town.actors.values():
        actor.start()
    until(lambda: all(actor.ready for actor in town.actors.values()), lambda: _unready(town))


def _to_database(town: Town, name: str) -> int:
    return town.relays.add(f"{name}-database", ("127.0.0.1", 0), town.databases.first.socket)


def _start_authority(town: Town) -> str:
    """The URL of its directory."""
    folder = town.data / "authority"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.chaos.authority", str(folder)]
    with (town.data / "authority.log").open("wb") as log:
        environment = CLEAN | {"PYTHONPATH": PATHS}
        town.authority = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert town.authority.stdout is not None
    return town.authority.stdout.readline().strip()


def _environment(town: Town, authority: str) -> dict[str, str]:
    servers = " ".join(f"ns{number}.{BASE}={address}" for number, address in enumerate(ADDRESSES.values(), 1))
    return CLEAN | {
        "PYTHONPATH": PATHS,
        "TRINCO_DATA": str(town.data),
        "TRINCO_BASE": BASE,
        "TRINCO_SEAL_KEY": secrets.token_hex(32),
        "TRINCO_NAMESERVERS": servers,
        "TRINCO_POLICY_ADDRESSES": " ".join(ADDRESSES[name] for name in EDGES),
        "TRINCO_POLICY_PORT": str(town.policy_port),
        "TRINCO_AUTHORITY_PORT": str(town.dns_port),
        "TRINCO_RESOLVERS": "127.0.0.1:9",
        "TRINCO_ACME_DIRECTORY": authority,
        "TRINCO_ACME_TERMS_AGREED": "on",
        "TRINCO_ACME_CONTACT": f"hostmaster@{BASE}",
        "TRINCO_ACME_CA_FILE": str(town.roots),
        "TRINCO_ACME_ORDERS": "100000",
    }


def _database_url(town: Town, name: str) -> str:
    return f"postgresql://trinco@127.0.0.1:{town.relays.ways[f'{name}-database'].listen[1]}/postgres"


def _start_driver(town: Town, usual: dict[str, str]) -> None:
    environment = usual | {"TRINCO_DATABASE": _database_url(town, "driver")}
    with (town.data / "driver.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.chaos.driver"]
        pipe = subprocess.PIPE
        town.driver = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)


def _edge(town: Town, name: str, usual: dict[str, str]) -> Actor:
    """An edge; its neighbours are beyond ways of its own, at their addresses and a port of its own."""
    address = ADDRESSES[name]
    neighbours = [ADDRESSES[other] for other in ADDRESSES if other != name]
    port = ports.free([(each, 0, kind) for each in neighbours for kind in (ports.TCP, ports.UDP)])
    for other, theirs in ADDRESSES.items():
        if other != name:
            town.relays.add(f"{name}-{other}", (theirs, port), (theirs, town.dns_port), address)
    for other in SECONDARIES:
        far = ports.free([(address, 0, ports.TCP), (address, 0, ports.UDP)])
        town.relays.add(f"{other}-{name}", (address, far), (address, town.dns_port), ADDRESSES[other])
    environment = (
        usual
        | town.clocks.environment(name)
        | {
            "TRINCO_DATABASE": _database_url(town, name),
            "TRINCO_AUTHORITY_PORT": str(port),
            "TRINCO_SECONDARIES": " ".join(f"{ADDRESSES[other]}:{port}" for other in SECONDARIES),
            "TRINCO_TSIG_KEY": f"{KEY.algorithm}:{KEY.name}:{base64.b64encode(KEY.secret).decode()}",
            "TRINCO_EDGE_NAME": name,
            "TRINCO_EDGE_ADDRESSES": address,
            "TRINCO_POLICY_LISTEN": f"{address}:{town.policy_port}",
            "TRINCO_DNS_LISTEN": f"{address}:{town.dns_port}",
            "TRINCO_SMTP_LISTEN": f"{address}:{town.smtp_port}",
        }
    )
    command = [sys.executable, "-m", "trinco", "edge"]
    return Actor(name, command, environment, town.data / f"{name}.log", "Ready: ")


def _secondary(town: Town, name: str) -> Actor:
    """A public name server, as docs/nameservers.md says; it follows each edge by a way that can be cut."""
    masters = tuple(town.relays.ways[f"{name}-{edge}"].listen for edge in EDGES)
    make, home = {"nsd": secondaries.nsd, "knot": secondaries.knot}[name], town.data / name
    home.mkdir(exist_ok=True)
    server = make(home, secondaries.Primary(BASE, masters), (ADDRESSES[name], town.dns_port))
    return Actor(name, list(server.argv), CLEAN, town.data / f"{name}.log")


def _inside(town: Town, role: str, word: str, usual: dict[str, str]) -> Actor:
    environment = (
        usual
        | town.clocks.environment(role)
        | {
            "TRINCO_DATABASE": _database_url(town, role),
            "TRINCO_PANEL_LISTEN": f"127.0.0.1:{ports.free([('127.0.0.1', 0, ports.TCP)])}",
        }
    )
    return Actor(role, [sys.executable, "-m", "trinco", role], environment, town.data / f"{role}.log", word)


def _unready(town: Town) -> str:
    return "\n".join(f"== {actor.name}\n{actor.say()[-2000:]}" for actor in town.actors.values() if not actor.ready)


def _ended(town: Town) -> None:
    for actor in town.actors.values():
        actor.kill()
    for process in (town.driver, town.authority):
        if process is not None:
            process.kill()
            process.wait()


def until(holds: Callable[[], Any], explain: Callable[[], str] = lambda: "", seconds: float = PATIENCE) -> None:
    """Wait until it holds. Raises AssertionError with the explanation when it does not in good time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)
