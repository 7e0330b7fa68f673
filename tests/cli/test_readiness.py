"""Whether a listener answers, asked of real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import dns.message
import pytest

from trinco import config
from trinco.cli import readiness
from trinco.config import Endpoint
from trinco.playground.nameserver import Responder, listen
from trinco.playground.world import World, Zone

CLOSED = ("127.0.0.1", 9)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there is waited for, however busy the machine is."""
    monkeypatch.setattr(readiness, "SECONDS", 180.0)


async def nobody(_name: str, _rtype: str) -> dns.message.Message:
    raise OSError


def against(said: bytes, talk: Callable[[Endpoint], Awaitable[Any]]) -> Any:
    """Talk to a server that says this to whoever connects."""

    async def run() -> Any:
        served = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            served.set()

        async with asyncio.timeout(60), await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            found = await talk(server.sockets[0].getsockname()[:2])
            await served.wait()  # whoever is gone before has left a connection open
        return found

    return asyncio.run(run())


class TestPanel:
    @pytest.mark.parametrize(
        ("said", "ready"),
        [
            (b"HTTP/1.1 200 OK\r\n\r\n", True),
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
            (b"", False),
            (b"\xff\xfe", False),
        ],
    )
    def test_is_ready_when_it_says_so(self, patient: None, said: bytes, ready: bool) -> None:
        assert against(said, readiness.panel_answers) is ready

    def test_that_does_not_listen_is_not_ready(self) -> None:
        assert asyncio.run(readiness.panel_answers(CLOSED)) is False


class TestMailbox:
    @pytest.mark.parametrize(
        ("said", "ready"),
        [
            (b"220 reports.trinco.example ESMTP\r\n", True),
            (b"421 later\r\n", False),
            (b"", False),
            (b"x" * 100_000, False),
        ],
    )
    def test_is_ready_when_it_greets(self, patient: None, said: bytes, ready: bool) -> None:
        assert against(said, readiness.mailbox_answers) is ready

    def test_that_does_not_listen_is_not_ready(self) -> None:
        assert asyncio.run(readiness.mailbox_answers(CLOSED)) is False


class TestOthers:
    def test_a_listener_takes_connections(self) -> None:
        assert against(b"", readiness.accepts) is True
        assert asyncio.run(readiness.accepts(CLOSED)) is False

    def test_a_name_server_replies_to_anything(self, patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
        async def run() -> tuple[bool, bool]:
            async with listen(Responder(World([Zone("example")], []), nobody), "127.0.0.1", 0) as bound:
                there = await readiness.name_server_answers(bound, "example")
            monkeypatch.setattr(readiness, "SECONDS", 0.3)
            return there, await readiness.name_server_answers(CLOSED, "example")

        assert asyncio.run(run()) == (True, False)

    def test_the_silent_ones_are_named(self) -> None:
        settings = config.load({"TRINCO_PLAYGROUND": "on"})
        closed = replace(
            settings,
            panel_listen=CLOSED,
            policy_listen=(CLOSED,),
            dns_listen=(CLOSED,),
            smtp_listen=(CLOSED,),
            playground_listen=CLOSED,
        )
        named = ["panel", "policy host", "name server", "report mailbox", "playground"]
        assert asyncio.run(readiness.silent(closed)) == named
        assert "report mailbox" not in readiness.probes(replace(settings, smtp_listen=()))
