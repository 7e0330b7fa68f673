"""Content cut out of octets, without a socket: where it ends is never in doubt."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.report_rig import chunked, head

from trinco.core.errors import Refused
from trinco.edge import content, http1
from trinco.edge.http1 import Reader, Request
from trinco.edge.limits import Limits

LARGEST = 1000


def request(*fields: str, version: str = "1.1") -> Request:
    reader = Reader(Limits(), contents=True)
    reader.feed(head(*fields, version=version))
    made = reader.next()
    assert made is not None
    return made


CHUNKED = request("Transfer-Encoding: chunked")


def read(octets: bytes, asked: Request = CHUNKED, largest: int = LARGEST) -> tuple[bytes, bytes] | None:
    """Content and what follows it; None: more is wanted."""
    coming = content.begin(asked, largest)
    rest = coming.feed(octets)
    return None if rest is None else (coming.taken(), rest)


def refused(octets: bytes, asked: Request = CHUNKED, largest: int = LARGEST) -> int | None:
    with pytest.raises(Refused) as caught:
        read(octets, asked, largest)
    return caught.value.http_status


class TestHead:
    """RFC 9112 section 6: what the head says of content, for a listener that takes some."""

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ((), 0),
            (("Content-Length: 0",), 0),
            (("Content-Length: 000",), 0),
            (("Content-Length: 005",), 5),
            (("Content-Length:\t5 ",), 5),
            (("Transfer-Encoding: chunked",), http1.CHUNKED),
            (("transfer-encoding:  CHUNKED ",), http1.CHUNKED),
        ],
    )
    def test_how_much(self, fields: tuple[str, ...], said: int) -> None:
        assert request(*fields).content == said

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            (("Content-Length: 5", "Transfer-Encoding: chunked"), 400),
            (("Transfer-Encoding: chunked", "Content-Length: 0"), 400),
            (("Content-Length: 5", "Content-Length: 5"), 400),
            (("Content-Length: 5, 5",), 400),
            (("Content-Length: 5x",), 400),
            (("Content-Length: ",), 400),
            (("Content-Length: 18446744073709551616",), 400),
            (("Transfer-Encoding: chunked, gzip",), 400),
            (("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400),
            (("Transfer-Encoding: identity",), 400),
            (("Transfer-Encoding: gzip, chunked",), 501),
            (("Transfer-Encoding: chunked, chunked",), 400),
            (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
            (("Transfer-Encoding: chunked;q=1",), 400),
            (("Transfer-Encoding: \x0bchunked",), 400),
            (("Transfer-Encoding : chunked",), 400),
        ],
    )
    def test_what_is_unclear_or_not_understood(self, fields: tuple[str, ...], status: int) -> None:
        with pytest.raises(Refused) as caught:
            request(*fields)
        assert caught.value.http_status == status


class TestSized:
    """RFC 9112 section 6.3: as many octets as Content-Length says, and what follows is not content."""

    def test_what_follows_is_given_back(self) -> None:
        assert read(b"12345GET /", request("Content-Length: 5")) == (b"12345", b"GET /")

    def test_too_little_is_not_whole(self) -> None:
        assert read(b"1234", request("Content-Length: 5")) is None

    def test_the_largest_and_more(self) -> None:
        assert read(b"x" * LARGEST, request(f"Content-Length: {LARGEST}")) == (b"x" * LARGEST, b"")
        assert refused(b"", request(f"Content-Length: {LARGEST + 1}")) == 413

    def test_where_none_is_wanted(self) -> None:
        assert refused(b"", request("Content-Length: 5"), largest=0) == 413
        assert refused(b"", largest=0) == 411


class TestChunked:
    """RFC 9112 section 7.1: chunks of a said size, a last one of size zero, trailers, an empty line."""

    @pytest.mark.parametrize(
        ("octets", "expected"),
        [
            (b"0\r\n\r\n", b""),
            (b"5\r\n12345\r\n0\r\n\r\n", b"12345"),
            (b"00005\r\n12345\r\n000\r\n\r\n", b"12345"),
            (b"a\r\n1234567890\r\nB\r\n12345678901\r\n0\r\n\r\n", b"1234567890" + b"12345678901"),
            (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
            (b'5;a=b;c="d;e"\r\n12345\r\n0;last\r\n\r\n', b"12345"),
            (b"5 ; a = b\r\n12345\r\n0\r\n\r\n", b"12345"),
            (b"1\r\nx\r\n0\r\nDigest: abc\r\nX:\r\n\r\n", b"x"),
        ],
    )
    def test_whole(self, octets: bytes, expected: bytes) -> None:
        assert read(octets + b"GET /") == (expected, b"GET /")

    @given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.lists(st.integers(1, 20), max_size=60))
    def test_any_chunks_in_any_cutting(self, chunks: list[bytes], lengths: list[int]) -> None:
        octets, coming, rest = chunked(*chunks, trailer=b"A: b\r\n") + b"next", content.begin(CHUNKED, LARGEST), None
        for length in (*lengths, len(octets)):
            piece, octets = octets[:length], octets[length:]
            rest = coming.feed(piece)
            if rest is not None:
                break
        assert (coming.taken(), (rest or b"") + octets) == (b"".join(chunks), b"next")

    @given(st.integers(0, 40))
    def test_nothing_less_is_whole(self, length: int) -> None:
        octets = chunked(b"12345", b"67890", trailer=b"A: b\r\n")
        assert read(octets[: min(length, len(octets) - 1)]) is None

    @pytest.mark.parametrize(
        "octets",
        [
            b"\r\n",
            b"5\n12345\n0\n\n",
            b"5\r\n12345\n0\r\n\r\n",
            b"5\r\n123456\r\n0\r\n\r\n",
            b"5\r\n1234\r\n0\r\n\r\n",
            b"5\r\n12345\r\n0\r\n\n",
            b"5\r\n12345\r\n0\r\nX: a\nb: c\r\n\r\n",
            b"5\r\n12345\r\n0\r\nX: a\rb\r\n\r\n",
            b"5\r\n12345\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
            b"5\r\n12345\r\n0\r\n folded\r\n\r\n",
            b"5\r\n12345\r\n0\r\nX : a\r\n\r\n",
            b"+5\r\n12345\r\n",
            b"-5\r\n12345\r\n",
            b"0x5\r\n12345\r\n",
            b"5 \r\n12345\r\n",
            b" 5\r\n12345\r\n",
            b"5\t\r\n12345\r\n",
            b"g\r\n",
            b"5_0\r\n",
            b"\xd9\xa5\r\n",
            b"5;a\rb\r\n12345\r\n",
            b"5;a\x00b\r\n12345\r\n",
            b"5,5\r\n12345\r\n",
            b"00000000000000005\r\n12345\r\n",
        ],
    )
    def test_what_two_readers_could_read_differently(self, octets: bytes) -> None:
        assert refused(octets) == 400

    def test_in_http10_the_framing_is_faulty(self) -> None:
        """RFC 9112 section 6.1."""
        assert refused(b"", request("Transfer-Encoding: chunked", version="1.0")) == 400


class TestBounds:
    """Nothing is waited for that is too much already, and lines cost no more time than content would."""

    def test_the_largest_and_more(self) -> None:
        assert read(chunked(b"x" * 600, b"x" * 400)) == (b"x" * LARGEST, b"")
        assert refused(b"258\r\n" + b"x" * 600 + b"\r\n191\r\n") == 413

    @pytest.mark.parametrize("size", [b"3e9", b"ffffffff", b"ffffffffffffffff"])
    def test_a_size_is_enough(self, size: bytes) -> None:
        assert refused(size + b"\r\n") == 413

    @pytest.mark.parametrize("octets", [b"5;" + b"x" * 1023, b"5" * 1025, b"5\r\n12345" + b"x" * 1025])
    def test_a_long_line_is_not_waited_for(self, octets: bytes) -> None:
        assert refused(octets) == 400

    def test_trailers(self) -> None:
        assert read(chunked(b"x", trailer=b"A: bcdef\r\n" * 800)) == (b"x", b"")
        assert refused(chunked(b"x", trailer=b"A: bcdef\r\n" * 900)) == 400
        assert refused(chunked(b"x" * 100_000, trailer=b"A: bcdef\r\n" * 900), largest=100_000) == 400

    def test_many_tiny_chunks_are_cut_off(self) -> None:
        tiny = b"1\r\nx\r\n" * 12_000
        assert read(tiny + b"0\r\n\r\n", largest=100_000) == (b"x" * 12_000, b"")
        assert refused(tiny * 3, largest=100_000) == 400

    def test_extensions_are_cut_off(self) -> None:
        assert refused((b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 70) == 400

    def test_ten_megabytes_in_the_smallest_chunks_that_are_taken(self) -> None:
        """Proportional time: some tenths of a second of it in all, never more than a few milliseconds at once."""
        octets = b"30\r\n" + b"x" * 48 + b"\r\n"
        coming, size, began, longest = content.begin(CHUNKED, 10 * 1024 * 1024), 0, time.process_time(), 0.0
        while size < 2 * 1024 * 1024:
            at = time.process_time()
            coming.feed(octets * 300)
            longest = max(longest, time.process_time() - at)
            size += 48 * 300
        assert coming.size == size
        assert (time.process_time() - began < 5, longest < 0.5) == (True, True)


class TestNothingElse:
    """No octets raise anything but Refused."""

    @given(st.binary(max_size=80))
    def test_garbage(self, octets: bytes) -> None:
        self._harmless(octets)
        self._harmless(b"5\r\n" + octets)
        self._harmless(b"0\r\n" + octets)

    @given(st.integers(0, 60), st.binary(max_size=3), st.integers(0, 3))
    def test_damaged_chunks(self, at: int, inserted: bytes, cut: int) -> None:
        octets = chunked(b"12345", b"x" * 20, trailer=b"A: b\r\n")
        self._harmless(octets[:at] + inserted + octets[at + cut :])

    @staticmethod
    def _harmless(octets: bytes) -> None:
        try:
            read(octets)
        except Refused as refusal:
            assert refusal.http_status in (400, 413)  # noqa: PT017
