"""Senders of TLS reports, who go from edge to edge until one says that it keeps what they have (RFC 8460 section 5.5).

    python -m tests.chaos.sending TOWN.json

A process of its own. It ends by SIGTERM, each sender after the report that it has, and says what was acknowledged.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import signal
import smtplib
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up

# isort: split
from tests.edge.report_senders import HOST, Deliver, Sender
from tests.support_reports import mail

PAUSE = 0.7
_SECONDS = 6.0
_dice = random.Random(8460)


def _source() -> tuple[str, int]:
    """An address of its own for nearly each try: what one address may hand in is little."""
    return f"127.0.2.{_dice.randrange(1, 255)}", 0


def by_mail(address: str, port: int) -> Deliver:
    def deliver(token: str, body: bytes) -> None:
        with smtplib.SMTP(
            address, port, local_hostname="sender.example", timeout=_SECONDS, source_address=_source()
        ) as conversation:
            conversation.sendmail("tlsrpt@sender.example", [f"{token}@{HOST}"], mail(body))

    return deliver


def by_https(address: str, port: int, trusting: Callable[[], ssl.SSLContext]) -> Deliver:
    def deliver(token: str, body: bytes) -> None:
        head = (
            f"POST /v1/tlsrpt/{token} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
            f"Content-Type: application/tlsrpt+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with (
            socket.create_connection((address, port), _SECONDS, source_address=_source()) as raw,
            trusting().wrap_socket(raw, server_hostname=HOST) as connection,
        ):
            connection.sendall(head.encode() + body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            if response.status != 201:
                raise http.client.HTTPException(response.status)

    return deliver


def in_turn(*ways: Deliver) -> Deliver:
    """Each try at the next one."""
    turns = itertools.cycle(ways)

    def deliver(token: str, body: bytes) -> None:
        next(turns)(token, body)

    return deliver


def senders(town: dict[str, Any]) -> list[Sender]:
    """One by mail and one by HTTPS for each domain. `town` is what `town.Town.described` says."""

    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=town["roots"])

    made = []
    for name, label in town["labels"].items():
        mails = in_turn(*(by_mail(address, town["smtp_port"]) for _, address, _ in town["edges"]))
        posts = in_turn(*(by_https(address, port, trusting) for _, address, port in town["edges"]))
        made.append(Sender(f"mail-{name}", name, label, mails, PAUSE))
        made.append(Sender(f"https-{name}", name, label, posts, PAUSE))
    return made


def main(described: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    sent = senders(json.loads(described.read_text()))
    stop.wait()
    for sender in sent:
        sender.end()
    acknowledged = sorted(report_id for sender in sent for report_id in sender.acknowledged)
    print(json.dumps({"acknowledged": acknowledged, "attempts": sum(sender.attempts for sender in sent)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
