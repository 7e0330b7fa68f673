"""Mail servers that are good or bad at STARTTLS, spoken to by the standard library's SMTP client."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from trinco.cli import ports
from trinco.playground import authority
from trinco.playground.authority import Authority
from trinco.playground.cast import Behaviour
from trinco.playground.mailserver import listen

SPEAKING = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.SILENT]
HOST = "mx1.correio.example"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("playground")


@pytest.fixture(scope="module")
def port(data: Path) -> Iterator[int]:
    """The four servers in a thread of their own, at one free port."""
    free = ports.free([(behaviour.value, 0, ports.TCP) for behaviour in Behaviour])
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        async with listen(Authority(data), SPEAKING, free) as bound:
            assert bound == SPEAKING
            ready.set()
            await stop.wait()
        await asyncio.sleep(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(60)
    yield free
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()


def verified(data: Path, behaviour: Behaviour, port: int) -> dict[str, object]:
    """The certificate after a verified STARTTLS for HOST, as a sending mail server makes it (RFC 8461 4.2)."""
    context = ssl.create_default_context(cafile=str(authority.root_path(data)))
    with smtplib.SMTP(behaviour.value, port, timeout=60) as client:
        client._host = HOST
        client.starttls(context=context)
        assert client.ehlo()[0] == 250
        assert isinstance(client.sock, ssl.SSLSocket)
        return dict(client.sock.getpeercert() or {})


class TestStarttls:
    def test_the_good_one_shows_a_certificate_of_the_name_asked_for(self, data: Path, port: int) -> None:
        assert verified(data, Behaviour.GOOD, port)["subjectAltName"] == (("DNS", HOST),)

    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [(Behaviour.EXPIRED, "certificate has expired"), (Behaviour.WRONG_NAME, "Hostname mismatch")],
    )
    def test_the_bad_ones_fail_for_their_own_reason(
        self, data: Path, port: int, behaviour: Behaviour, reason: str
    ) -> None:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            verified(data, behaviour, port)

    def test_the_plain_one_does_not_offer_it(self, port: int) -> None:
        with smtplib.SMTP(Behaviour.PLAIN.value, port, timeout=60) as client:
            client.ehlo()
            assert not client.has_extn("starttls")
            assert client.docmd("STARTTLS")[0] == 502


class TestConversation:
    def test_no_mail_is_taken(self, port: int) -> None:
        with smtplib.SMTP(Behaviour.GOOD.value, port, timeout=60) as client:
            assert client.helo()[0] == 250
            assert client.docmd("MAIL", "FROM:<a@example>")[0] == 550
            assert client.docmd("VRFY", "x")[0] == 502
            assert client.quit()[0] == 221

    def test_a_line_without_end_closes_the_connection(self, port: int) -> None:
        with socket.create_connection((Behaviour.GOOD.value, port), timeout=60) as client:
            client.recv(200)
            with suppress(ConnectionError):
                client.sendall(b"x" * 5_000)
                assert client.recv(200) == b""

    def test_no_more_than_so_many_commands(self, port: int) -> None:
        with socket.create_connection((Behaviour.GOOD.value, port), timeout=60) as client:
            client.sendall(b"NOOP\r\n" * 50)
            received = b"".join(iter(lambda: client.recv(4096), b""))
        assert received.count(b"250 ") == 50


class TestAuthority:
    def test_the_root_is_made_once_and_its_key_is_the_owners(self, tmp_path: Path) -> None:
        first = authority.root(tmp_path).read_bytes()
        assert authority.root(tmp_path).read_bytes() == first
        assert (tmp_path / "playground" / "ca.key").stat().st_mode & 0o777 == 0o600

    def test_contexts_are_made_once_per_name(self, tmp_path: Path) -> None:
        made = Authority(tmp_path)
        assert made.context(HOST, Behaviour.GOOD) is made.context(HOST, Behaviour.GOOD)
