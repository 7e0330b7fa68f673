"""The STARTTLS probe against mail servers, good, broken and hostile."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import closing
from datetime import timedelta

import pytest
from tests.support_certs import NOW, Authority
from tests.support_smtp import EXTENSIONS, GREETING, READY, MailServer, mail_servers

from trinco.net.https import context
from trinco.net.smtp import Caller, Probe, probe

HOST = "mx.a.example"
CALLER = Caller(helo="trinco.example", seconds=60.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def trusting(authority) -> ssl.SSLContext:
    return context(authority.pem)


@pytest.fixture(scope="module")
def good(authority) -> ssl.SSLContext:
    return authority.server(HOST)


def look(server: MailServer, trusting: ssl.SSLContext, caller: Caller = CALLER) -> Probe:
    with mail_servers({"127.0.0.1": server}) as port:
        return asyncio.run(probe(HOST, "127.0.0.1", port, trusting, caller))


class TestVerified:
    """RFC 8461 section 4.2: STARTTLS, a trusted chain, within its dates, with the MX host as a DNS-ID."""

    def test_a_good_server(self, good, trusting):
        server = MailServer(good)
        assert look(server, trusting) == Probe(
            reached=True, starttls=True, tls_version="TLSv1.3", verified=True, not_after=NOW + timedelta(days=30)
        )
        assert server.heard == [b"EHLO trinco.example", b"STARTTLS", b"QUIT"]

    def test_sni_is_the_mx_host(self, good, trusting):
        """RFC 8461 section 7.1."""
        server = MailServer(good)
        look(server, trusting)
        assert server.sni == [HOST]

    def test_tls_1_2_is_enough(self, authority, trusting):
        tls = authority.server(HOST)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        assert look(MailServer(tls), trusting).tls_version == "TLSv1.2"

    def test_a_wildcard_of_the_leftmost_label_matches(self, authority, trusting):
        assert look(MailServer(authority.server("*.a.example")), trusting).verified


class TestCertificate:
    """RFC 8461 section 4.2: a certificate that does not verify fails; the probe says why and until when it was valid."""

    def test_another_name(self, authority, trusting):
        assert look(MailServer(authority.server("mail.provider.example", "b.example")), trusting) == Probe(
            reached=True,
            starttls=True,
            tls_version="TLSv1.3",
            not_after=NOW + timedelta(days=30),
            problem="the certificate is for mail.provider.example, b.example, not for mx.a.example",
        )

    def test_the_common_name_does_not_count(self, authority, trusting):
        found = look(MailServer(authority.server(common_name=HOST)), trusting)
        assert (found.verified, found.problem) == (
            False,
            "the certificate is for no DNS name in its subjectAltName, not for mx.a.example",
        )

    def test_expired(self, authority, trusting):
        over = NOW - timedelta(days=3)
        found = look(MailServer(authority.server(HOST, not_after=over)), trusting)
        assert found == Probe(True, True, "TLSv1.3", False, over, f"the certificate expired on {over:%Y-%m-%d}")

    def test_an_unknown_root(self, tmp_path, trusting):
        found = look(MailServer(Authority(tmp_path, "Stranger").server(HOST)), trusting)
        assert found == Probe(
            True,
            True,
            "TLSv1.3",
            False,
            NOW + timedelta(days=30),
            "the certificate is not trusted: unable to get local issuer certificate",
        )

    def test_a_handshake_that_fails_otherwise(self, trusting):
        found = look(MailServer(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), trusting)
        assert (found.reached, found.starttls, found.verified) == (True, True, False)
        assert found.problem.startswith(("the TLS handshake failed", "the connection failed"))


class TestNoStarttls:
    """RFC 8461 section 4.2: the server MUST offer STARTTLS."""

    def test_not_offered(self, trusting):
        server = MailServer(extensions=b"250-mx\r\n250 SIZE\r\n")
        assert look(server, trusting) == Probe(reached=True, problem="STARTTLS is not offered")
        assert server.heard == [b"EHLO trinco.example", b"QUIT"]

    def test_the_word_in_the_greeting_line_is_no_offer(self, trusting):
        assert look(MailServer(extensions=b"250 STARTTLS\r\n"), trusting).problem == "STARTTLS is not offered"

    def test_refused(self, trusting):
        found = look(MailServer(ready=b"454 4.7.0 no certificate\r\n"), trusting)
        assert found == Probe(reached=True, problem="the answer to STARTTLS is 454 4.7.0 no certificate")

    @pytest.mark.parametrize("injected", [b"250 ok\r\n", b"x", b"220 go\r\n250-evil\r\n"])
    def test_octets_behind_the_reply_are_an_injection(self, good, trusting, injected):
        found = look(MailServer(good, ready=READY + injected), trusting)
        assert (found.starttls, found.verified) == (False, False)
        assert found.problem.startswith("the server sent more in the clear behind its STARTTLS reply")


class TestHostile:
    """Every read has a limit and a deadline; whatever comes, the probe ends with a problem in words."""

    @pytest.mark.parametrize(
        ("server", "problem"),
        [
            (MailServer(greeting=b"554 5.7.1 go away\r\n"), "the answer to the greeting is 554 5.7.1 go away"),
            (MailServer(greeting=b"SSH-2.0-OpenSSH\r\n"), "what came for the greeting is not SMTP"),
            (MailServer(greeting=b"220-more\r\n" * 101), "the reply to the greeting does not end"),
            (MailServer(greeting=b"220-more\r\n" * 100_000), "the reply to the greeting does not end"),
            (MailServer(greeting=b"x" * 10_000_000), "a line in the answer to the greeting is too long"),
            (MailServer(greeting=b"220 " + b"x" * 3000 + b"\r\n"), "a line in the answer to the greeting is too long"),
            (MailServer(greeting=b"220-a\r\n221 b\r\n"), "the answer to the greeting is 221 b"),
        ],
    )
    def test_a_greeting_that_is_none(self, trusting, server, problem):
        assert look(server, trusting) == Probe(problem=problem)

    def test_an_error_to_ehlo(self, trusting):
        found = look(MailServer(extensions=b"502 \x1b[31m what?\xff\r\n"), trusting)
        assert found == Probe(reached=True, problem="the answer to EHLO is 502 ?[31m what??")

    def test_silence(self, trusting):
        found = look(MailServer(greeting=b""), trusting, Caller(seconds=0.3))
        assert found == Probe(problem="no answer within 0.3 s")

    def test_a_greeting_that_drips(self, trusting):
        async def dripping(_reader, writer) -> None:
            with closing(writer):
                for octet in GREETING:
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0.05)

        with mail_servers({"127.0.0.1": dripping}) as port:
            found = asyncio.run(probe(HOST, "127.0.0.1", port, trusting, Caller(seconds=0.3)))
        assert found == Probe(problem="no answer within 0.3 s")

    def test_a_connection_that_is_closed(self, trusting):
        async def brusque(_reader, writer) -> None:
            writer.close()

        with mail_servers({"127.0.0.1": brusque}) as port:
            found = asyncio.run(probe(HOST, "127.0.0.1", port, trusting, CALLER))
        assert found == Probe(problem="the server closed the connection instead of answering the greeting")

    def test_nobody_listens(self, trusting):
        found = asyncio.run(probe(HOST, "127.0.0.1", 1, trusting, CALLER))
        assert found == Probe(problem="the connection failed: Connection refused")

    def test_no_tls_behind_the_reply(self, trusting):
        async def clear(reader, writer) -> None:
            for answer in (GREETING, EXTENSIONS, READY, b"421 never mind\r\n"):
                writer.write(answer)
                await reader.read(500)
            writer.close()

        with mail_servers({"127.0.0.1": clear}) as port:
            found = asyncio.run(probe(HOST, "127.0.0.1", port, trusting, CALLER))
        assert (found.starttls, found.verified) == (True, False)
        assert found.problem.startswith("the TLS handshake failed: ")

    def test_a_host_name_that_tls_cannot_carry(self, good, trusting):
        with mail_servers({"127.0.0.1": MailServer(good)}) as port:
            found = asyncio.run(probe("x" * 70 + ".example", "127.0.0.1", port, trusting, CALLER))
        assert (found.starttls, found.verified, found.problem[:21]) == (True, False, "the connection failed")
