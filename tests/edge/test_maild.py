"""Reports by mail: over real sockets, in the clear and by TLS, from Python's and OpenSSL's clients."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs
from tests.edge.held_clock import until
from tests.edge.mail_rig import HOST, KEPT, MAIL, OTHER, TO, TOKEN, Desk, MailRig
from tests.edge.policy_rig import LOOPS
from tests.support_certs import Authority

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge import guests

IN_A_MAIL = ("EHLO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", "DATA")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail"))


@pytest.fixture(params=list(LOOPS))
def rig(request: pytest.FixtureRequest, authority: Authority) -> Iterator[MailRig]:
    context = authority.server(HOST)
    with MailRig(tls=lambda: context, loop_name=request.param).running() as running:
        yield running
    assert (running.faults, running.tasks) == ([], 0)


def _client(rig: MailRig) -> smtplib.SMTP:
    client = smtplib.SMTP(timeout=60)
    client._host = HOST  # type: ignore[attr-defined] # the name that the certificate is for
    client.connect("127.0.0.1", rig.port)
    return client


class TestDelivery:
    """RFC 8460 section 3: "In the case of "mailto", reports should be submitted to the specified email address." """

    def test_a_report(self, rig: MailRig) -> None:
        before = time.time()
        with rig.talk("EHLO sender.example", "MAIL FROM:<tlsrpt@sender.example>", f"RCPT TO:<{TO}>", "DATA") as talk:
            talk.send(MAIL + b".\r\n")
            assert talk.reply() == KEPT
            assert talk.say("QUIT") == b"221 2.0.0 Bye\r\n"
            assert talk.reply() == b""
        (arrival,) = rig.desk.arrivals
        expected = Arrival(
            arrival.id,
            TOKEN,
            Channel.MAIL,
            arrival.received_at,
            MAIL,
            peer="127.0.0.1",
            sender="tlsrpt@sender.example",
        )
        assert arrival == expected
        assert before <= arrival.received_at <= time.time()
        assert len(arrival.id) == 32

    def test_by_pythons_client_over_tls(self, rig: MailRig, authority: Authority) -> None:
        with _client(rig) as client:
            client.starttls(context=_trusting(authority))
            assert client.sendmail("", [TO.upper()], MAIL) == {}
            assert client.sendmail("", [TO], MAIL + b".\r\n" * 3) == {}
        assert rig.desk.bodies == [MAIL, MAIL + b".\r\n" * 3]
        assert [arrival.sender for arrival in rig.desk.arrivals] == ["", ""]

    def test_the_reply_comes_when_the_desk_has_it(self, rig: MailRig) -> None:
        """RFC 5321 section 6.1: "it MUST NOT lose the message for frivolous reasons" once it has said 250."""
        kept: list[float] = []

        async def slowly(_arrival: Arrival) -> None:
            await asyncio.sleep(0.2)
            kept.append(time.monotonic())

        rig.desk.deed = slowly
        assert rig.deliver() == KEPT
        assert time.monotonic() >= kept[0]

    def test_a_large_report_in_one_line(self, rig: MailRig) -> None:
        mail = b"From: a@b.example\r\n\r\n" + b"x" * 14_000_000 + b"\r\n"
        assert rig.deliver(mail) == KEPT
        assert rig.desk.bodies == [mail]

    def test_an_empty_mail_and_dots(self, rig: MailRig) -> None:
        assert rig.deliver(b"") == KEPT
        assert rig.deliver(b"..\r\n...a\r\n") == KEPT
        assert rig.desk.bodies == [b"", b".\r\n..a\r\n"]

    def test_octets_beyond_ascii(self, rig: MailRig) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<á@b.example> BODY=8BITMIME SMTPUTF8", f"RCPT TO:<{TO}>", "DATA") as talk:
            talk.send(b"Subject: \xc3\xa1\xff\r\n.\r\n")
            assert talk.reply() == KEPT
        assert [(a.sender, a.body) for a in rig.desk.arrivals] == [("á@b.example", b"Subject: \xc3\xa1\xff\r\n")]

    def test_the_terminator_in_pieces(self, rig: MailRig) -> None:
        with rig.talk("HELO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", "DATA") as talk:
            for octet in b"..a\r\n..\r\n.\r\n":
                talk.send(bytes([octet]))
                time.sleep(0.005)
            assert talk.reply() == KEPT
        assert rig.desk.bodies == [b".a\r\n.\r\n"]

    def test_everything_at_once(self, rig: MailRig) -> None:
        """A client that waits for no reply gets them all the same."""
        with rig.talk() as talk:
            mail = f"MAIL FROM:<>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode() + MAIL + b".\r\n"
            talk.send(b"EHLO a\r\n" + mail + mail + b"QUIT\r\n")
            assert talk.rest().count(KEPT) == 2
        assert rig.desk.bodies == [MAIL, MAIL]

    def test_a_peer_that_leaves_while_its_mail_is_kept(self, rig: MailRig) -> None:
        async def slowly(_arrival: Arrival) -> None:
            await asyncio.sleep(0.2)

        rig.desk.deed = slowly
        with rig.talk(*IN_A_MAIL) as talk:
            talk.send(MAIL + b".\r\n")
        until(lambda: rig.desk.bodies == [MAIL])


class TestRecipients:
    """Known tokens and nobody else; a mail for two of them is a report for each."""

    def test_two_owners(self, rig: MailRig) -> None:
        lines = ("EHLO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", f"RCPT TO:<{OTHER}@{HOST}>", f"RCPT TO:<{TO}>", "DATA")
        with rig.talk(*lines) as talk:
            talk.send(MAIL + b".\r\n")
            assert talk.reply() == KEPT
        assert [(arrival.token, arrival.body) for arrival in rig.desk.arrivals] == [(TOKEN, MAIL), (OTHER, MAIL)]
        assert len({arrival.id for arrival in rig.desk.arrivals}) == 2

    @pytest.mark.parametrize(
        ("path", "reply"),
        [
            (f"<{'c' * 26}@{HOST}>", b"550 5.1.1 No such mailbox\r\n"),
            (f"<{TOKEN}@other.example>", b"550 5.1.1 No such mailbox\r\n"),
            (f"<@relay.example:{TO}>", b"550 5.1.1 No such mailbox\r\n"),
            (f"<{TOKEN}%other.example@{HOST}>", b"550 5.1.1 No such mailbox\r\n"),
            (f'<"{TOKEN}"@{HOST}>', b"550 5.1.1 No such mailbox\r\n"),
            ("<>", b"550 5.1.1 No such mailbox\r\n"),
            (TO, b"553 5.1.3 Error: malformed address\r\n"),
            (f"<{TO}> NOTIFY=NEVER", b"555 RCPT TO parameters not recognized or not implemented\r\n"),
        ],
    )
    def test_nobody_else(self, rig: MailRig, path: str, reply: bytes) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<a@b.example>") as talk:
            assert talk.say(f"RCPT TO:{path}") == reply
            assert talk.say("DATA") == b"503 5.5.1 Nobody to receive it\r\n"

    @pytest.mark.parametrize("path", ["<postmaster>", f"<Postmaster@{HOST}>"])
    def test_postmaster_is_told_where_people_are(self, rig: MailRig, path: str) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<a@b.example>") as talk:
            assert b"SOA record" in talk.say(f"RCPT TO:{path}")

    def test_more_than_a_report_needs(self, rig: MailRig) -> None:
        with rig.talk("EHLO a", "MAIL FROM:<>") as talk:
            replies = [talk.say(f"RCPT TO:<m{number}@{HOST}>")[:9] for number in range(5)]
        assert replies == [b"250 2.1.5"] * 4 + [b"452 4.5.3"]


class TestDesk:
    """What the desk says becomes the reply, and a fault of ours becomes "later"."""

    @pytest.mark.parametrize(
        ("raised", "reply"),
        [
            (Refused("too many", smtp_reply="450 4.7.1 Too many reports"), b"450 4.7.1 Too many reports\r\n"),
            (Refused("no room", smtp_reply="452 4.3.1 No room"), b"452 4.3.1 No room\r\n"),
            (Refused("for HTTPS alone", http_status=500), b"451 4.3.0 Not now, try again later\r\n"),
            (OSError("disk"), b"451 4.3.0 Not now, try again later\r\n"),
            (RecursionError(), b"451 4.3.0 Not now, try again later\r\n"),
        ],
    )
    def test_a_refusal(self, rig: MailRig, raised: Exception, reply: bytes) -> None:
        def refuse(_arrival: Arrival) -> None:
            raise raised

        rig.desk.deed = refuse
        with capture_logs() as lines:
            assert rig.deliver() == reply
        assert len(lines) == 1
        rig.desk.deed = None
        assert rig.deliver() == KEPT

    @pytest.mark.parametrize(
        ("first", "second", "reply"),
        [
            ("550 5.1.1 Gone", None, KEPT),
            ("550 5.1.1 Gone", "550 5.1.1 Gone too", b"550 5.1.1 Gone\r\n"),
            (None, "452 4.3.1 No room", b"452 4.3.1 No room\r\n"),
            ("550 5.1.1 Gone", "452 4.3.1 No room", b"452 4.3.1 No room\r\n"),
        ],
    )
    def test_one_of_two_refuses(self, rig: MailRig, first: str | None, second: str | None, reply: bytes) -> None:
        says = {TOKEN: first, OTHER: second}

        def decide(arrival: Arrival) -> None:
            if said := says[arrival.token]:
                raise Refused("no", smtp_reply=said)

        rig.desk.deed = decide
        lines = ("EHLO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", f"RCPT TO:<{OTHER}@{HOST}>", "DATA")
        with rig.talk(*lines) as talk:
            talk.send(MAIL + b".\r\n")
            assert talk.reply() == reply


class TestWords:
    """What it says of itself, and of what it does not do."""

    def test_the_extensions(self, rig: MailRig, authority: Authority) -> None:
        lines = [b"reports.example", b"8BITMIME", b"SMTPUTF8", b"STARTTLS", b"SIZE 15728640"]
        with rig.talk() as talk:
            greeting = talk.say("EHLO a")
            assert greeting == b"".join(b"250-" + line + b"\r\n" for line in lines[:-1]) + b"250 SIZE 15728640\r\n"
            talk.secure(_trusting(authority))
            assert talk.say("MAIL FROM:<>") == b"503 Error: send HELO first\r\n"
            assert b"STARTTLS" not in talk.say("EHLO a")
            assert talk.say("STARTTLS") == b"503 5.5.1 TLS is not on offer\r\n"

    @pytest.mark.parametrize(
        ("line", "reply"),
        [
            (f"VRFY {TO}", b"252 2.5.0 Send the report and see\r\n"),
            ("EXPN all", b"502 5.5.1 There are no lists here\r\n"),
            ("AUTH PLAIN AAAA", b"502 5.5.1 No such command\r\n"),
            ("HELP", b"502 5.5.1 No such command\r\n"),
            ("<script>", b""),
            ("X<script>", b"502 5.5.1 No such command\r\n"),
            ("NOOP anything", b"250 OK\r\n"),
            ("RSET", b"250 OK\r\n"),
            ("DATA", b"503 5.5.1 Nobody to receive it\r\n"),
            ("MAIL FROM:<a@b.example> SIZE=15728641", b"552 5.3.4 The report is too large\r\n"),
            ("MAIL FROM:<a@b.example> SIZE=15728640", b"250 OK\r\n"),
            ("MAIL FROM:<a@b.example> SIZE=\u00b2", b"250 OK\r\n"),
            ("MAIL FROM:a@b.example", b"553 5.1.3 Error: malformed address\r\n"),
            ("MAIL FROM:" + "(" * 600, b"553 5.1.3 Error: malformed address\r\n"),
            ("MAIL FROM:<\udcff@b.example>", b"501 5.5.2 Not UTF-8\r\n"),
        ],
    )
    def test_a_line_and_its_reply(self, rig: MailRig, line: str, reply: bytes) -> None:
        with rig.talk("EHLO a") as talk:
            assert talk.say(line) == reply

    def test_no_certificate_no_starttls(self, rig: MailRig) -> None:
        with MailRig(loop_name=rig.loop_name).running() as bare, bare.talk() as talk:
            assert b"STARTTLS" not in talk.say("EHLO a")
            assert talk.say("STARTTLS") == b"503 5.5.1 TLS is not on offer\r\n"
            assert bare.deliver() == KEPT


def test_by_openssl(authority: Authority, needs: Callable[[str], str]) -> None:
    """Another implementation of STARTTLS, and of TLS."""
    context = authority.server(HOST)
    with MailRig(tls=lambda: context).running() as rig:
        command = [needs("openssl"), "s_client", "-quiet", "-starttls", "smtp", "-crlf", "-verify_return_error"]
        command += ["-connect", f"127.0.0.1:{rig.port}", "-verify_hostname", HOST, "-CAfile", str(authority.pem)]
        lines = f"EHLO sender.example\nMAIL FROM:<>\nRCPT TO:<{TO}>\nDATA\nSubject: x\n\n{{}}\n.\nQUIT\n"
        done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=300, check=False)
        assert KEPT in done.stdout, done.stderr
        assert rig.desk.bodies == [b"Subject: x\r\n\r\n{}\r\n"]


@pytest.mark.parametrize("loop_name", list(LOOPS))
class TestEnd:
    """A graceful stop: mails in the middle come to their end, everybody else is told and leaves."""

    def test_a_mail_in_the_middle_is_kept(self, loop_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async def slowly(_arrival: Arrival) -> None:
            await asyncio.sleep(0.4)

        monkeypatch.setattr(guests, "GRACE", 100.0)  # longer than `stop` waits
        rig = MailRig(Desk(deed=slowly), loop_name=loop_name)
        with rig.running(), rig.talk("EHLO a") as idle, rig.talk(*IN_A_MAIL) as talk:
            talk.send(MAIL + b".\r\n")
            time.sleep(0.1)
            rig.stop()
            assert talk.rest() == KEPT + b"421 4.3.2 The service is going down\r\n"
            assert idle.rest() == b"421 4.3.2 The service is going down\r\n"
        assert (rig.desk.bodies, rig.faults, rig.tasks) == ([MAIL], [], 0)

    def test_a_mail_that_does_not_end_is_not_waited_for(self, loop_name: str) -> None:
        rig = MailRig(loop_name=loop_name)
        with rig.running(), rig.talk(*IN_A_MAIL) as talk:
            talk.send(MAIL)
            started = time.monotonic()
            rig.stop()
            assert time.monotonic() - started > 1.5
            assert talk.rest() == b""
        assert (rig.desk.bodies, rig.faults, rig.tasks) == ([], [], 0)


def _trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.pem))
