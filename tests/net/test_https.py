"""The policy fetch against a TLS server that says what each test wants."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from tests.support_certs import NOW, Authority

from trinco.core.errors import FetchFailure, NoPolicy, PolicyHttpError, PolicyTlsError
from trinco.core.names import Domain
from trinco.net.https import Limits, context, fetch_policy

DOMAIN = Domain.parse("a.example")
BODY = b"version: STSv1\r\nmode: testing\r\nmx: mx.a.example\r\nmax_age: 86400\r\n"
PATIENT = Limits(seconds=60.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def trusting(authority) -> ssl.SSLContext:
    return context(authority.pem)


@pytest.fixture(scope="module")
def good(authority) -> ssl.SSLContext:
    return authority.server("mta-sts.a.example")


def reply(body: bytes = BODY, *fields: str, status: str = "200 OK", media: str = "text/plain; charset=utf-8") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {media}"] if media else []), *fields]
    if not fields:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Server:
    """Sends `pieces`, then closes, or stays silent when `hold`. Keeps what it was asked."""

    def __init__(self, *pieces: bytes, hold: bool = False) -> None:
        self.pieces, self.hold, self.request = pieces, hold, b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.request = await reader.readuntil(b"\r\n\r\n")
            self.server_name = writer.get_extra_info("ssl_object").sni
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
            if self.hold:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def fetch(server: Server, tls: ssl.SSLContext, trusting: ssl.SSLContext, limits: Limits = PATIENT) -> bytes:
    def remember(connection, name, _context) -> None:
        connection.sni = name

    async def conversation() -> bytes:
        tls.sni_callback = remember
        async with await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls) as listener:
            port = listener.sockets[0].getsockname()[1]
            return await fetch_policy(DOMAIN, "127.0.0.1", port, trusting, limits)

    return asyncio.run(conversation())


def fetch_in_the_clear(answer: bytes, trusting: ssl.SSLContext) -> bytes:
    """From a server that sends these octets in place of TLS."""

    async def server(reader, writer) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()

    async def conversation() -> bytes:
        async with await asyncio.start_server(server, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            return await fetch_policy(DOMAIN, "127.0.0.1", port, trusting, PATIENT)

    return asyncio.run(conversation())


class TestRequest:
    """RFC 8461 section 3.3: GET of the well-known path at `mta-sts.<domain>`, no cache; section 7.1: SNI is sent."""

    def test_what_the_server_sees(self, good, trusting):
        server = Server(reply())
        assert fetch(server, good, trusting) == BODY
        assert server.server_name == "mta-sts.a.example"
        assert server.request == (
            b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.a.example\r\nUser-Agent: trinco\r\n"
            b"Accept: text/plain\r\nAccept-Encoding: identity\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
        )


class TestCertificate:
    """RFC 8461 section 3.3: a valid chain, unexpired, with a DNS-ID that matches; the common name does not count."""

    def test_a_wildcard_of_the_leftmost_label_matches(self, authority, trusting):
        assert fetch(Server(reply()), authority.server("*.a.example"), trusting) == BODY

    @pytest.mark.parametrize(
        ("names", "options", "reason"),
        [
            (["mta-sts.b.example"], {}, "Hostname mismatch"),
            (["mta-sts.a.example"], {"not_after": NOW.replace(year=NOW.year - 1)}, "expired"),
            ([], {"common_name": "mta-sts.a.example"}, "Hostname mismatch"),
            (["*.example"], {}, "Hostname mismatch"),
        ],
    )
    def test_a_certificate_that_does_not_fit_is_refused(self, authority, trusting, names, options, reason):
        with pytest.raises(PolicyTlsError, match=reason) as caught:
            fetch(Server(reply()), authority.server(*names, **options), trusting)
        assert caught.value.result_type == "sts-webpki-invalid"

    def test_an_unknown_root_is_refused(self, tmp_path, trusting):
        stranger = Authority(tmp_path, "Another Root")
        with pytest.raises(PolicyTlsError, match=r"unable to get local issuer certificate|self-signed"):
            fetch(Server(reply()), stranger.server("mta-sts.a.example"), trusting)

    def test_an_old_tls_version_is_refused(self, authority, trusting):
        old = authority.server("mta-sts.a.example")
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        assert trusting.minimum_version == ssl.TLSVersion.TLSv1_2
        with pytest.raises(FetchFailure):
            fetch(Server(reply()), old, trusting)

    def test_an_alert_in_place_of_a_certificate_is_refused(self, trusting):
        unrecognized_name = b"\x15\x03\x03\x00\x02\x02\x70"
        with pytest.raises(PolicyTlsError, match=r"no TLS session with mta-sts\.a\.example: .*UNRECOGNIZED_NAME"):
            fetch_in_the_clear(unrecognized_name, trusting)


class TestStatus:
    """RFC 8461 section 3.3: only 200 is a policy, and redirects MUST NOT be followed."""

    @pytest.mark.parametrize(
        "status", ["201 Created", "204 No Content", "206 Partial", "304 Not Modified", "404 Not Found", "503 Later"]
    )
    def test_every_other_status_is_refused(self, good, trusting, status):
        with pytest.raises(PolicyHttpError, match=f"answered {status[:3]}"):
            fetch(Server(reply(status=status)), good, trusting)

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
    def test_a_redirect_is_not_followed(self, good, trusting, status):
        location = "Location: https://mta-sts.a.example/.well-known/mta-sts.txt"
        with pytest.raises(PolicyHttpError, match=f"answered {status[:3]}"):
            fetch(Server(reply(b"", location, status=status)), good, trusting)

    def test_an_interim_response_is_passed_over(self, good, trusting):
        assert fetch(Server(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply()), good, trusting) == BODY

    def test_interim_responses_end(self, good, trusting):
        with pytest.raises(PolicyHttpError, match="answered 100"):
            fetch(Server(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), good, trusting)


class TestMediaType:
    """RFC 8461 section 3.2: the media type is checked to be text/plain; its parameters are ignored."""

    @pytest.mark.parametrize("media", ["text/plain", "Text/Plain", "text/plain;charset=utf-8", "text/plain ; x=y"])
    def test_text_plain_with_any_parameters(self, good, trusting, media):
        assert fetch(Server(reply(media=media)), good, trusting) == BODY

    @pytest.mark.parametrize("media", ["text/html", "application/octet-stream", "", "text/plainer"])
    def test_everything_else_is_refused(self, good, trusting, media):
        with pytest.raises(PolicyHttpError, match="media type"):
            fetch(Server(reply(media=media)), good, trusting)

    def test_compression_that_nobody_asked_for_is_refused(self, good, trusting):
        with pytest.raises(PolicyHttpError, match="compressed"):
            fetch(Server(reply(BODY, "Content-Encoding: gzip", f"Content-Length: {len(BODY)}")), good, trusting)


class TestBody:
    """RFC 9112 section 6: where a body ends; RFC 8461 section 3.3 suggests 64 KiB at most."""

    def test_a_body_in_pieces(self, good, trusting):
        whole = reply()
        assert fetch(Server(whole[:20], whole[20:90], whole[90:]), good, trusting) == BODY

    def test_a_chunked_body(self, good, trusting):
        chunks = b"1A;ext=1\r\n" + BODY[:26] + b"\r\n%x\r\n" % len(BODY[26:]) + BODY[26:] + b"\r\n0\r\n\r\n"
        assert fetch(Server(reply(chunks, "Transfer-Encoding: chunked")), good, trusting) == BODY

    def test_a_body_that_ends_with_the_connection(self, good, trusting):
        assert fetch(Server(reply(BODY, "Connection: close")), good, trusting) == BODY

    def test_without_a_length_one_that_ends_within_a_line_is_not_whole(self, good, trusting):
        """RFC 9112 section 8: a cut body is incomplete. `max_age: 604800` must not become `max_age: 6`."""
        cut = BODY[: BODY.rindex(b"max_age") + len(b"max_age: 6")]
        with pytest.raises(PolicyHttpError, match="middle of a line"):
            fetch(Server(reply(cut, "Connection: close")), good, trusting)
        assert fetch(Server(reply(cut)), good, trusting) == cut

    @pytest.mark.parametrize(
        "answer",
        [
            reply(b"", "Content-Length: 65537"),
            reply(b"10001\r\n", "Transfer-Encoding: chunked"),
            reply((b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 3, "Transfer-Encoding: chunked"),
            reply(b"x" * 70000, "Connection: close"),
        ],
    )
    def test_more_than_64_kib_is_refused(self, good, trusting, answer):
        with pytest.raises(PolicyHttpError, match="larger than 65536 octets"):
            fetch(Server(answer), good, trusting)

    def test_64_kib_are_not(self, good, trusting):
        assert fetch(Server(reply(b"x" * 65536)), good, trusting) == b"x" * 65536


class TestBroken:
    """Whatever a server does, the fetch ends in time with one of the errors of RFC 8460 section 4.3, and never hangs."""

    @pytest.mark.parametrize(
        "answer",
        [
            b"SSH-2.0-OpenSSH_9\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 99 x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type : text/plain\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n folded: x\r\n\r\n",
            reply(BODY, "Content-Length: 3", "Content-Length: 4"),
            reply(BODY, "Content-Length: -3"),
            reply(BODY, "Content-Length: 3", "Transfer-Encoding: chunked"),
            reply(BODY, "Transfer-Encoding: gzip, chunked"),
            reply(BODY, "Content-Type: text/plain"),
            reply(b"zz\r\n", "Transfer-Encoding: chunked"),
            reply(b"2\r\nabcd\r\n", "Transfer-Encoding: chunked"),
            b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 40000 + b"\r\n\r\n",
            reply(b"1" * 40000, "Transfer-Encoding: chunked"),
        ],
    )
    def test_a_broken_response_is_an_http_error(self, good, trusting, answer):
        with pytest.raises(PolicyHttpError):
            fetch(Server(answer), good, trusting)

    @pytest.mark.parametrize(
        "answer", [b"", b"HTTP/1.1 200", reply()[:-10], reply(b"40\r\nabc", "Transfer-Encoding: chunked")]
    )
    def test_a_connection_that_breaks_off_is_no_policy(self, good, trusting, answer):
        with pytest.raises(NoPolicy, match="broke"):
            fetch(Server(answer), good, trusting)

    @pytest.mark.parametrize("pieces", [(), (b"HTTP/1.1 200 OK\r\n",), (reply()[:-10],)])
    def test_a_silent_server_is_left_in_time(self, good, trusting, pieces):
        with pytest.raises(NoPolicy, match=r"did not answer in 0\.3 s"):
            fetch(Server(*pieces, hold=True), good, trusting, Limits(seconds=0.3))

    def test_nobody_listens(self, trusting):
        with pytest.raises(NoPolicy, match=r"cannot be reached at 127\.0\.0\.1 port 1: Connection refused"):
            asyncio.run(fetch_policy(DOMAIN, "127.0.0.1", 1, trusting, PATIENT))

    def test_a_server_without_tls(self, trusting):
        with pytest.raises(PolicyTlsError, match="no TLS session"):
            fetch_in_the_clear(b"HTTP/1.1 400 Bad Request\r\n\r\n", trusting)
