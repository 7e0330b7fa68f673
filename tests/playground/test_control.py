"""The interface that publishes records: the token, the rules of DNS, the HTTP around them."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest

from trinco.playground import control
from trinco.playground.control import Control, Request, listen
from trinco.playground.world import Record, World, Zone

TOKEN = "of-the-file"
ALIAS = {"name": "mta-sts.novo.example", "type": "CNAME", "value": "l.policy.trinco.example."}


class Desk:
    """A control interface over a small world, and how often it said that something changed."""

    def __init__(self) -> None:
        self.world = World([Zone("novo.example", "a note")], [Record("novo.example", "A", "127.0.1.10")])
        self.changes = 0
        self.control = Control(self.world, TOKEN, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def ask(self, method: str, path: str, body: Any = None) -> tuple[HTTPStatus, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.control.answer(Request(method, path, f"Bearer {TOKEN}", data)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


class TestAnswers:
    def test_lists_the_zones(self, desk: Desk) -> None:
        zone = {
            "name": "novo.example",
            "note": "a note",
            "records": [{"name": "novo.example", "type": "A", "value": "127.0.1.10"}],
        }
        assert desk.ask("GET", "/zones") == (HTTPStatus.OK, {"zones": [zone]})

    def test_publishes_and_removes(self, desk: Desk) -> None:
        assert desk.ask("POST", "/records", ALIAS) == (HTTPStatus.CREATED, ALIAS)
        assert desk.world.look_up("mta-sts.novo.example", "CNAME").records == (Record(**ALIAS),)
        assert desk.ask("DELETE", "/records", {**ALIAS, "value": "l.policy.trinco.example"}) == (
            HTTPStatus.OK,
            {"removed": 1},
        )
        assert desk.changes == 2

    def test_removes_all_of_a_type_without_a_value(self, desk: Desk) -> None:
        assert desk.ask("DELETE", "/records", {"name": "Novo.example.", "type": "a"}) == (HTTPStatus.OK, {"removed": 1})

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("POST", "/records", {**ALIAS, "name": "novo.example"}, HTTPStatus.CONFLICT),
            ("POST", "/records", {**ALIAS, "name": "example.com"}, HTTPStatus.CONFLICT),
            ("POST", "/records", {**ALIAS, "type": "HINFO"}, HTTPStatus.CONFLICT),
            ("POST", "/records", {"name": "x.novo.example"}, HTTPStatus.BAD_REQUEST),
            ("POST", "/records", b"\xff not json", HTTPStatus.BAD_REQUEST),
            ("DELETE", "/records", ALIAS, HTTPStatus.NOT_FOUND),
            ("GET", "/records", None, HTTPStatus.NOT_FOUND),
            ("PUT", "/zones", None, HTTPStatus.NOT_FOUND),
        ],
    )
    def test_what_is_wrong_has_its_status_and_changes_nothing(
        self, desk: Desk, method: str, path: str, body: Any, status: HTTPStatus
    ) -> None:
        before = desk.world.records("novo.example")
        answer = desk.ask(method, path, body)
        assert (answer[0], list(answer[1])) == (status, ["error"])
        assert (desk.world.records("novo.example"), desk.changes) == (before, 0)

    @pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer of-the-fil", f"Basic {TOKEN}", "Bearer ç"])
    def test_nothing_is_told_without_the_token(self, desk: Desk, authorization: str) -> None:
        for request in (Request("GET", "/zones", authorization, b""), Request("POST", "/records", authorization, b"")):
            assert asyncio.run(desk.control.answer(request))[0] is HTTPStatus.UNAUTHORIZED


class TestHttp:
    """Requests of a browser's making and of nobody's making."""

    @pytest.fixture(autouse=True)
    def _patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(control, "DEADLINE", 60.0)

    @staticmethod
    def exchange(desk: Desk, sent: bytes) -> tuple[int, Any]:
        async def run() -> bytes:
            async with listen(desk.control, "127.0.0.1", 0) as (host, port), asyncio.timeout(60):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(sent)
                writer.write_eof()
                received = await reader.read()
                writer.close()
                return received

        head, _, body = asyncio.run(run()).partition(b"\r\n\r\n")
        return (int(head.split(b" ")[1]), json.loads(body)) if head else (0, None)

    def test_a_request_is_answered(self, desk: Desk) -> None:
        body = json.dumps(ALIAS).encode()
        head = (
            f"POST /records HTTP/1.1\r\nhost: x\r\nAUTHORIZATION: Bearer {TOKEN}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        assert self.exchange(desk, head.encode() + body) == (201, ALIAS)

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET /zones HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET /zones HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
            (b"GET /zones HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"GET /zones HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 413),
            (b"GET /zones HTTP/1.1\r\n\r\n", 401),
            (b"GET /zo", 0),
        ],
    )
    def test_what_is_no_request_gets_its_status_or_nothing(self, desk: Desk, sent: bytes, status: int) -> None:
        assert self.exchange(desk, sent)[0] == status
