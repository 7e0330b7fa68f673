"""The policy as senders get it, over real sockets and TLS, on both loops."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from msgspec.structs import replace
from tests.edge.policy_rig import (
    LOOPS,
    PATH,
    Rig,
    body_of,
    client_hello,
    content_of,
    drained,
    fields_of,
    get,
    hosted,
    publication,
    status_of,
)
from tests.edge.publications import ZONE
from tests.support_tls import Authority

from trinco.core.hosting import Change
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

NAME, OTHER = "um.example", "dois.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def table_of(authority: Authority) -> Table:
    return Table(publication(hosted(authority, NAME), hosted(authority, OTHER), issuers=authority.issuers))


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(authority: Authority, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(table_of(authority), authority, Limits(), loop_name=request.param).running() as running:
        yield running


class TestPolicy:
    """RFC 8461 sections 3.2 and 3.3: GET of the one path gives 200, text/plain, and the policy with CRLF line ends."""

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_all_of_the_answer(self, rig: Rig, version: ssl.TLSVersion) -> None:
        context = rig.authority.client()
        context.minimum_version = context.maximum_version = version
        answer = rig.fetch(NAME, context)
        fields = fields_of(answer)
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields.pop("Date"))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert fields == {
            "Connection": "close",
            "Content-Type": "text/plain",
            "Content-Length": str(len(body_of(NAME))),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        assert content_of(answer) == body_of(NAME)

    def test_each_name_has_its_own(self, rig: Rig) -> None:
        assert content_of(rig.fetch(OTHER)) == body_of(OTHER)

    def test_head_is_the_same_without_content(self, rig: Rig) -> None:
        answer = rig.ask(NAME, get(NAME, "Connection: close", method="HEAD"))
        assert (status_of(answer), content_of(answer)) == (200, b"")
        assert fields_of(answer)["Content-Length"] == str(len(body_of(NAME)))

    @pytest.mark.parametrize(
        "condition",
        [
            "If-None-Match: *",
            "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
            "If-Match: x",
            "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
            "Range: bytes=0-3",
            "Accept: image/png",
            "Accept-Encoding: gzip",
            "X-Forwarded-Host: other.example",
            "Forwarded: host=other.example;proto=http",
            "Upgrade-Insecure-Requests: 1",
        ],
    )
    def test_only_200_is_ever_said(self, rig: Rig, condition: str) -> None:
        """RFC 8461 section 3.3: senders take 200 alone, and HTTP caching must not be used."""
        answer = rig.ask(NAME, get(NAME, condition, "Connection: close"))
        assert (status_of(answer), content_of(answer)) == (200, body_of(NAME))

    def test_the_chain_is_valid_for_the_name_and_http11_is_agreed_on(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            certificate = connection.getpeercert()
            assert certificate is not None
            assert certificate["subjectAltName"] == (("DNS", f"mta-sts.{NAME}"),)
            assert connection.selected_alpn_protocol() == "http/1.1"


class TestOtherRequests:
    """RELIABILITY row 17: nothing but the policy; SNI equals Host; never a redirect."""

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/.well-known/",
            "/.well-known/mta-sts.txt/",
            "/.well-known/mta-sts.txt?a=1",
            "//.well-known/mta-sts.txt",
            "/.WELL-KNOWN/mta-sts.txt",
            "/%2ewell-known/mta-sts.txt",
            "/x/../.well-known/mta-sts.txt",
        ],
    )
    def test_another_path_is_404(self, rig: Rig, path: str) -> None:
        answer = rig.ask(NAME, get(NAME, "Connection: close", path=path))
        assert (status_of(answer), content_of(answer)) == (404, b"404 Not Found\r\n")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "get"])
    def test_another_method_is_405_and_says_which_are_allowed(self, rig: Rig, method: str) -> None:
        answer = rig.ask(NAME, get(NAME, "Connection: close", method=method))
        assert (status_of(answer), fields_of(answer)["Allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize(("method", "path"), [("OPTIONS", "*"), ("CONNECT", f"mta-sts.{NAME}:443"), ("GET", "*")])
    def test_what_is_asked_of_no_resource_is_405(self, rig: Rig, method: str, path: str) -> None:
        assert status_of(rig.ask(NAME, get(NAME, "Connection: close", method=method, path=path))) == 405

    def test_a_host_of_another_customer_is_421(self, rig: Rig) -> None:
        assert status_of(rig.ask(NAME, get(OTHER, "Connection: close"))) == 421

    def test_a_host_that_nobody_has_is_421(self, rig: Rig) -> None:
        assert status_of(rig.ask(NAME, get("nobody.example", "Connection: close"))) == 421

    @pytest.mark.parametrize("suffix", [":443", ":8443", "."])
    def test_a_port_and_a_final_dot_are_the_same_host(self, rig: Rig, suffix: str) -> None:
        assert status_of(rig.ask(NAME, get(NAME + suffix, "Connection: close"))) == 200

    def test_absolute_form_counts_above_host(self, rig: Rig) -> None:
        """RFC 9112 section 3.2.2."""
        own = get(OTHER, "Connection: close", path=f"https://mta-sts.{NAME}{PATH}")
        other = get(NAME, "Connection: close", path=f"https://mta-sts.{OTHER}{PATH}")
        assert [status_of(rig.ask(NAME, request)) for request in (own, other)] == [200, 421]

    def test_http10_without_a_host_is_for_the_name_of_the_connection(self, rig: Rig) -> None:
        assert content_of(rig.ask(NAME, f"GET {PATH} HTTP/1.0\r\n\r\n".encode())) == body_of(NAME)

    @pytest.mark.parametrize(
        ("request_octets", "status"),
        [
            (f"GET {PATH} HTTP/1.1\r\n\r\n", 400),
            (f"GET {PATH} HTTP/1.1\nHost: mta-sts.{NAME}\n\n", 400),
            (f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\nHost: mta-sts.{NAME}\r\n\r\n", 400),
            (f"GET {PATH} HTTP/1.1\r\nHost: {'a' * 300}\r\n\r\n", 400),
            (f"GET /%00 HTTP/1.1\r\nHost: mta-sts.{NAME}\r\n\r\n", 400),
            (f"GET http://mta-sts.{NAME}{PATH} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\n\r\n", 421),
            (f"GET {PATH} HTTP/9.9\r\nHost: mta-sts.{NAME}\r\n\r\n", 505),
            (f"GET /{'x' * 10000} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\n\r\n", 414),
            (f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\nX: {'x' * 20000}\r\n\r\n", 431),
            (f"POST {PATH} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\nContent-Length: 9999999\r\n\r\n{'x' * 99999}", 413),
            (f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.{NAME}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
            (f"GET {PATH} HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ],
    )
    def test_what_cannot_be_served_has_its_status_and_ends_the_connection(
        self, rig: Rig, request_octets: str, status: int
    ) -> None:
        answer = rig.ask(NAME, request_octets.encode(), get(NAME))
        assert (status_of(answer), fields_of(answer)["Connection"]) == (status, "close")
        assert answer.count(b"HTTP/1.1 ") == 1


class TestPersistence:
    """RFC 9112 section 9.3: connections go on unless one side says close."""

    def test_requests_in_a_pipeline_are_answered_in_order(self, rig: Rig) -> None:
        requests = [
            get(NAME),
            get(NAME, path="/x"),
            get(NAME, method="HEAD"),
            get(OTHER),
            get(NAME, "Connection: close"),
        ]
        answer = rig.ask(NAME, *requests)
        assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404", b"200", b"421", b"200"]
        assert answer.endswith(body_of(NAME))
        assert answer.count(body_of(NAME)) == 2

    def test_one_after_the_other(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            for _ in range(3):
                connection.sendall(get(NAME))
                answer = connection.recv(65536)
                assert (status_of(answer), "Connection" in fields_of(answer)) == (200, False)

    def test_nothing_is_read_after_close(self, rig: Rig) -> None:
        assert rig.ask(NAME, get(NAME, "Connection: close"), get(NAME)).count(b"HTTP/1.1 200") == 1

    def test_http10_ends_unless_it_asks_to_go_on(self, rig: Rig) -> None:
        once = rig.ask(NAME, get(NAME, version="1.0"), get(NAME, version="1.0"))
        kept = rig.ask(NAME, get(NAME, "Connection: keep-alive", version="1.0"), get(NAME, version="1.0"))
        assert [answer.count(b"200 OK") for answer in (once, kept)] == [1, 2]
        assert kept.index(b"Connection: keep-alive") < kept.index(b"Connection: close")

    def test_a_hundred_requests_are_enough(self, rig: Rig) -> None:
        answer = rig.ask(NAME, get(NAME, path="/x") * 150)
        assert answer.count(b"HTTP/1.1 404") == 100
        assert answer.count(b"Connection: close") == 1

    def test_close_notify_is_said(self, rig: Rig) -> None:
        """RFC 8446 section 6.1: the end of the answer is told from a cut wire."""
        with rig.connect() as raw:
            context = rig.authority.client()
            context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
            with context.wrap_socket(raw, server_hostname=f"mta-sts.{NAME}", suppress_ragged_eofs=False) as connection:
                connection.sendall(get(NAME, "Connection: close"))
                assert content_of(drained(connection)) == body_of(NAME)

    def test_a_client_that_closes_its_side_at_once_is_answered(self, rig: Rig) -> None:
        """RFC 8446 section 6.1: close_notify ends one direction alone."""
        assert content_of(self._said_and_closed(rig, NAME, get(NAME))) == body_of(NAME)

    def test_so_is_one_who_closes_its_side_and_reads_slowly(self, rig: Rig) -> None:
        large = replace(hosted(rig.authority, OTHER, revision=2), policy=b"x" * 60_000)
        rig.do(rig.table.apply, Change(2, ZONE, (large,)))
        try:
            assert self._said_and_closed(rig, OTHER, get(OTHER) * 90).count(b"x" * 60_000) == 90
        finally:
            rig.do(rig.table.apply, Change(3, ZONE, (hosted(rig.authority, OTHER, revision=3),)))

    @staticmethod
    def _said_and_closed(rig: Rig, name: str, octets: bytes) -> bytes:
        """What is answered to these octets when close_notify and the end of the stream come right after them."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = rig.authority.client().wrap_bio(incoming, outgoing, server_hostname=f"mta-sts.{name}")
        with rig.connect() as connection:
            for _ in range(2):
                with suppress(ssl.SSLWantReadError):
                    client.do_handshake()
                    break
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
            client.write(octets)
            with suppress(ssl.SSLWantReadError):
                client.unwrap()
            connection.sendall(outgoing.read())
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
            incoming.write(drained(connection))
        pieces = []
        with suppress(ssl.SSLZeroReturnError):
            while piece := client.read(65536):
                pieces.append(piece)
        return b"".join(pieces)


