"""The name server over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode

from trinco.playground.nameserver import Responder, listen
from trinco.playground.world import Record, World, Zone

MANY = [Record("many.example", "TXT", f"{number:03} " + "x" * 200) for number in range(20)]
WORLD = World([Zone("example")], [Record("a.example", "A", "127.0.0.1"), *MANY])


async def nobody(_name: str, _rtype: str) -> dns.message.Message:
    raise OSError


def over(talk: Callable[[str, int], Awaitable[Any]]) -> Any:
    """Run a conversation with a server on free ports."""

    async def run() -> Any:
        async with listen(Responder(WORLD, nobody), "127.0.0.1", 0) as (host, port), asyncio.timeout(60):
            return await talk(host, port)

    return asyncio.run(run())


class TestListening:
    def test_udp_and_tcp_answer_alike_at_one_port(self) -> None:
        query = dns.message.make_query("a.example", "A")

        async def talk(host: str, port: int) -> list[dns.message.Message]:
            return [
                await dns.asyncquery.udp(query, host, port=port, timeout=60),
                await dns.asyncquery.tcp(query, host, port=port, timeout=60),
            ]

        replies = over(talk)
        assert [[str(each) for each in reply.answer] for reply in replies] == [["a.example. 5 IN A 127.0.0.1"]] * 2

    def test_what_is_too_long_for_udp_is_truncated_and_whole_over_tcp(self) -> None:
        query = dns.message.make_query("many.example", "TXT", use_edns=0, payload=4096)

        async def talk(host: str, port: int) -> tuple[dns.message.Message, dns.message.Message]:
            short = await dns.asyncquery.udp(query, host, port=port, timeout=60)
            return short, await dns.asyncquery.tcp(query, host, port=port, timeout=60)

        short, whole = over(talk)
        assert (bool(short.flags & dns.flags.TC), len(short.answer), len(whole.answer[0])) == (True, 0, 20)

    def test_several_questions_of_one_connection_are_answered(self) -> None:
        wire = dns.message.make_query("a.example", "A").to_wire()

        async def talk(host: str, port: int) -> list[int]:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write((len(wire).to_bytes(2, "big") + wire) * 3)
            sizes = []
            for _ in range(3):
                size = int.from_bytes(await reader.readexactly(2), "big")
                sizes.append(len(await reader.readexactly(size)))
            writer.close()
            return sizes

        assert len(set(over(talk))) == 1

    def test_what_is_no_query_is_met_with_silence(self) -> None:
        reply = dns.message.make_response(dns.message.make_query("a.example", "A"))
        rubbish = [b"", b"\x00" * 5, b"\xff" * 40, reply.to_wire()]

        async def talk(_host: str, _port: int) -> list[bytes | None]:
            responder = Responder(WORLD, nobody)
            return [await responder.answer(wire, limit=1232) for wire in rubbish]

        assert over(talk) == [None] * 4

    def test_other_classes_are_refused(self) -> None:
        query = dns.message.make_query("a.example", "A", rdclass="CH")

        async def talk(host: str, port: int) -> dns.message.Message:
            return await dns.asyncquery.udp(query, host, port=port, timeout=60)

        assert over(talk).rcode() == dns.rcode.REFUSED
