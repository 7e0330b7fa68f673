"""Programs that send reports, against the door for them; and thousands of requests that are wrong in every way."""

from __future__ import annotations

import gzip
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.edge.policy_rig import LOOPS, body_of, content_of, status_of
from tests.edge.report_rig import (
    GZIP,
    HOST,
    JSON,
    NAME,
    PATH,
    REPORT,
    ReportRig,
    chunked,
    head,
    post,
    post_chunked,
    running,
)
from tests.edge.test_policy_host_hostile import mutated
from tests.support import needs
from tests.support_tls import Authority

URL = f"https://{HOST}{PATH}"
BIG = b'{"x":"' + bytes(random.Random(1).choices(b"abcdefghijklmnop", k=3_000_000)) + b'"}'


@pytest.fixture(scope="module")
def running_rig() -> Iterator[ReportRig]:
    with running(Authority()) as rig:
        yield rig


@pytest.fixture
def rig(running_rig: ReportRig) -> ReportRig:
    running_rig.desk.arrivals.clear()
    return running_rig


@pytest.fixture
def files(rig: ReportRig, tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text(rig.authority.pem)
    (tmp_path / "report.json").write_bytes(REPORT)
    (tmp_path / "report.json.gz").write_bytes(gzip.compress(REPORT))
    (tmp_path / "big.json").write_bytes(BIG)
    (tmp_path / "too-big.json").write_bytes(b"{" + b" " * (10 * 1024 * 1024))
    return tmp_path


class TestCurl:
    """RFC 8460 section 5.4, as a script at a sender's would do it."""

    def curl(self, rig: ReportRig, files: Path, name: str, *options: str, media_type: str = JSON) -> tuple[int, bytes]:
        to = ["--connect-to", f"::127.0.0.1:{rig.port}", "--cacert", str(files / "ca.pem")]
        what = ["--data-binary", f"@{files / name}", "-H", f"Content-Type: {media_type}"]
        command = [needs("curl"), "-sS", "--max-time", "60", *to, *what, "-w", "%{http_code}", "-o", "/dev/null"]
        done = subprocess.run([*command, *options, URL], capture_output=True, check=False)
        return done.returncode, done.stdout

    @pytest.mark.parametrize(
        "options", [(), ("--http1.0",), ("--tlsv1.3",), ("--tls-max", "1.2"), ("--http2",), ("-X", "POST")]
    )
    def test_a_report(self, rig: ReportRig, files: Path, options: tuple[str, ...]) -> None:
        assert self.curl(rig, files, "report.json", *options) == (0, b"201")
        assert [got.body for got in rig.desk.arrivals] == [REPORT]

    def test_a_compressed_one(self, rig: ReportRig, files: Path) -> None:
        assert self.curl(rig, files, "report.json.gz", media_type=GZIP) == (0, b"201")
        sent = (files / "report.json.gz").read_bytes()
        assert [(got.body, got.media_type) for got in rig.desk.arrivals] == [(sent, GZIP)]

    @pytest.mark.parametrize("name", ["report.json", "big.json"])
    @pytest.mark.parametrize("chunks", [(), ("-H", "Transfer-Encoding: chunked")])
    def test_one_that_waits_to_be_asked_for(
        self, rig: ReportRig, files: Path, name: str, chunks: tuple[str, ...]
    ) -> None:
        """Without the word curl would wait for it beyond the end of its patience, and fail."""
        assert self.curl(rig, files, name, "-H", "Expect: 100-continue", "--expect100-timeout", "600", *chunks) == (
            0,
            b"201",
        )
        assert [got.body for got in rig.desk.arrivals] == [(files / name).read_bytes()]

    @pytest.mark.parametrize("options", [(), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked")])
    def test_one_that_is_too_large(self, rig: ReportRig, files: Path, options: tuple[str, ...]) -> None:
        code, said = self.curl(rig, files, "too-big.json", *options)
        assert (said, code in (0, 55, 56)) == (b"413", True)  # the rest was not taken from it
        assert rig.desk.arrivals == []

    def test_two_reports_share_one_connection(self, rig: ReportRig, files: Path) -> None:
        again = ("-w", "%{http_code} %{num_connects},", "-o", "/dev/null", URL)
        assert self.curl(rig, files, "report.json", *again) == (0, b"201 1,201 0,")

    def test_another_media_type(self, rig: ReportRig, files: Path) -> None:
        assert self.curl(rig, files, "report.json", media_type="application/json") == (0, b"415")


class TestOpensslClient:
    """RFC 8446: the chain of the reports host is whole, and a session is never resumed."""

    def test_the_chain(self, rig: ReportRig, files: Path) -> None:
        to = ["-connect", f"127.0.0.1:{rig.port}", "-servername", HOST, "-CAfile", str(files / "ca.pem")]
        command = [needs("openssl"), "s_client", *to, "-verify_hostname", HOST, "-showcerts"]
        out = subprocess.run(command, input="Q", capture_output=True, text=True, check=False, timeout=300).stdout
        assert (out.count("BEGIN CERTIFICATE"), "Verify return code: 0 (ok)" in out) == (2, True)


def throw(rig: ReportRig, octets: bytes) -> None:
    with suppress(OSError), rig.secure_for(HOST) as connection:
        connection.settimeout(60)
        connection.sendall(octets + b"\r\n\r\n" + head("Connection: close"))
        while connection.recv(65536):
            pass


class TestStorm:
    """RELIABILITY row 25 for this door: what is wrong is refused, no fault escapes, and the good are answered."""

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_a_few_hundred(self, loop_name: str) -> None:
        dice = random.Random(7)
        kinds = [
            post(REPORT),
            post(REPORT, "Connection: close"),
            post(gzip.compress(REPORT), media_type=GZIP),
            post_chunked(chunked(REPORT[:10], REPORT[10:], trailer=b"A: b\r\n")),
            head(f"Content-Type: {JSON}", "Content-Length: 5", "Transfer-Encoding: chunked") + chunked(REPORT),
            post(REPORT, "Expect: 100-continue") * 3,
            post_chunked(b"1\r\n{\r\n" * 300),
        ]
        with capture_logs() as lines, running(Authority(), loop_name=loop_name) as rig:
            for number in range(300):
                throw(rig, mutated(dice.choice(kinds), dice))
                if number % 50 == 0:
                    assert status_of(rig.post(post(REPORT, "Connection: close"))) == 201
            assert content_of(rig.fetch(NAME)) == body_of(NAME)
            assert rig.do(rig.held) == 0
        assert {line["event"] for line in lines} <= {"tls_failed", "request_refused"}, "a fault of ours"
        assert rig.faults == []