class TestSlowOctets:
    """However the octets are cut, the answer is the same."""

    def test_octet_by_octet(self, rig: Rig) -> None:
        hello = client_hello(f"mta-sts.{NAME}", rig.authority.client())
        with rig.connect() as connection:
            for at in range(0, len(hello), 8):
                connection.sendall(hello[at : at + 8])
            assert connection.recv(3) == b"\x16\x03\x03"
        with rig.secure(NAME) as connection:
            for octet in get(NAME, "Connection: close"):
                connection.sendall(bytes((octet,)))
            assert content_of(drained(connection)) == body_of(NAME)

    def test_a_reader_that_takes_its_time_gets_everything(self, rig: Rig) -> None:
        large = replace(hosted(rig.authority, OTHER, revision=2), policy=b"x" * 60_000)
        rig.do(rig.table.apply, Change(2, ZONE, (large,)))
        try:
            with rig.secure(OTHER) as connection:
                connection.sendall(get(OTHER) * 99 + get(OTHER, "Connection: close"))
                time.sleep(0.2)  # until the host can write no more
                answer = drained(connection)
            assert answer.count(b"HTTP/1.1 200 OK") == 100
            assert answer.count(b"x" * 60_000) == 100
        finally:
            rig.do(rig.table.apply, Change(3, ZONE, (hosted(rig.authority, OTHER, revision=3),)))


