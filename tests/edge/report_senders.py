"""Senders of reports: each has one to send, sends it until somebody says that it is kept, and then has the next one."""

from __future__ import annotations

import http.client
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support_reports import mail, policy, report_json

HOST = "reports.trinco.example"
PAUSE = 0.01
"""Seconds between two attempts, and between two reports."""
Deliver = Callable[[str, bytes], None]
"""Hands a report in under a token. Raises OSError, SMTPException or HTTPException when nobody said that it is kept."""


def by_mail(address: str, port: int) -> Deliver:
    def deliver(token: str, body: bytes) -> None:
        with smtplib.SMTP(address, port, local_hostname="sender.example", timeout=60) as conversation:
            conversation.sendmail("tlsrpt@sender.example", [f"{token}@{HOST}"], mail(body))

    return deliver


def by_https(address: str, port: int, context: ssl.SSLContext) -> Deliver:
    def deliver(token: str, body: bytes) -> None:
        head = (
            f"POST /v1/tlsrpt/{token} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
            f"Content-Type: application/tlsrpt+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with (
            socket.create_connection((address, port), 5) as raw,
            context.wrap_socket(raw, server_hostname=HOST) as connection,
        ):
            connection.sendall(head.encode() + body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            if response.status != 201:
                raise http.client.HTTPException(response.status)

    return deliver


@dataclass
class Sender:
    """`acknowledged` are the ids of reports that somebody said were kept; `attempts` is how often one was sent."""

    name: str
    domain: str
    token: str
    deliver: Deliver
    pause: float = PAUSE
    acknowledged: list[str] = field(default_factory=list)
    attempts: int = 0
    problem: str = ""
    """Of the last attempt that came to nothing."""

    def __post_init__(self) -> None:
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """After the report that is under way."""
        self._enough.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self.name}: {self.problem}"

    def _run(self) -> None:
        number = 0
        while not self._enough.is_set():
            number += 1
            report_id = f"{self.name}-{number}"
            submitter = f"{self.name}.example"
            about = policy(self.domain, successful=1)
            self._insist(report_json(about, submitter=submitter, report_id=report_id))
            self.acknowledged.append(report_id)
            time.sleep(self.pause)

    def _insist(self, body: bytes) -> None:
        """A sender whose acknowledgement was cut off repeats (RFC 8460 section 5.5: for 24 hours)."""
        while True:
            self.attempts += 1
            try:
                return self.deliver(self.token, body)
            except (OSError, smtplib.SMTPException, http.client.HTTPException) as problem:
                self.problem = repr(problem)
                time.sleep(self.pause)
