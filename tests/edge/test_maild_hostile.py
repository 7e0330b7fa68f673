"""Strangers who want two mails out of one, a browser's request taken for a report, or a fault: none gets it."""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs
from tests.edge.mail_rig import HOST, KEPT, MAIL, TO, MailRig
from tests.edge.policy_rig import LOOPS, client_hello
from tests.support_certs import Authority

from trinco.edge.maild import MailLimits

IN_A_MAIL = ("EHLO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", "DATA")
SECOND = f"MAIL FROM:<evil@x.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n".encode()
NOT_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\n",
    b"\n.\r",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n. \r\n",
    b"\r\n..\r\n",
    b"\r\x0b\n.\r\n",
    b"\xe2\x80\xa8.\xe2\x80\xa8",
]
"""What some mail servers have taken for the end of a mail."""
REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: reports.example\r\n\r\n",
    b"POST /v1/tlsrpt/x HTTP/1.1\r\nHost: reports.example:25\r\nContent-Type: text/plain\r\n\r\n",
    b"CONNECT reports.example:25 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\n\r\n",
    b"EHLO a\r\nPOST / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\r\n",
    b"\r\n\r\n",
]


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailRig]:
    context = Authority(tmp_path_factory.mktemp("hostile")).server(HOST)
    limits = MailLimits(log_lines=1e9, connections=10_000, per_address=10_000, handshake=1)
    with MailRig(tls=lambda: context, loop_name=request.param, limits=limits).running() as running:
        yield running
    assert (running.faults, running.tasks) == ([], 0)


@pytest.fixture(autouse=True)
def _empty(rig: MailRig) -> Iterator[None]:
    rig.desk.arrivals.clear()
    yield
    assert rig.deliver() == KEPT  # the good are served, whatever came before


class TestSmuggling:
    """RFC 5321 section 4.1.1.4: the end of mail data is <CRLF>.<CRLF>, "other than that ... MUST NOT be treated as"."""

    @pytest.mark.parametrize("middle", NOT_ENDS, ids=repr)
    def test_one_mail_or_a_refusal(self, rig: MailRig, middle: bytes) -> None:
        with rig.talk(*IN_A_MAIL) as talk:
            talk.send(b"Subject: first\r\n\r\nbody" + middle + SECOND + b"QUIT\r\n")
            replies = talk.rest().splitlines()
        ends = b"" if b"\r" in middle.replace(b"\r\n", b"") or b"\x00" in middle else b"250 2.0.0 The report is kept"
        assert replies[0] == (ends or b"550 5.6.0 The mail has a NUL or a carriage return without a line feed")
        assert replies[-1] == b"221 2.0.0 Bye"
        assert len(rig.desk.arrivals) == bool(ends)
        assert all(b"smuggled" in body and body.startswith(b"Subject: first") for body in rig.desk.bodies)

    def test_the_ninth_form_holds_the_terminator_and_is_refused(self, rig: MailRig) -> None:
        """CR CRLF.CRLF does end the mail; the CR by itself refuses it, and what follows are commands in the open."""
        with rig.talk(*IN_A_MAIL) as talk:
            talk.send(b"Subject: first\r\n\r\nbody\r\r\n.\r\nQUIT\r\n")
            assert talk.rest().startswith(b"550 5.6.0 ")
        assert rig.desk.arrivals == []

    def test_commands_inside_a_line(self, rig: MailRig) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<>") as talk:
            for between in (b"\r", b"\n", b"\x00", b"\x0b"):
                talk.send(b"NOOP" + between + f"RCPT TO:<{TO}>\r\n".encode())
                assert talk.reply().startswith(b"500 5.5.2 ")
                if between == b"\n":
                    assert talk.reply() == b"250 2.1.5 OK\r\n"  # a line of its own, which it may well be
            assert talk.say("RSET") == b"250 OK\r\n"


class TestOtherProtocols:
    """A browser can be lured to any port: its request never becomes a mail, and never gets an answer to read."""

    @pytest.mark.parametrize("request_line", REQUESTS, ids=repr)
    def test_the_connection_ends(self, rig: MailRig, request_line: bytes) -> None:
        with rig.talk() as talk, suppress(ConnectionError):
            talk.send(request_line + b"EHLO a\r\n" + SECOND)
            assert b"354" not in talk.rest()
        assert rig.desk.arrivals == []

    def test_a_request_in_the_middle(self, rig: MailRig) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<>") as talk:
            assert talk.say("GET /index.html") == b""

    def test_a_clienthello_without_starttls(self, rig: MailRig) -> None:
        with rig.talk() as talk:
            talk.send(client_hello(HOST) + b"\n")
            assert talk.rest() == b""

    def test_nothing_that_was_said_comes_back(self, rig: MailRig) -> None:
        with rig.talk("EHLO <script>") as talk:
            for line in ("X<script>", "MAIL FROM:<script>x", "RCPT <script>", "VRFY <script>", "EXPN <script>"):
                assert b"script" not in talk.say(line)