class TestChanges:
    """A change takes effect for the next request, a certificate's for the next connection."""

    def test_a_new_policy_is_served_at_once(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            for revision, mode in ((5, "enforce"), (6, "testing")):
                changed = replace(
                    rig.table.hosted(f"mta-sts.{NAME}".encode()), revision=revision, policy=body_of(NAME, mode)
                )  # type: ignore[type-var]
                rig.do(rig.table.apply, Change(revision, ZONE, (changed,)))
                connection.sendall(get(NAME))
                assert content_of(connection.recv(65536)) == body_of(NAME, mode)

    def test_a_new_certificate_is_shown_to_the_next_connection(self, rig: Rig) -> None:
        rig.fetch(NAME)
        renewed = hosted(rig.authority, NAME, revision=7)
        rig.do(rig.table.apply, Change(7, ZONE, (renewed,)))
        assert renewed.certificate is not None
        with rig.secure(NAME) as connection:
            assert connection.getpeercert(binary_form=True) == renewed.certificate.leaf

    def test_a_domain_that_is_withdrawn_is_404_and_then_unknown(self, rig: Rig) -> None:
        rig.do(rig.table.apply, Change(8, ZONE, (hosted(rig.authority, "tres.example", revision=8),)))
        with rig.secure("tres.example") as connection:
            rig.do(rig.table.apply, Change(9, ZONE, removed=("ltresexample",)))
            connection.sendall(get("tres.example"))
            assert status_of(connection.recv(65536)) == 404
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            rig.secure("tres.example")
