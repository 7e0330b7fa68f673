"""Requests cut out of octets, and responses made into octets, without a socket."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import Refused
from trinco.edge import http1
from trinco.edge.http1 import Reader, Request, encode, plain, response
from trinco.edge.limits import Limits

PATH = b"/.well-known/mta-sts.txt"
HOST = b"Host: mta-sts.um.example"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


def read(octets: bytes, limits: Limits | None = None) -> list[Request]:
    reader = Reader(limits or Limits())
    reader.feed(octets)
    requests = []
    while (request := reader.next()) is not None:
        requests.append(request)
    return requests


def refused(octets: bytes, limits: Limits | None = None) -> int:
    with pytest.raises(Refused) as caught:
        read(octets, limits)
    assert caught.value.http_status is not None
    return caught.value.http_status


def outcome(octets: bytes) -> list[Request] | int:
    try:
        return read(octets)
    except Refused as refusal:
        return refusal.http_status or 0


def one(*lines: bytes) -> Request:
    (request,) = read(head(*lines))
    return request


class TestRequest:
    """RFC 9112 section 3: a request line, field lines, an empty line."""

    def test_a_policy_request(self) -> None:
        assert one(b"GET " + PATH + b" HTTP/1.1", HOST, b"Accept: text/plain") == Request(
            method=b"GET",
            target=PATH,
            host=b"mta-sts.um.example",
            keep_alive=True,
            http10=False,
            fields={b"accept": b"text/plain"},
        )

    def test_lines_of_one_name_are_joined(self) -> None:
        request = one(b"GET / HTTP/1.1", HOST, b"X-A: 1", b"x-a: 2")
        assert request.fields[b"x-a"] == b"1, 2"

    @given(
        st.lists(st.sampled_from([HOST, b"Host: a b", b"A: 1", b"a:2", b"Connection: close", b"X", b" x"]), max_size=4)
    )
    def test_where_host_stands_does_not_matter(self, lines: list[bytes]) -> None:
        """RFC 9110 section 5.3: fields of different names may come in any order."""
        first, last = [HOST, *lines], [*lines, HOST]
        assert outcome(head(b"GET / HTTP/1.1", *first)) == outcome(head(b"GET / HTTP/1.1", *last))

    def test_an_empty_line_before_it_is_passed_over(self) -> None:
        """RFC 9112 section 2.2: a server should pass over at least one."""
        assert read(b"\r\n\r\n" + head(b"GET / HTTP/1.1", HOST))[0].target == b"/"

    def test_several_at_once_come_in_order(self) -> None:
        octets = head(b"GET /1 HTTP/1.1", HOST) + head(b"HEAD /2 HTTP/1.1", HOST) + b"GET /3"
        assert [(r.method, r.target) for r in read(octets)] == [(b"GET", b"/1"), (b"HEAD", b"/2")]

    @given(st.lists(st.integers(1, 40), max_size=12))
    def test_any_cutting_gives_the_same(self, lengths: list[int]) -> None:
        octets = head(b"GET /1 HTTP/1.1", HOST) + head(b"GET /2 HTTP/1.0")
        reader, seen = Reader(Limits()), []
        for length in (*lengths, len(octets)):
            piece, octets = octets[:length], octets[length:]
            reader.feed(piece)
            while (request := reader.next()) is not None:
                seen.append((request.target, request.http10))
        assert seen == [(b"/1", False), (b"/2", True)]
        assert not reader.begun

    def test_an_offer_to_upgrade_is_passed_over(self) -> None:
        """RFC 9110 section 7.8: a server may ignore it."""
        assert one(b"GET / HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: h2c").keep_alive

    @pytest.mark.parametrize("method", [b"DELETE", b"OPTIONS", b"BREW", b"get", b"M-SEARCH", b"X!"])
    def test_any_token_is_a_method(self, method: bytes) -> None:
        request = one(method + b" / HTTP/1.1", HOST)
        assert (request.method, request.host) == (method, b"mta-sts.um.example")


class TestTarget:
    """RFC 9112 section 3.2: origin-form, absolute-form (whose authority stands above Host), authority-form, `*`."""

    def test_absolute_form(self) -> None:
        request = one(b"GET https://Other.Example:8443" + PATH + b" HTTP/1.1", HOST)
        assert (request.target, request.host) == (PATH, b"other.example")

    def test_absolute_form_without_a_path(self) -> None:
        assert one(b"GET https://mta-sts.um.example HTTP/1.1", HOST).target == b"/"

    def test_asterisk_form(self) -> None:
        assert one(b"OPTIONS * HTTP/1.1", HOST).target == b"*"

    def test_authority_form(self) -> None:
        request = one(b"CONNECT mx.um.example:25 HTTP/1.1", HOST)
        assert (request.target, request.host) == (b"mx.um.example:25", b"mx.um.example")

    def test_an_encoded_target_is_not_decoded(self) -> None:
        assert one(b"GET /%2ewell-known//x?a=%20b HTTP/1.1", HOST).target == b"/%2ewell-known//x?a=%20b"

    def test_another_scheme_is_misdirected(self) -> None:
        """RFC 9110 section 7.4: the scheme of the connection is https."""
        assert refused(head(b"GET http://mta-sts.um.example/ HTTP/1.1", HOST)) == HTTPStatus.MISDIRECTED_REQUEST

    @pytest.mark.parametrize(
        "target",
        [
            b"x",
            b"/a#b",
            b"/%00",
            b"/a?b=%00",
            b"/%zz",
            b"/%",
            b'/"',
            b"/a|b",
            b"/\\..",
            b"/\x00",
            b"/\xff",
            b"https://",
            b"https:///x",
            b"https://user@mta-sts.um.example/",
            b"https://mta-sts.um.example/%00",
            b"mx.um.example:25",
        ],
    )
    def test_no_target(self, target: bytes) -> None:
        assert refused(head(b"GET " + target + b" HTTP/1.1", HOST)) == HTTPStatus.BAD_REQUEST


class TestHost:
    """RFC 9112 section 3.2: none, more than one, or one that is no host is 400; HTTP/1.0 may have none."""

    @pytest.mark.parametrize("value", [b"MTA-STS.um.example", b"mta-sts.um.example:8443", b"mta-sts.um.example.:"])
    def test_case_port_and_final_dot_do_not_matter(self, value: bytes) -> None:
        assert one(b"GET / HTTP/1.1", b"Host: " + value).host == b"mta-sts.um.example"

    def test_http10_may_have_none(self) -> None:
        assert one(b"GET / HTTP/1.0").host is None

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            [HOST, HOST],
            [HOST, b"Host: other.example"],
            [b"Host:"],
            [b"Host: a b"],
            [b"Host: a, b"],
            [b"Host: a/b"],
            [b"Host: a@b"],
            [b"Host: a:b"],
            [b"Host: a:123456"],
            [b"Host: \xc3\xa9.example"],
            [b"Host: " + b"a" * 300],
        ],
    )
    def test_no_host(self, lines: list[bytes]) -> None:
        assert refused(head(b"GET / HTTP/1.1", *lines)) == HTTPStatus.BAD_REQUEST

    def test_two_are_too_many_in_http10_as_well(self) -> None:
        assert refused(head(b"GET / HTTP/1.0", HOST, HOST)) == HTTPStatus.BAD_REQUEST


class TestKeepAlive:
    """RFC 9112 section 9.3: HTTP/1.1 goes on unless it says close, HTTP/1.0 only if it says keep-alive."""

    @pytest.mark.parametrize(
        ("version", "options", "kept"),
        [
            (b"1.1", [], True),
            (b"1.1", [b"close"], False),
            (b"1.1", [b"TE, Close"], False),
            (b"1.1", [b"TE", b"close"], False),
            (b"1.0", [], False),
            (b"1.0", [b"Keep-Alive"], True),
            (b"1.0", [b"keep-alive, close"], False),
        ],
    )
    def test_it_is_kept_as_said(self, version: bytes, options: list[bytes], kept: bool) -> None:
        lines = [b"Connection: " + option for option in options]
        assert one(b"GET / HTTP/" + version, HOST, *lines).keep_alive is kept


class TestContent:
    """RFC 9112 section 6: a length that is unclear is 400; content that nobody wants is refused, never taken for a request."""

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
            ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], 400),
            ([b"Content-Length: 5", b"Content-Length: 6"], 400),
            ([b"Content-Length: 5, 5"], 400),
            ([b"Content-Length: +5"], 400),
            ([b"Content-Length: 0x5"], 400),
            ([b"Content-Length: -1"], 400),
            ([b"Content-Length: 99999999999999999999999"], 400),
            ([b"Content-Length: " + b"0" * 4_300 + b"5"], 400),
            ([b"Transfer-Encoding: gzip"], 400),
            ([b"Transfer-Encoding: xchunked"], 400),
            ([b"Transfer-Encoding: chunked"], 411),
            ([b"Content-Length: 5"], 413),
            ([b"Content-Length: 05", b"Expect: 100-continue"], 413),
        ],
    )
    def test_refused(self, lines: list[bytes], status: int) -> None:
        assert refused(head(b"GET / HTTP/1.1", HOST, *lines) + head(b"GET /smuggled HTTP/1.1", HOST)) == status

    def test_a_transfer_coding_in_http10_is_no_less_refused(self) -> None:
        """RFC 9112 section 6.1: its framing is faulty."""
        assert refused(head(b"GET / HTTP/1.0", HOST, b"Transfer-Encoding: chunked")) == HTTPStatus.LENGTH_REQUIRED

    def test_no_content_at_all_is_fine(self) -> None:
        assert one(b"POST / HTTP/1.1", HOST, b"Content-Length: 0").method == b"POST"


class TestMalformed:
    """RFC 9112 sections 2.2 and 5: what is not built like a request is 400, at once where no more octets can mend it."""

    @pytest.mark.parametrize(
        "octets",
        [
            head(b"GET /"),
            head(b"GET  / HTTP/1.1", HOST),
            head(b"GET / HTTP/1.1 ", HOST),
            head(b" GET / HTTP/1.1", HOST),
            head(b"GET\t/\tHTTP/1.1", HOST),
            head(b"GET / http/1.1", HOST),
            head(b"GET / RTSP/1.0", HOST),
            head(b"GET /a b HTTP/1.1", HOST),
            head(b"G\x00T / HTTP/1.1", HOST),
            head(b"(GET) / HTTP/1.1", HOST),
            head(b"GET / HTTP/1.1", b"Host : a"),
            head(b"GET / HTTP/1.1", HOST, b" folded"),
            head(b"GET / HTTP/1.1", b" X: a", HOST),
            head(b"GET / HTTP/1.1", HOST, b"X"),
            head(b"GET / HTTP/1.1", HOST, b": x"),
            head(b"GET / HTTP/1.1", HOST, b"X\xff: a"),
            head(b"GET / HTTP/1.1", HOST, b"X: a\x00b"),
            head(b"GET / HTTP/1.1", HOST, b"X: a\rb"),
            head(b"BREW / HTTP/1.1", HOST, b"X"),
            b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        ],
    )
    def test_400(self, octets: bytes) -> None:
        assert refused(octets) == HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\nHost: a\n\n", b"\n", b"GET / HTTP/1.1\r\nX: a\nb"])
    def test_a_line_feed_alone_is_400_before_the_end(self, octets: bytes) -> None:
        assert refused(octets) == HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"3.0", b"9.9"])
    def test_another_version_is_505(self, version: bytes) -> None:
        octets = head(b"GET / HTTP/" + version, HOST)
        assert refused(octets) == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED

    def test_the_preface_of_http2_is_505(self) -> None:
        assert refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED


class TestBounds:
    """RELIABILITY section 4: a head of more than 8 KiB is 431, a target too long 414, and neither is waited for."""

    def test_a_head_at_the_limit(self) -> None:
        octets = head(b"GET / HTTP/1.1", HOST, b"X: " + b"x" * (8192 - 49))
        assert len(octets) == 8192
        assert len(read(octets)) == 1

    def test_a_head_beyond_it_is_431(self) -> None:
        octets = head(b"GET / HTTP/1.1", HOST, b"X: " + b"x" * (8192 - 48))
        assert refused(octets) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        assert refused(octets[:-4] + b"xxxx") == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def test_many_fields_are_bounded_by_their_octets(self) -> None:
        octets = head(b"GET / HTTP/1.1", HOST, *[b"A: b"] * 2000)
        assert refused(octets) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def test_a_long_target_is_414(self) -> None:
        assert len(read(head(b"GET /" + b"x" * 2047 + b" HTTP/1.1", HOST))) == 1
        assert refused(head(b"GET /" + b"x" * 2048 + b" HTTP/1.1", HOST)) == HTTPStatus.REQUEST_URI_TOO_LONG

    @pytest.mark.parametrize("end", [b"#", b"%", b"%0", b"|", b"\xff", b"?#"])
    @pytest.mark.parametrize("start", [b"/", b"/?", b"https://a/", b"https://", b"*"])
    def test_a_target_that_is_wrong_at_its_end_takes_no_longer(self, start: bytes, end: bytes) -> None:
        """However an expression is written, what it does with hostile octets is in proportion to their number."""
        for filling in (b"a", b"%41", b"/", b"a%41/"):
            target = start + filling * (2000 // len(filling)) + end
            assert refused(head(b"GET " + target + b" HTTP/1.1", HOST)) == HTTPStatus.BAD_REQUEST

    def test_a_request_line_without_end_is_414(self) -> None:
        assert refused(b"GET /" + b"x" * 8192) == HTTPStatus.REQUEST_URI_TOO_LONG
        assert refused(head(b"GET /" + b"x" * 9000 + b" HTTP/1.1", HOST)) == HTTPStatus.REQUEST_URI_TOO_LONG

    def test_what_comes_before_is_not_counted(self) -> None:
        octets = head(b"GET / HTTP/1.1", HOST, b"X: " + b"x" * 5000)
        assert len(read(octets * 3)) == 3


class TestNothingElse:
    """No octets raise anything but Refused."""

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        self._harmless(octets)
        self._harmless(octets + b"\r\n\r\n")

    @given(st.integers(0, 120), st.binary(max_size=3), st.integers(0, 3))
    def test_a_damaged_request(self, at: int, inserted: bytes, cut: int) -> None:
        octets = head(b"GET https://mta-sts.um.example" + PATH + b" HTTP/1.1", HOST, b"Content-Length: 0")
        self._harmless(octets[:at] + inserted + octets[at + cut :])

    @staticmethod
    def _harmless(octets: bytes) -> None:
        try:
            requests = read(octets)
        except Refused as refusal:
            assert refusal.http_status in set(HTTPStatus)  # noqa: PT017
            return
        assert all(request.target for request in requests)


class TestResponse:
    """RFC 9110 sections 6.6.1 and 8: a date, a type, a length; HEAD has everything but the content."""

    def test_all_of_it(self) -> None:
        octets = encode(response(HTTPStatus.OK, b"body\r\n", b"X-More: 1"), b"GET", http1.NOTHING)
        date = re.search(rb"\r\nDate: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)\r\n", octets)
        assert date is not None
        assert octets == (
            b"HTTP/1.1 200 OK\r\nDate: " + date[1] + b"\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n"
            b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-More: 1\r\n\r\nbody\r\n"
        )

    def test_head_is_the_same_without_content(self) -> None:
        made = response(HTTPStatus.OK, b"body\r\n")
        assert encode(made, b"HEAD", http1.NOTHING) + b"body\r\n" == encode(made, b"GET", http1.NOTHING)

    def test_what_becomes_of_the_connection(self) -> None:
        assert b"\r\nConnection: close\r\n" in encode(plain(404))
        assert b"\r\nConnection: keep-alive\r\n" in encode(plain(404), b"GET", http1.KEEP_ALIVE)
        assert b"\r\nConnection:" not in encode(plain(404), b"GET", http1.NOTHING)

    @pytest.mark.parametrize("status", [400, 404, 405, 408, 411, 413, 414, 421, 431, 505])
    def test_each_status_says_its_own_words(self, status: int) -> None:
        words = f"{status} {HTTPStatus(status).phrase}\r\n".encode()
        assert encode(plain(status)).startswith(b"HTTP/1.1 " + words)
        assert encode(plain(status)).endswith(b"\r\n\r\n" + words)
