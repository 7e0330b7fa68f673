"""`trinco serve` with an ACME server in place of the development CA: pebble, which looks at the edge by HTTP through the
made-up internet's name server, as an authority does."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests import support_pebble, support_serve
from tests.support_pebble import Pebble
from tests.support_serve import Server

from trinco.cli import ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket")]
LOOPBACKS = ("127.0.0.1", "::1")


@dataclass
class Installation:
    """What runs."""

    server: Server
    pebble: Pebble
    http_port: int

    def certificate(self, host: str) -> dict[str, object]:
        """What the edge shows under this name, verified; {}: nothing yet."""
        address, _, port = self.server.told["policy"].rpartition(":")
        context = ssl.create_default_context(cafile=str(self.pebble.roots))
        try:
            with (
                socket.create_connection((address, int(port)), 5) as raw,
                context.wrap_socket(raw, server_hostname=host) as connection,
            ):
                return dict(connection.getpeercert() or {})
        except OSError:
            return {}


@pytest.fixture(scope="module")
def installation(needs, tmp_path_factory) -> Iterator[Installation]:
    """The playground, with one nonce in five refused."""
    folder = tmp_path_factory.mktemp("acme")
    zones = next(door for door in ports.DOORS if door.name == "zones")
    zones_port = ports.free(zones.needs)
    http_port = ports.free([(address, 0, socket.SOCK_STREAM) for address in LOOPBACKS])
    at = f"127.0.0.1:{zones_port}"
    with (
        support_pebble.running(needs("pebble"), folder, http_port, at, PEBBLE_WFE_NONCEREJECT="20") as pebble,
        pytest.MonkeyPatch.context() as patch,
    ):
        settings = {
            "ACME_DIRECTORY": pebble.directory,
            "ACME_TERMS_AGREED": "on",
            "ACME_CA_FILE": str(pebble.roots),
            "HTTP_LISTEN": f"127.0.0.1:{http_port} [::1]:{http_port}",
            "PLAYGROUND_LISTEN": at,
        }
        for name, value in settings.items():
            patch.setitem(support_serve.CLEAN, f"TRINCO_{name}", value)
        server = support_serve.start(folder)
        try:
            yield Installation(server, pebble, http_port)
        finally:
            support_serve.end(server, signal.SIGINT)


class TestServe:
    """From a due row to what a sender verifies, with nothing made up between but the internet."""

    def test_policy_hosts_have_certificates_of_the_authority(self, installation):
        names = ["mta-sts.correio.example", "reports.trinco.example"]
        support_serve.wait(lambda: all(installation.certificate(name) for name in names), 60)
        shown = [installation.certificate(name)["subjectAltName"] for name in names]
        assert shown == [(("DNS", name),) for name in names]

    def test_the_edge_fetches_its_own_policies_under_the_same_root(self, installation):
        """An edge acknowledges only what it could fetch from itself; then the id is announced."""

        def announced() -> bool:
            answer = support_serve.ask(installation.server, "_mta-sts.correio.example", "TXT").answer
            return any("v=STSv1" in str(rrset) for rrset in answer)

        support_serve.wait(announced, 60)

    def test_nothing_else_is_at_the_port_for_challenges(self, installation):
        with socket.create_connection(("127.0.0.1", installation.http_port), 5) as connection:
            connection.sendall(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.correio.example\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 404 ")
