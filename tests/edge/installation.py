"""An installation of real processes: one database, a driver in place of the panel, edges on loopback addresses."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from trinco.cli import ports

BASE = "trinco.example"
PATIENCE = 60.0
LEAKS = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
"""A filter of warnings: Python 3.11's `wrap_socket` forgets the socket when the peer has reset it before."""
COMMAND = [sys.executable, "-m", "trinco", "edge"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}
PATHS = os.pathsep.join(path for path in ["src", "."] if path)


@dataclass
class Edge:
    """A real edge, over its lives."""

    name: str
    address: str
    policy_port: int
    dns_port: int
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    offset: int = 0

    def start(self, *, wait: bool = True) -> None:
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(COMMAND, env=self.environment, stdout=output, stderr=output)
        if wait:
            until(lambda: self.ready, self.say)

    def say(self, offset: int = 0) -> str:
        return self.log.read_bytes()[offset:].decode(errors="replace")

    @property
    def ready(self) -> bool:
        """Whether it has said so in this life."""
        return "Ready: " in self.say(self.offset)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether it was stopped by a signal."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].startswith("T")

    def txt(self, label: str) -> str | None:
        """What the TXT record says; "" for none; None when nobody answers."""
        query = dns.message.make_query(f"{label}.mta-sts.{BASE}", "TXT")
        try:
            reply = dns.query.udp(query, self.address, timeout=0.3, port=self.dns_port)
        except (OSError, dns.exception.DNSException):
            return None
        assert reply.rcode() == dns.rcode.NOERROR, reply
        return "".join(rdata.strings[0].decode() for rrset in reply.answer for rdata in rrset)

    def policy_id(self, label: str) -> str | None:
        """The announced id; "" for none; None when nobody answers."""
        text = self.txt(label)
        return text and text.removeprefix("v=STSv1; id=").removesuffix(";")

    def fetch(self, domain: str, context: ssl.SSLContext) -> bytes | None:
        """The whole response to a GET of the policy; None when there is none."""
        try:
            with self.connected(domain, context) as connection:
                connection.sendall(request(domain))
                return drained(connection)
        except OSError:
            return None

    @contextmanager
    def connected(self, domain: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
        """A TLS connection to the policy host of this domain."""
        with (
            socket.create_connection((self.address, self.policy_port), 1.0) as raw,
            context.wrap_socket(raw, server_hostname=f"mta-sts.{domain}") as connection,
        ):
            yield connection

    def body(self, domain: str, context: ssl.SSLContext) -> bytes | None:
        response = self.fetch(domain, context)
        return response.partition(b"\r\n\r\n")[2] if response and response.startswith(b"HTTP/1.1 200 ") else None


def request(domain: str) -> bytes:
    return f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.{domain}\r\nConnection: close\r\n\r\n".encode()


def drained(connection: ssl.SSLSocket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@dataclass
class Installation:
    """`driver` is asked by `do`; `labels` by domain."""

    data: Path
    edges: list[Edge]
    driver: subprocess.Popen[str]
    labels: dict[str, str] = field(default_factory=dict)

    def do(self, deed: str, *arguments: Any) -> Any:
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        self.driver.stdin.write(json.dumps([deed, *arguments]) + "\n")
        self.driver.stdin.flush()
        return json.loads(self.driver.stdout.readline())

    @property
    def database(self) -> Path:
        return self.data / "trinco.sqlite3"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.data / "ca.pem")

    def announced(self, domain: str) -> bool:
        """Whether every edge that runs announces the current policy."""
        current, _ = self.do("current", domain)
        return all(edge.policy_id(self.labels[domain]) == current for edge in self.edges if edge.running)


@contextmanager
def installed(data: Path, *domains: str, edges: int = 2, database: str = "sqlite:///") -> Iterator[Installation]:
    """An installation with these live domains. Its edges are not started yet; all that runs is killed at the end."""
    addresses = [f"127.0.0.{number}" for number in range(1, edges + 1)]
    environment = _environment(data, addresses) | {"TRINCO_DATABASE": database}
    command = [sys.executable, "-m", "tests.edge.driver"]
    log = (data / "driver.log").open("wb")
    with (
        log,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as driver,
    ):
        made = Installation(data, [_edge(address, environment, data) for address in addresses], driver)
        try:
            made.labels = made.do("host", *domains)
            yield made
        finally:
            for process in [driver, *(edge.process for edge in made.edges if edge.process)]:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                process.wait()


def _environment(data: Path, addresses: list[str]) -> dict[str, str]:
    wanted = [(address, 0, kind) for address in addresses for kind in (ports.TCP, ports.UDP)]
    policy, dns_port = ports.free(wanted), ports.free(wanted)
    servers = " ".join(f"ns{number}.{BASE}={address}" for number, address in enumerate(addresses, 1))
    return CLEAN | {
        "PYTHONPATH": PATHS,
        "TRINCO_DATA": str(data),
        "TRINCO_BASE": BASE,
        "TRINCO_NAMESERVERS": servers,
        "TRINCO_POLICY_ADDRESSES": " ".join(addresses),
        "TRINCO_AUTHORITY_PORT": str(dns_port),
        "TRINCO_POLICY_PORT": str(policy),
    }


def _edge(address: str, environment: dict[str, str], data: Path) -> Edge:
    name = "edge" + address.rpartition(".")[2]
    policy, dns_port = int(environment["TRINCO_POLICY_PORT"]), int(environment["TRINCO_AUTHORITY_PORT"])
    mine = environment | {
        "TRINCO_EDGE_NAME": name,
        "TRINCO_POLICY_LISTEN": f"{address}:{policy}",
        "TRINCO_DNS_LISTEN": f"{address}:{dns_port}",
        "TRINCO_SMTP_LISTEN": f"{address}:0",
    }
    return Edge(name, address, policy, dns_port, mine, data / f"{name}.log")


def until(holds: Any, explain: Any = lambda: "", seconds: float = PATIENCE) -> None:
    """Wait until it holds; fail when it does not in good time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
