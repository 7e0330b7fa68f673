"""DNS that can be written, on loopback: a made-up Cloudflare, and a real Knot that takes updates with TSIG."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dns.message
import dns.query
import dns.rdatatype
import pytest
from lexicon._private.providers import cloudflare
from tests.support import needs

from trinco.cli import ports

TOKEN = "tok/en+of=the owner?"
SECRET = base64.b64encode(b"a secret of thirty-two octets...").decode()


@dataclass
class Cloudflare:
    """The part of the interface that is used, for one zone, as its documentation has it."""

    zone: str
    records: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """Nothing is answered while it is shut."""

    def __post_init__(self) -> None:
        self.gate.set()

    def add(self, rdtype: str, name: str, content: str) -> None:
        """A record that stands there."""
        row = {"id": f"id{len(self.records)}", "type": rdtype, "name": name, "content": content, "ttl": 300}
        self.records.append(row)

    def held(self) -> set[tuple[str, str, str]]:
        """(type, name, content) of all records."""
        return {(row["type"], row["name"], row["content"]) for row in self.records}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and document."""
        assert self.gate.wait(60)
        parts = urlsplit(path)
        self.calls.append((method, parts.path))
        pages = {"page": 1, "total_pages": 1}
        if parts.path == "/zones":
            return 200, {"result": [{"id": "z1", "name": self.zone}], "result_info": pages}
        if method == "POST":
            self.add(body["type"], body["name"], body["content"].rstrip("."))
        elif method == "PUT":
            row = next(row for row in self.records if row["id"] == parts.path.rsplit("/", 1)[1])
            row.update(type=body["type"], name=body["name"], content=body["content"], ttl=body["ttl"])
        elif method == "DELETE":
            self.records = [row for row in self.records if row["id"] != parts.path.rsplit("/", 1)[1]]
        asked = parse_qs(parts.query).get("name", [""])[0]
        return 200, {"success": True, "result_info": pages, "result": self._named(asked)}

    def _named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.records if name in ("", row["name"])]


@contextmanager
def cloudflare_at(zone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    """The made-up one, to which dns-lexicon's provider talks in place of the real one."""
    fake = Cloudflare(zone)

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = 403, {"errors": [{"message": f"{self.headers['Authorization']} is not valid"}]}
            if self.headers["Authorization"] == f"Bearer {TOKEN}":
                status, document = fake.answer(self.command, self.path, json.loads(body or b"{}"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - names of the library

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    original = cloudflare.Provider.__init__

    def nearby(self: Any, config: Any) -> None:
        original(self, config)
        self.api_endpoint = f"http://127.0.0.1:{fake.port}"

    monkeypatch.setattr(cloudflare.Provider, "__init__", nearby)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Knot:
    """A running server."""

    zone: str
    port: int

    @property
    def credentials(self) -> dict[str, str]:
        server = f"127.0.0.1:{self.port}"
        return {"server": server, "key_name": "owner", "key_algorithm": "hmac-sha256", "key_secret": SECRET}

    def at(self, name: str, rdtype: str) -> list[str]:
        """What it answers."""
        reply = dns.query.tcp(dns.message.make_query(name, rdtype), "127.0.0.1", 5, self.port)
        return [each.to_text() for rrset in reply.answer for each in rrset]


@contextmanager
def knot(zone: str, directory: Path, records: str = "") -> Iterator[Knot]:
    """Knot with this zone, which takes updates under the owner's key."""
    program = needs("knotd")
    port = ports.free([(ports.LOOPBACK, 0, kind) for kind in (ports.TCP, ports.UDP)])
    (directory / f"{zone}.zone").write_text(
        f"$ORIGIN {zone}.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.53\n{records}"
    )
    (directory / "knot.conf").write_text(
        f'server:\n    rundir: "{directory}"\n    listen: 127.0.0.1@{port}\ndatabase:\n    storage: "{directory}"\n'
        f"log:\n  - target: stderr\n    any: error\nkey:\n  - id: owner\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
        "acl:\n  - id: updates\n    key: owner\n    action: [update, transfer]\n"
        f'zone:\n  - domain: {zone}\n    storage: "{directory}"\n    acl: updates\n'
    )
    process = subprocess.Popen([program, "-c", directory / "knot.conf"])
    try:
        here = Knot(zone, port)
        _wait(here)
        yield here
    finally:
        process.terminate()
        process.wait(60)


def _wait(server: Knot) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if server.at(server.zone, "SOA"):
                return
        except (OSError, EOFError):
            pass
        time.sleep(0.05)
    raise AssertionError("Knot does not answer")
