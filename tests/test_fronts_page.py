"""docs/fronts.md: each of its configurations runs in the real server, and a sender gets the policy through it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.edge.front_rig import fronted
from tests.edge.policy_rig import Rig, body_of, hosted, publication
from tests.support_tls import Authority

from trinco import config
from trinco.cli import ports
from trinco.core.errors import TrincoError
from trinco.core.names import Domain
from trinco.edge.sni import Table
from trinco.net.https import context, fetch_policy

PAGE = (Path(__file__).parents[1] / "docs" / "fronts.md").read_text(encoding="utf-8")
UM, OUTRO = "um.example", "outro.example"
PEM, FORM = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
needs_program = Callable[[str], str]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def moved(text: str, *places: tuple[str, str]) -> str:
    """The configuration with what is different here; each of these is in it."""
    for there, here in places:
        assert there in text
        text = text.replace(there, here)
    return text


def free_port() -> int:
    return ports.free([(ports.LOOPBACK, 0, ports.TCP)])


@contextmanager
def front(command: Sequence[str | Path], port: int, folder: Path) -> Iterator[None]:
    """The server, from when it takes connections."""
    log = folder / "front.log"
    here = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/bin"}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=here) as process:
        try:
            until = time.monotonic() + 60
            while not accepts(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except OSError:
        return False
    return True


def fetched(name: str, port: int, trusting: ssl.SSLContext) -> bytes:
    return asyncio.run(fetch_policy(Domain.parse(name), "127.0.0.1", port, trusting))


def refused(name: str, port: int, trusting: ssl.SSLContext) -> bool:
    try:
        fetched(name, port, trusting)
    except TrincoError:
        return True
    return False


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def table(authority: Authority) -> Table:
    return Table(publication(hosted(authority, UM), issuers=authority.issuers))


@pytest.fixture
def trusting(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    root = tmp_path / "root.pem"
    root.write_text(authority.pem)
    trusting = context()
    trusting.load_verify_locations(root)
    return trusting


def keep(authority: Authority, folder: Path, name: str) -> tuple[str, str]:
    """Chain and key of a policy host in PEM, as a client of the operator's keeps them."""
    leaf, key = authority.leaf(f"mta-sts.{name}")
    chain = [x509.load_der_x509_certificate(each) for each in (leaf, *authority.issuers)]
    certificates = "".join(each.public_bytes(PEM).decode() for each in chain)
    private = serialization.load_der_private_key(key, None)
    text = private.private_bytes(PEM, FORM, serialization.NoEncryption()).decode()
    (folder / f"mta-sts.{name}.crt").write_text(certificates)
    (folder / f"mta-sts.{name}.key").write_text(text)
    return certificates, text


class TestTerminating:
    """Issue: a documented Caddy, nginx or HAProxy front terminates TLS, and asks an edge that answers from memory."""

    def test_nginx(self, table, authority, trusting, tmp_path: Path, needs: needs_program) -> None:
        program, port = needs("nginx"), free_port()
        for name in (UM, OUTRO):
            keep(authority, tmp_path, name)
        temporary = " ".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        with fronted(table) as edge:
            text = moved(
                block("nginx"),
                ("192.0.2.10:8081", f"127.0.0.1:{edge.port}"),
                ("listen 443", f"listen 127.0.0.1:{port}"),
                ("/etc/nginx/policy-hosts", str(tmp_path)),
                ("http {", f"http {{\n access_log off; {temporary}"),
            )
            (tmp_path / "nginx.conf").write_text(text)
            process = f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;"
            command = [program, "-e", "stderr", "-c", tmp_path / "nginx.conf", "-g", process]
            with front(command, port, tmp_path):
                assert fetched(UM, port, trusting) == body_of(UM)
                assert refused(OUTRO, port, trusting)
                assert refused("sem.example", port, trusting)

    def test_haproxy(self, table, authority, trusting, tmp_path: Path, needs: needs_program) -> None:
        program, port, folder = needs("haproxy"), free_port(), tmp_path / "policy-hosts"
        folder.mkdir()
        for name in (UM, OUTRO):
            (folder / f"{name}.pem").write_text("".join(keep(authority, tmp_path, name)))
        with fronted(table) as edge:
            text = moved(
                block("haproxy terminating"),
                ("192.0.2.10:8081", f"127.0.0.1:{edge.port}"),
                ("bind :443", f"bind 127.0.0.1:{port}"),
                ("/etc/haproxy/policy-hosts", str(folder)),
            )
            (tmp_path / "haproxy.cfg").write_text(text)
            with front([program, "-db", "-f", tmp_path / "haproxy.cfg"], port, tmp_path):
                assert fetched(UM, port, trusting) == body_of(UM)
                assert refused(OUTRO, port, trusting)
                assert refused("sem.example", port, trusting)

    def test_caddy(self, table, tmp_path: Path, needs: needs_program) -> None:
        """Its own authority stands for a public one; it asks before it issues, and only what is served here gets one."""
        program, port = needs("caddy"), free_port()
        options = f"admin off\n\thttp_port {free_port()}\n\thttps_port {port}\n\tskip_install_trust\n\tlocal_certs\n"
        with fronted(table) as edge:
            text = moved(
                block("caddy"),
                ("192.0.2.10:8081", f"127.0.0.1:{edge.port}"),
                ("{\n\ton_demand_tls", f"{{\n\t{options}\ton_demand_tls"),
            )
            (tmp_path / "Caddyfile").write_text(text)
            command = [program, "run", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
            with front(command, port, tmp_path):
                trusting = context()
                trusting.load_verify_locations(tmp_path / "caddy" / "pki" / "authorities" / "local" / "root.crt")
                assert fetched(UM, port, trusting) == body_of(UM)
                assert refused(OUTRO, port, trusting)
            assert [each.name for each in tmp_path.glob("caddy/certificates/local/*")] == [f"mta-sts.{UM}"]


class TestPassing:
    """A front that passes TLS on is not noticed: the certificate is ours, and so is the refusal of other names."""

    def test_haproxy(self, table, authority, trusting, tmp_path: Path, needs: needs_program) -> None:
        program, port = needs("haproxy"), free_port()
        with Rig(table, authority).running() as rig:
            text = moved(
                block("haproxy passing"),
                ("192.0.2.10:8443", f"127.0.0.1:{rig.port}"),
                ("bind :443", f"bind 127.0.0.1:{port}"),
                ("192.0.2.20:443", f"127.0.0.1:{free_port()}"),
            )
            (tmp_path / "haproxy.cfg").write_text(text)
            with front([program, "-db", "-f", tmp_path / "haproxy.cfg"], port, tmp_path):
                assert fetched(UM, port, trusting) == body_of(UM)
                assert refused(OUTRO, port, trusting)


def test_the_setting_loads() -> None:
    found = dict(re.findall(r"^(TRINCO_\w+)=\"?(.*?)\"?$", PAGE, re.MULTILINE))
    assert config.load(found).front_listen == (("192.0.2.10", 8081),)
