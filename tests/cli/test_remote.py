"""The way to another installation's API: what a server or the network does wrong ends in a sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.support_apply import ONE, PROVIDER, there, with_token
from tests.support_certs import Authority

from trinco.cli import apply_there, remote


class _Replay(BaseHTTPRequestHandler):
    """A server that answers what it was told to, in order."""

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def answer(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        status, headers, body = self.server.answers.pop(0)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told: Any) -> None:
        """Nothing."""


@pytest.fixture
def replaying() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Replay) as server:
        server.answers, server.asked = [], []  # type: ignore[attr-defined]
        server.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def here(body: object = None, status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    told = body if body is not None else {"organisation": PROVIDER, "file": ""}
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(told).encode()


APPLIED = {"steps": [], "same": 1}


class TestTheWay:
    """What a server or the way to it does wrong ends in a sentence, and what can be tried again is."""

    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        with_token(monkeypatch, "trinco_abc")
        waited: list[float] = []
        monkeypatch.setattr(remote.time, "sleep", waited.append)
        return waited

    def test_one_that_is_to_wait_waits(self, replaying: Any, patient: list[float]) -> None:
        busy = here({"detail": "Too many."}, 429, Retry_After="17")
        replaying.answers = [busy, here(), busy, here(None, 503), here(APPLIED)]
        assert there(replaying.url, ONE) == (0, "0 changed, 0 refused, 1 as declared already.\n", "")
        assert patient == [17.0, 17.0, 4.0]

    def test_one_that_stays_away(self, replaying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        step = {"organisation": [PROVIDER], "domain": "a.example", "step": "add", "differences": {}, "refused": None}
        monkeypatch.setattr(apply_there, "AT_ONCE", 1)
        replaying.answers = [here(), here({"steps": [step], "same": 0}), *[here({}, 503)] * 4]
        code, out, err = there(replaying.url, ONE.replace("a.example: ", "b.example: , a.example: "))
        assert (code, err) == (3, "trinco: the server is away (503)\n")
        assert out == f"+ {PROVIDER} / a.example\n1 changed, 0 refused, 0 as declared already.\n"

    @pytest.mark.parametrize(
        ("answer", "code", "said"),
        [
            (here({"detail": "No\x1b[2Jway."}, 403), 2, "the server says: 403 No?[2Jway."),
            (
                here({"detail": "Bad.", "errors": [{"detail": "line 3: x"}]}, 422),
                2,
                "the server says: 422 Bad. line 3: x",
            ),
            (here(["x"], 404), 2, "the server says: 404 Not Found"),
            (here({"detail": "Ours."}, 500), 3, "the server says: 500 Ours."),
            (here({}, 302, Location="https://evil.example/"), 2, "it leads elsewhere: name the panel's own address"),
            ((200, {}, b"<html>"), 2, "is no Trinco: its answer is not JSON"),
            (here({"organisation": PROVIDER}), 2, "is not that of a Trinco that knows `apply`"),
        ],
    )
    def test_what_is_no_success(self, replaying: Any, answer: Any, code: int, said: str) -> None:
        replaying.answers = [answer]
        ended, _out, err = there(replaying.url, ONE)
        assert (ended, said in err, len(replaying.asked)) == (code if "knows" not in said else 3, True, 1)

    def test_nobody_there(self) -> None:
        code, _out, err = there("http://127.0.0.1:1", ONE)
        assert (code, "does not answer" in err) == (3, True)

    @pytest.mark.parametrize(
        "url",
        ["panel.example", "ftp://panel.example", "https://", "https://ana@panel.example", "https://p.example/?x=1"],
    )
    def test_what_is_no_address(self, url: str) -> None:
        told = "trinco: --server takes the panel's address, https://HOST\n"
        assert there(url, ONE)[::2] == (2, told)

    def test_no_token_is_sent_without_tls(self) -> None:
        assert there("http://panel.example", ONE)[::2] == (2, "trinco: no token is sent without TLS: https://HOST\n")

    def test_a_certificate_that_nobody_vouches_for(self, tmp_path: Any) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Replay) as server:
            server.socket = Authority(tmp_path).server("localhost").wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            code, _out, err = there(f"https://localhost:{server.server_address[1]}", ONE)
            server.shutdown()
            thread.join()
        assert (code, "certificate verify failed" in err) == (3, True)


def test_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    code, _out, err = there("https://panel.example", ONE)
    assert (code, err) == (2, "trinco: TRINCO_TOKEN, or the file that TRINCO_TOKEN_FILE names, holds the token\n")
