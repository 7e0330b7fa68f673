"""nginx and uvicorn with the certificates and policies of ours: each on one loopback port, with one worker."""

from __future__ import annotations

import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

from bench.harness import program
from bench.row import Missing
from bench.tlscerts import FORMAT, Mint, policy


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: its name with version, and how to start it."""

    name: str
    argv: tuple[str, ...]


_NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log crit;
worker_rlimit_nofile 65536; events {{ worker_connections 4096; }}
http {{
  access_log off; server_tokens off; keepalive_timeout 5; default_type text/plain; types {{ text/plain txt; }}
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off; ssl_buffer_size 4k;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
  open_file_cache max=20000 inactive=60s; open_file_cache_valid 60s;
{servers}}}
"""


def nginx_blocks(directory: Path, mint: Mint, count: int, port: int) -> Peer:
    """nginx with a server block for each name: every certificate is in memory. Raises Missing."""
    blocks = "".join(
        f"  server {{ listen 127.0.0.1:{port} ssl; server_name {FORMAT % number}; ssl_certificate {mint.pem(number)}; "
        f"ssl_certificate_key {mint.pem(number)}; root {_root(directory, number)}; }}\n"
        for number in range(count)
    )
    return _nginx(directory, blocks)


def nginx_variable(directory: Path, mint: Mint, count: int, port: int) -> Peer:
    """nginx that loads the certificate of the name asked for from its file, for each connection. Raises Missing."""
    for number in range(count):
        _root(directory, number)
    pem = f"{mint.directory}/$ssl_server_name.pem"
    block = (
        f"  server {{ listen 127.0.0.1:{port} ssl; server_name _; ssl_certificate {pem}; ssl_certificate_key {pem}; "
        f"root {directory}/www/$host; }}\n"
    )
    return _nginx(directory, block)


def uvicorn(directory: Path, mint: Mint, port: int) -> Peer:
    """uvicorn with uvloop and httptools and one certificate, from an environment of its own. Raises Missing."""
    venv.create(directory / "venv", with_pip=True)
    python = str(directory / "venv" / "bin" / "python")
    packages = ("uvicorn", "uvloop", "httptools")
    if subprocess.run([python, "-m", "pip", "install", "-q", *packages], capture_output=True, check=False).returncode:
        raise Missing("uvicorn: its package cannot be installed here")
    (directory / "app.py").write_text(_APP.format(body=policy(0)))
    version = subprocess.run([python, "-m", "uvicorn", "--version"], capture_output=True, text=True, check=True).stdout
    listen = ("--host", "127.0.0.1", "--port", str(port), "--ssl-certfile", str(mint.pem(0)), "--ssl-keyfile")
    options = (str(mint.pem(0)), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error")
    name = "uvicorn " + version.split()[2]
    return Peer(name, (python, "-m", "uvicorn", *listen, *options, "--app-dir", str(directory), "app:app"))


_APP = """BODY = {body!r}
HEAD = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({{"type": message["type"] + ".complete"}})
            if message["type"] == "lifespan.shutdown":
                return
    await send({{"type": "http.response.start", "status": 200, "headers": HEAD}})
    await send({{"type": "http.response.body", "body": BODY}})
"""


def _root(directory: Path, number: int) -> Path:
    """The document root of one name, with its policy."""
    root = directory / "www" / (FORMAT % number)
    (root / ".well-known").mkdir(parents=True)
    (root / ".well-known" / "mta-sts.txt").write_bytes(policy(number))
    return root


def _nginx(directory: Path, servers: str) -> Peer:
    path, user = program("nginx", "nginx-light"), "user root;\n" if os.getuid() == 0 else ""
    (directory / "nginx.conf").write_text(user + _NGINX.format(directory=directory, servers=servers))
    version = subprocess.run([path, "-v"], capture_output=True, text=True, check=True).stderr
    argv = (path, "-e", f"{directory}/nginx.log", "-c", f"{directory}/nginx.conf")
    return Peer("nginx " + version.strip().rpartition("/")[2], argv)
