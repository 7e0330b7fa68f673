"""Sends the same report again and again: python -m bench.report_client https|smtp PORT SECONDS CONNECTIONS

Each connection waits for its 201 or 250 before it sends the next one. Prints how many were accepted, and in how many
seconds.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from bench import reports_read
from bench.report_server import ADDRESS, HOST, TOKEN

CONTENT = gzip.compress(json.dumps(reports_read.document(1), separators=(",", ":")).encode())
POST = (
    f"POST /v1/tlsrpt/{TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/tlsrpt+gzip\r\n"
    f"Content-Length: {len(CONTENT)}\r\n\r\n"
).encode() + CONTENT
MAIL = reports_read.mail(1, CONTENT).replace(b"\n", b"\r\n") + b".\r\n"
Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 201 "):
        raise RuntimeError(head.decode())
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))


async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for command in (b"MAIL FROM:<a@sender.example>\r\n", f"RCPT TO:<{TOKEN}@{HOST}>\r\n".encode(), b"DATA\r\n", MAIL):
        writer.write(command)
        reply = await reader.readuntil(b"\r\n")
        if reply[:1] not in b"23":
            raise RuntimeError(reply.decode())


async def connected(kind: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if kind == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return await asyncio.open_connection(ADDRESS, port, ssl=context, server_hostname=HOST)
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    await reader.readuntil(b"\r\n")
    writer.write(b"EHLO sender.example\r\n")
    while not (await reader.readuntil(b"\r\n")).startswith(b"250 "):
        pass
    return reader, writer


async def send(kind: str, port: int, until: float) -> int:
    exchange, per_connection = (post, 10**9) if kind == "https" else (mail, 90)
    count = 0
    while time.monotonic() < until:
        reader, writer = await connected(kind, port)
        for _ in range(per_connection):
            if time.monotonic() >= until:
                break
            await exchange(reader, writer)
            count += 1
        writer.close()
    return count


async def main(kind: str, port: str, seconds: str, connections: str) -> None:
    began = time.monotonic()
    until = began + float(seconds)
    counts = await asyncio.gather(*(send(kind, int(port), until) for _ in range(int(connections))))
    print(sum(counts), time.monotonic() - began)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
