"""Programs that people use, against the policy host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.policy_rig import PATH, Rig, body_of, hosted, publication
from tests.support import needs
from tests.support_tls import Authority

from trinco.edge.sni import Table

NAME = "um.example"
HOST = f"mta-sts.{NAME}"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    authority = Authority()
    with Rig(Table(publication(hosted(authority, NAME), issuers=authority.issuers)), authority).running() as running:
        yield running


@pytest.fixture(scope="module")
def root(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root") / "ca.pem"
    path.write_text(rig.authority.pem)
    return path


class TestCurl:
    """RFC 8461 section 3.3: the policy is fetched by its own name, under a root that the client trusts."""

    def curl(self, rig: Rig, root: Path, *options: str, url: str = f"https://{HOST}{PATH}") -> tuple[int, bytes]:
        to = ["--connect-to", f"::127.0.0.1:{rig.port}", "--cacert", str(root)]
        done = subprocess.run(
            [needs("curl"), "-sS", "--max-time", "60", *to, *options, url], capture_output=True, check=False
        )
        return done.returncode, done.stdout

    @pytest.mark.parametrize("options", [(), ("--http1.0",), ("--tlsv1.3",), ("--tls-max", "1.2"), ("--http2",)])
    def test_the_policy(self, rig: Rig, root: Path, options: tuple[str, ...]) -> None:
        assert self.curl(rig, root, *options) == (0, body_of(NAME))

    def test_two_fetches_share_one_connection(self, rig: Rig, root: Path) -> None:
        out = self.curl(rig, root, "-w", "%{num_connects}", f"https://{HOST}{PATH}")
        assert out == (0, body_of(NAME) + b"1" + body_of(NAME) + b"0")

    def test_head_and_status(self, rig: Rig, root: Path) -> None:
        head = self.curl(rig, root, "-I")
        assert head[1].startswith(b"HTTP/1.1 200 OK\r\n")
        assert self.curl(rig, root, "--fail", url=f"https://{HOST}/")[0] == 22

    def test_an_unknown_name_is_a_tls_error(self, rig: Rig, root: Path) -> None:
        assert self.curl(rig, root, url=f"https://mta-sts.nobody.example{PATH}")[0] == 35

    def test_content_that_waits_to_be_asked_for_is_refused(self, rig: Rig, root: Path) -> None:
        upload = ("-H", "Expect: 100-continue", "-d", "x" * 5000, "-o", "/dev/null", "-w", "%{http_code}")
        assert self.curl(rig, root, *upload) == (0, b"413")


class TestOpensslClient:
    """RFC 8446, RFC 5246: what a client of its own making sees of the handshake."""

    def s_client(self, rig: Rig, root: Path, *options: str, said: str = "Q") -> str:
        to = ["-connect", f"127.0.0.1:{rig.port}", "-servername", HOST, "-CAfile", str(root)]
        command = [needs("openssl"), "s_client", *to, "-verify_return_error", *options]
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=300).stdout

    def test_the_chain_is_whole_and_valid(self, rig: Rig, root: Path) -> None:
        out = self.s_client(rig, root, "-showcerts")
        assert out.count("BEGIN CERTIFICATE") == 2
        assert "Verify return code: 0 (ok)" in out

    def test_there_is_no_renegotiation_compression_or_ticket(self, rig: Rig, root: Path) -> None:
        out = self.s_client(rig, root, "-tls1_2")
        assert "Compression: NONE" in out
        assert "TLS session ticket" not in out

    def test_renegotiation_is_refused_and_the_host_goes_on(self, rig: Rig, root: Path) -> None:
        out = self.s_client(rig, root, "-tls1_2", said=f"R\nGET {PATH} HTTP/1.0\r\n\r\n")
        assert "200 OK" not in out
        assert b"mode: testing" in rig.fetch(NAME)

    def test_a_session_is_not_resumed(self, rig: Rig, root: Path, tmp_path: Path) -> None:
        for version in ("-tls1_2", "-tls1_3"):
            session = tmp_path / version
            self.s_client(rig, root, version, "-sess_out", str(session))
            resume = ["-sess_in", str(session)] if session.exists() else []
            assert "Reused," not in self.s_client(rig, root, version, *resume)
