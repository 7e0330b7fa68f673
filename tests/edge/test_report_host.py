"""Reports over HTTPS as senders post them, over real sockets and TLS, on both loops."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from tests.edge.policy_rig import LOOPS, body_of, content_of, drained, fields_of, status_of
from tests.edge.report_rig import (
    GZIP,
    HOST,
    JSON,
    NAME,
    REPORT,
    TOKEN,
    ReportRig,
    chunked,
    head,
    post,
    post_chunked,
    refusal,
    running,
)
from tests.support_tls import Authority

from trinco.core.tlsrpt.arrival import Arrival, Channel

CLOSE = "Connection: close"


@pytest.fixture(scope="module", params=list(LOOPS))
def running_rig(request: pytest.FixtureRequest) -> Iterator[ReportRig]:
    with running(Authority(), loop_name=request.param) as rig:
        yield rig


@pytest.fixture
def rig(running_rig: ReportRig) -> ReportRig:
    running_rig.desk.arrivals.clear()
    running_rig.desk.refusal = None
    return running_rig


class TestAccepted:
    """RFC 8460 section 5.4: the report may be delivered by POST to HTTPS; the receiver returns a successful response."""

    def test_all_of_the_answer_and_the_arrival(self, rig: ReportRig) -> None:
        before = time.time()
        answer = rig.post(post(REPORT, CLOSE))
        (arrival,) = rig.desk.arrivals
        assert fields_of(answer).pop("Date")
        assert (answer.partition(b"\r\n")[0], content_of(answer)) == (b"HTTP/1.1 201 Created", b"201 Created\r\n")
        assert re.fullmatch("[0-9a-f]{32}", arrival.id)
        assert before <= arrival.received_at <= time.time()
        assert arrival == Arrival(
            id=arrival.id,
            token=TOKEN,
            channel=Channel.HTTPS,
            received_at=arrival.received_at,
            body=REPORT,
            peer="127.0.0.1",
            sender="",
            media_type=JSON,
        )

    def test_policies_are_served_beside_it(self, rig: ReportRig) -> None:
        assert content_of(rig.fetch(NAME)) == body_of(NAME)

    def test_chunked(self, rig: ReportRig) -> None:
        assert status_of(rig.post(post_chunked(chunked(REPORT[:9], REPORT[9:]), CLOSE))) == 201
        assert [arrival.body for arrival in rig.desk.arrivals] == [REPORT]


class TestContent:
    """RFC 8460 section 5.4: what is posted is the report, compressed or not; what it is the content tells."""

    @pytest.mark.parametrize(
        "content",
        [REPORT, b"\xef\xbb\xbf" + REPORT, b" \r\n\t" * 1000 + REPORT, gzip.compress(REPORT), b"\x1f\x8b", b"{"],
        ids=["json", "bom", "space", "gzip", "magic", "brace"],
    )
    @pytest.mark.parametrize("media_type", [GZIP, JSON])
    def test_it_is_handed_in_as_it_was_sent(self, rig: ReportRig, content: bytes, media_type: str) -> None:
        assert status_of(rig.post(post(content, CLOSE, media_type=media_type))) == 201
        assert [(got.body, got.media_type) for got in rig.desk.arrivals] == [(content, media_type)]

    @pytest.mark.parametrize("media_type", [GZIP, JSON])
    def test_the_media_type_is_read_without_case_and_parameters(self, rig: ReportRig, media_type: str) -> None:
        for shape in (media_type.upper(), f"{media_type}; charset=utf-8", f"{media_type.title()} ;a=b;c"):
            assert status_of(rig.post(post(REPORT, CLOSE, media_type=shape))) == 201
        assert [got.media_type for got in rig.desk.arrivals] == [media_type] * 3

    @pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity"])
    def test_a_content_coding_is_left_as_it_is(self, rig: ReportRig, coding: str) -> None:
        packed = gzip.compress(REPORT)
        assert status_of(rig.post(post(packed, CLOSE, f"Content-Encoding: {coding}"))) == 201
        assert [got.body for got in rig.desk.arrivals] == [packed]

    @pytest.mark.parametrize("token", [TOKEN.upper(), TOKEN.title()])
    def test_the_token_is_read_without_case(self, rig: ReportRig, token: str) -> None:
        assert status_of(rig.post(post(REPORT, CLOSE, path=f"/v1/tlsrpt/{token}"))) == 201
        assert [got.token for got in rig.desk.arrivals] == [TOKEN]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "no content"),
            (b"[]", "neither gzip nor JSON"),
            (b"<html>", "neither gzip nor JSON"),
            (b"PK\x03\x04", "neither gzip nor JSON"),
            (b" \n", "neither gzip nor JSON"),
            (b"\x1f", "neither gzip nor JSON"),
            (b"\xff\xfe{\x00", "neither gzip nor JSON"),
        ],
    )
    def test_what_cannot_be_a_report_is_400_with_the_reason(self, rig: ReportRig, content: bytes, reason: str) -> None:
        for request in (post(content, CLOSE), post_chunked(chunked(*[content] if content else []), CLOSE)):
            answer = rig.post(request)
            assert (status_of(answer), content_of(answer)) == (400, f"400 Bad Request: {reason}\r\n".encode())
            assert fields_of(answer)["Content-Type"] == "text/plain"
        assert rig.desk.arrivals == []

    def test_each_has_an_id_of_its_own(self, rig: ReportRig) -> None:
        rig.post(post(REPORT), post(REPORT), post(REPORT, CLOSE))
        assert len({got.id for got in rig.desk.arrivals}) == 3

    def test_ten_megabytes_and_not_one_octet_more(self, rig: ReportRig) -> None:
        largest = b"{" + b" " * (10 * 1024 * 1024 - 1)
        assert status_of(rig.post(post(largest, CLOSE))) == 201
        assert rig.desk.arrivals.pop().body == largest
        pieces = [largest[at : at + 65536] for at in range(0, len(largest), 65536)]
        assert status_of(rig.post(post_chunked(chunked(*pieces), CLOSE))) == 201
        assert rig.desk.arrivals.pop().body == largest
        assert status_of(rig.post(head(f"Content-Type: {JSON}", f"Content-Length: {len(largest) + 1}"))) == 413
        assert status_of(rig.post(post_chunked(b"a00001\r\n"))) == 413


class TestTurnedAway:
    """What the head alone decides is said before any content has come, and ends the connection."""

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/v1/tlsrpt",
            "/v1/tlsrpt/",
            "/v1/tlsrpt/nobody",
            f"/v1/tlsrpt/{TOKEN}/",
            f"/v1/tlsrpt/{TOKEN}?a=b",
            f"/v1/tlsrpt/{TOKEN}%20",
            f"/v1/tlsrpt/%6c{TOKEN[1:]}",
            f"/v1/tlsrpt/../tlsrpt/{TOKEN}",
            f"//v1/tlsrpt/{TOKEN}",
            f"/V1/TLSRPT/{TOKEN}",
            f"/v1/tlsrpt/{TOKEN}+x",
            f"/v1/tlsrpt/{TOKEN}-x",
            f"/v1/tlsrpt/{TOKEN}@x",
            "/v1/tlsrpt/" + "x" * 65,
            "/v1/tlsrpt/" + "x" * 1900,
            "*",
        ],
    )
    def test_no_such_token_is_404(self, rig: ReportRig, path: str) -> None:
        for request in (post(REPORT, path=path), head(CLOSE, path=path), head("Content-Length: 99", path=path)):
            answer = rig.post(request)
            assert (status_of(answer), fields_of(answer)["Connection"]) == (404, "close")
        assert rig.desk.arrivals == []

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "post"])
    def test_another_method_is_405_and_says_which_is_allowed(self, rig: ReportRig, method: str) -> None:
        for request in (head(CLOSE, method=method), post(REPORT, method=method)):
            answer = rig.post(request)
            assert (status_of(answer), fields_of(answer)["Allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        "media_type",
        [
            "application/json",
            "text/plain",
            "application/tlsrpt",
            "application/tlsrpt+xml",
            f"{JSON}, {GZIP}",
            "",
            "*/*",
        ],
    )
    def test_another_media_type_is_415_and_says_which_are_taken(self, rig: ReportRig, media_type: str) -> None:
        answer = rig.post(head(f"Content-Type: {media_type}", f"Content-Length: {len(REPORT)}"))
        assert (status_of(answer), fields_of(answer)["Accept"]) == (415, f"{GZIP}, {JSON}")

    def test_none_and_two_are_another_media_type(self, rig: ReportRig) -> None:
        assert status_of(rig.post(head("Content-Length: 5"))) == 415
        assert status_of(rig.post(head(f"Content-Type: {JSON}", f"Content-Type: {JSON}", "Content-Length: 5"))) == 415

    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "aes128gcm"])
    def test_another_content_coding_is_415(self, rig: ReportRig, coding: str) -> None:
        answer = rig.post(post(REPORT, f"Content-Encoding: {coding}"))
        assert (status_of(answer), fields_of(answer)["Accept-Encoding"]) == (415, "gzip, identity")

    @pytest.mark.parametrize("host", [f"mta-sts.{NAME}", "other.example", f"x.{HOST}"])
    def test_another_host_is_421(self, rig: ReportRig, host: str) -> None:
        assert status_of(rig.post(post(REPORT, host=host))) == 421
        assert status_of(rig.post(head(CLOSE, host=host))) == 421

    @pytest.mark.parametrize("host", [f"{HOST}:443", f"{HOST}.", HOST.upper()])
    def test_a_port_a_final_dot_and_case_are_the_same_host(self, rig: ReportRig, host: str) -> None:
        assert status_of(rig.post(post(REPORT, CLOSE, host=host))) == 201

    def test_policy_hosts_take_no_reports_and_the_reports_host_has_no_policy(self, rig: ReportRig) -> None:
        policy = f"mta-sts.{NAME}"
        assert status_of(rig.post(post(REPORT, host=policy), host=policy)) == 413
        assert status_of(rig.post(post_chunked(chunked(REPORT), host=policy), host=policy)) == 411
        assert status_of(rig.post(head(CLOSE, host=policy, method="GET"), host=policy)) == 404
        assert status_of(rig.post(head(CLOSE, method="GET", path="/.well-known/mta-sts.txt"))) == 404
        assert rig.desk.arrivals == []

    def test_the_desk_may_refuse(self, rig: ReportRig) -> None:
        expected = {404: None, 429: "300", 503: "300"}
        for status, later in expected.items():
            rig.desk.refusal = refusal(status, "no room on the disk")
            answer = rig.post(post(REPORT, CLOSE))
            assert (status_of(answer), fields_of(answer).get("Retry-After")) == (status, later)
            assert content_of(answer).endswith(b": no room on the disk\r\n")
        assert rig.desk.arrivals == []

    def test_a_fault_of_ours_is_503_and_the_connection_goes_on(self, rig: ReportRig) -> None:
        rig.desk.refusal = RuntimeError("a bug")
        answer = rig.post(post(REPORT), head(CLOSE))
        assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)] == [503, 415]
        assert rig.faults == []


class TestContinue:
    """RFC 9110 section 10.1.1: a client that waits for the word is told, or told at once why not."""

    def asked(self, rig: ReportRig, *fields: str, **line: str) -> tuple[bytes, bytes]:
        """What is said before the content, and after it."""
        expecting = head(f"Content-Length: {len(REPORT)}", "Expect: 100-Continue", *fields, **line)
        with rig.secure_for(HOST) as connection:
            connection.sendall(expecting)
            before = connection.recv(65536)
            if before.startswith(b"HTTP/1.1 100 "):
                connection.sendall(REPORT)
            return before, drained(connection)

    def test_yes(self, rig: ReportRig) -> None:
        before, after = self.asked(rig, f"Content-Type: {JSON}", CLOSE)
        assert (before, status_of(after)) == (b"HTTP/1.1 100 Continue\r\n\r\n", 201)

    def test_no(self, rig: ReportRig) -> None:
        before, after = self.asked(rig, "Content-Type: text/html")
        assert (status_of(before), after) == (415, b"")

    def test_who_does_not_wait_is_not_told(self, rig: ReportRig) -> None:
        assert status_of(rig.post(post(REPORT, "Expect: 100-continue", CLOSE))) == 201

    def test_http10_is_not_told(self, rig: ReportRig) -> None:
        sized = (f"Content-Type: {JSON}", f"Content-Length: {len(REPORT)}", "Expect: 100-continue")
        assert status_of(rig.post(head(*sized, version="1.0"), REPORT)) == 201


class TestPersistence:
    """RFC 9112 section 9.3: connections go on after content, and what follows it is the next request."""

    def test_requests_in_a_pipeline_are_answered_in_order(self, rig: ReportRig) -> None:
        requests = [post(REPORT), head(path="/"), post_chunked(chunked(REPORT)), post(b"[]"), post(REPORT, CLOSE)]
        answer = rig.post(b"".join(requests))
        assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"201", b"404", b"201", b"400", b"201"]
        assert len(rig.desk.arrivals) == 3

    def test_one_after_the_other(self, rig: ReportRig) -> None:
        with rig.secure_for(HOST) as connection:
            for _ in range(3):
                connection.sendall(post(REPORT))
                assert status_of(connection.recv(65536)) == 201

    def test_http10(self, rig: ReportRig) -> None:
        answer = rig.post(post(REPORT, "Connection: keep-alive", version="1.0"), post(REPORT, version="1.0"))
        assert re.findall(rb"Connection: (.*)\r\n", answer) == [b"keep-alive", b"close"]

    def test_as_many_as_are_allowed(self, rig: ReportRig) -> None:
        answer = rig.post(*[post(REPORT)] * 101)
        assert (answer.count(b" 201 "), answer.count(b"Connection: close")) == (100, 1)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_who_says_at_once_that_nothing_more_comes_gets_the_answer(
        self, rig: ReportRig, version: ssl.TLSVersion
    ) -> None:
        """RFC 8446 section 6.1: close_notify ends one direction only."""
        context = rig.authority.client()
        context.minimum_version = context.maximum_version = version
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
        with rig.connect() as connection:
            talk(connection, client.do_handshake, incoming, outgoing)
            client.write(post(REPORT))
            with suppress(ssl.SSLWantReadError):
                client.unwrap()
            connection.sendall(outgoing.read())
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                incoming.write(data)
        assert status_of(client.read()) == 201
        assert len(rig.desk.arrivals) == 1


def talk(connection: socket.socket, step: Callable[[], None], incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
    while True:
        try:
            step()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
        else:
            connection.sendall(outgoing.read())
            return
