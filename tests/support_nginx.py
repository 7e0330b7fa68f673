"""Debian's nginx on a machine of its own: a network and folders that nobody else sees, so that the files of a bundle lie
where they say, and the server listens where it does for senders.

Run as a program, it is what goes on in there: `support_nginx.py PROGRAM BUNDLE PEM ROOT HOSTS`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support_certs import Authority

PATH = "/.well-known/mta-sts.txt"
MAIN = """daemon off; master_process off; user root; pid {temporary}/pid; error_log {temporary}/log;
events {{}}
http {{ access_log off; include {folder}/nginx.conf; }}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender got. `status` 0: no handshake."""

    status: int
    content_type: str = ""
    body: bytes = b""


def asked(
    needs: Callable[[str], str], bundle: Path, hosts: Sequence[str], others: Sequence[str] = ()
) -> dict[str, Answer]:
    """What nginx answers at each policy host with an unpacked bundle as it is, and at other names. `hosts` get a
    certificate, as the customer's servers have it."""
    program, unshare = needs("nginx"), needs("unshare")
    needs("ip")
    with tempfile.TemporaryDirectory() as temporary:
        authority = Authority(Path(temporary))
        names = Path(temporary, "names")
        names.write_text("\n".join([*hosts, *others]))
        here = [
            sys.executable,
            "-m",
            "tests.support_nginx",
            program,
            bundle,
            authority.leaf(*hosts),
            authority.pem,
            names,
        ]
        apart = [unshare, "--map-root-user", "--mount", "--net", *map(str, here)]
        told = subprocess.run(apart, capture_output=True, check=True, timeout=120, cwd=Path(__file__).parent.parent)
    found: dict[str, list[Any]] = json.loads(told.stdout)
    return {host: Answer(status, kind, body.encode("latin-1")) for host, (status, kind, body) in found.items()}


def _main(program: str, bundle: str, pem: str, root: str, names: str) -> None:
    hosts = Path(names).read_text().split()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    bundled, key, trusted = Path(bundle).absolute(), Path(pem).read_bytes(), Path(root).read_text()
    folder, temporary = Path("/srv/mta-sts"), Path(tempfile.mkdtemp())
    _private("/srv", "/etc/ssl", "/var/lib", "/var/log")
    shutil.copytree(bundled, folder)
    for host in hosts:
        for end in ("pem", "key"):
            Path(f"/etc/ssl/{host}.{end}").write_bytes(key)
    for each in ("/var/lib/nginx", "/var/log/nginx"):
        Path(each).mkdir()
    (temporary / "nginx.conf").write_text(MAIN.format(temporary=temporary, folder=folder))
    process = subprocess.Popen([program, "-c", temporary / "nginx.conf", "-e", temporary / "log"], stdout=sys.stderr)
    try:
        _wait(process, temporary / "log")
        context = ssl.create_default_context(cadata=trusted)
        json.dump({host: _ask(host, context) for host in hosts}, sys.stdout)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(temporary)


def _private(*folders: str) -> None:
    for each in folders:
        subprocess.run(["mount", "-t", "tmpfs", "none", each], check=True)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", 443), 60).close()
        except OSError:
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)
        else:
            return


def _ask(host: str, context: ssl.SSLContext) -> tuple[int, str, str]:
    """As a sender does (RFC 8461 section 3.3): no redirect is followed."""
    try:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", 443), 60), server_hostname=host) as connection:
            connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.getheader("Content-Type", ""), response.read().decode("latin-1")
    except ssl.SSLError:
        return 0, "", ""


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    _main(*sys.argv[1:])