class TestStarttls:
    """RFC 3207 section 4.2: "The server MUST discard any knowledge obtained from the client" before TLS."""

    def test_what_was_injected_is_thrown_away(self, rig: MailRig) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<evil@x.example>") as talk:
            talk.send(
                b"STARTTLS\r\n" + f"EHLO evil\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()
            )
            assert talk.reply().startswith(b"220 ")
            talk.connection = _careless().wrap_socket(talk.connection)
            assert talk.say(f"RCPT TO:<{TO}>") == b"503 Error: send HELO first\r\n"
            assert talk.say("EHLO a").endswith(b"250 SIZE 15728640\r\n")
            assert talk.say("DATA") == b"503 5.5.1 Nobody to receive it\r\n"

    @pytest.mark.parametrize("octets", [b"MAIL FROM:<>\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 600, b"\x00" * 600, b""])
    def test_what_is_no_handshake(self, rig: MailRig, octets: bytes) -> None:
        with rig.talk("EHLO a") as talk, capture_logs() as lines:
            assert talk.say("STARTTLS").startswith(b"220 ")
            talk.send(octets)
            if not octets:
                talk.connection.shutdown(1)
            talk.rest()
            _until_logged(lines)
        assert [line["event"] for line in lines] == ["mail_broken"]

    def test_a_client_that_is_gone_before_the_handshake(self, rig: MailRig) -> None:
        for _ in range(20):
            with rig.talk("EHLO a") as talk:
                talk.send(b"STARTTLS\r\n" + client_hello(HOST))

    def test_arguments(self, rig: MailRig) -> None:
        with rig.talk("EHLO a") as talk:
            assert talk.say("STARTTLS now") == b"501 Syntax: STARTTLS\r\n"
            assert talk.say("NOOP") == b"250 OK\r\n"


def test_any_octets_in_any_order(rig: MailRig, caplog: pytest.LogCaptureFixture) -> None:
    """Conversations with pieces left out, repeated and changed: no fault of ours, nothing on stderr."""
    dice, until = random.Random(25), time.monotonic() + 2.5
    with capture_logs() as lines, caplog.at_level(logging.DEBUG):
        while time.monotonic() < until:
            _babble(rig, dice)
    assert [line for line in lines if line["event"] == "connection_fault"] == []
    assert [record for record in caplog.records if record.name in ("mail.log", "asyncio")] == []


def _babble(rig: MailRig, dice: random.Random) -> None:
    pieces = [f"{line}\r\n".encode() for line in IN_A_MAIL] + [MAIL, b".\r\n", *PIECES]
    said = b"".join(dice.choices(pieces, k=dice.randint(1, 12)))
    said = b"".join((*(f"{line}\r\n".encode() for line in IN_A_MAIL[: dice.randint(0, 4)]), said))
    octets = bytearray(said)
    for _ in range(dice.randint(0, 3)):
        octets[dice.randrange(len(octets))] = dice.randrange(256)
    with suppress(OSError), rig.talk() as talk:
        talk.send(bytes(octets))
        if dice.random() < 0.5:
            talk.connection.shutdown(1)
            talk.rest()


PIECES = [
    b"STARTTLS\r\n",
    b"QUIT\r\n",
    b"RSET\r\n",
    b"HELO b\r\n",
    b"MAIL FROM:<a@b.example> SIZE=\xc2\xb2 BODY=8BITMIME SMTPUTF8=1\r\n",
    b"MAIL FROM:<" + b"(" * 500 + b"@b.example>\r\n",
    b"RCPT TO:<@a,@b:" + TO.encode() + b">\r\n",
    b"NOOP " + b"x" * 2000 + b"\r\n",
    b"x" * 70_000,
    b"VRFY\r\nEXPN\r\n",
    b"\r\n.\r\n",
    b"\xff\xfe",
    b"EHLO \xed\xa0\x80\r\n",
]


def _careless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _until_logged(lines: list[object]) -> None:
    for _ in range(100):
        if lines:
            return
        time.sleep(0.02)
