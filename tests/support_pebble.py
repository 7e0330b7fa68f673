"""Pebble, the ACME server for tests, as a process of its own on loopback. Debian's package has no certificates in it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support_certs import Authority

from trinco.cli import ports

EAB_KID, EAB_KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@dataclass
class Pebble:
    """A running pebble. `roots`: PEM file with the root of its HTTPS address and that of what it issues."""

    directory: str
    management: str
    roots: Path
    log: Path

    def say(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def running(program: str, folder: Path, http_port: int, dns: str = "", **environ: str) -> Iterator[Pebble]:
    """Pebble, which asks for challenges at this port; `dns`: the resolver that it asks; `environ`: its own variables."""
    authority = Authority(folder, "Pebble's address")
    pair = _pair(authority, folder)
    listen, management = (f"localhost:{ports.free([('127.0.0.1', 0, socket.SOCK_STREAM)])}" for _ in range(2))
    config = {
        "listenAddress": listen,
        "managementListenAddress": management,
        "certificate": str(pair[0]),
        "privateKey": str(pair[1]),
        "httpPort": http_port,
        "tlsPort": 1,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": environ.pop("binding", "") == "on",
        "externalAccountMACKeys": {EAB_KID: EAB_KEY},
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
    command = [program, "-config", str(folder / "pebble.json"), *(["-dnsserver", dns] if dns else [])]
    log = folder / "pebble.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", **environ}, stdout=output, stderr=output
        )
    try:
        roots = _with_root(authority, folder, f"https://{management}/roots/0", process)
        yield Pebble(f"https://{listen}/dir", f"https://{management}", roots, log)
    finally:
        process.terminate()
        process.wait(60)


def _pair(authority: Authority, folder: Path) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1, in two files."""
    pem = authority.leaf("localhost").read_bytes()
    key, end, certificate = pem.partition(b"-----END PRIVATE KEY-----\n")
    (folder / "address.pem").write_bytes(certificate)
    (folder / "address.key").write_bytes(key + end)
    return folder / "address.pem", folder / "address.key"


def _with_root(authority: Authority, folder: Path, url: str, process: subprocess.Popen[bytes]) -> Path:
    """Wait until it answers, and keep the root that it made at its start."""
    context = ssl.create_default_context(cafile=str(authority.pem))
    context.check_hostname = False
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, context=context, timeout=60) as answer:
                root = answer.read()
            break
        except OSError:
            assert process.poll() is None, (folder / "pebble.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    path = folder / "roots.pem"
    path.write_bytes(authority.pem.read_bytes() + root)
    return path
