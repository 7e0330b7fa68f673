"""gzip and zip around a report: RFC 8460 section 5.2, RFC 1952."""

import gzip
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.tlsrpt.made import complaint, document, octets, packed, report, zipped

from trinco.core.errors import InputError, ReportSyntaxError, TooLarge
from trinco.core.tlsrpt.archive import MAX_MEMBERS, MAX_PACKED, gunzip, unzip
from trinco.core.tlsrpt.parse import reports

BODY = octets(document())


class TestGzip:
    """RFC 1952 section 2.2: a file is members, one after the other; what they hold is put together."""

    def test_one_member(self):
        assert gunzip(packed(b"abc")) == b"abc"
        assert reports(packed(BODY)) == [report()]

    def test_several(self):
        assert gunzip(packed(b"ab", b"", b"c")) == b"abc"
        assert reports(packed(BODY[:100], BODY[100:])) == [report()]

    def test_header_fields_are_passed_over(self):
        named = b"\x1f\x8b\x08\x18" + b"\0" * 6 + b"../../name\0comment\0" + packed(b"abc")[10:]
        assert gunzip(named) == b"abc"

    @pytest.mark.parametrize("rest", [b"\0" * 512, b"\n", b"junk", b"\x1f", b"PK\x03\x04"])
    def test_mimecast_has_something_after_the_last_member(self, rest):
        assert gunzip(packed(b"abc") + rest) == b"abc"

    @pytest.mark.parametrize(
        "data", [packed(b"abc")[:-1], packed(b"abc")[:12], packed(b"abc")[:2], packed(b"a", b"b")[:-9]]
    )
    def test_cut_off(self, data):
        with pytest.raises(ReportSyntaxError) as caught:
            gunzip(data)
        assert caught.value.reason == "gzip that is cut off"

    @pytest.mark.parametrize("at", [2, 12, -8, -1])
    def test_damaged(self, at):
        data = bytearray(packed(b"abc" * 100))
        data[at] ^= 0xFF
        with pytest.raises(ReportSyntaxError) as caught:
            gunzip(bytes(data))
        assert caught.value.reason in {"damaged gzip", "gzip that is cut off"}

    def test_no_more_members_than(self):
        assert gunzip(packed(*[b"a"] * MAX_MEMBERS)) == b"a" * MAX_MEMBERS
        with pytest.raises(TooLarge) as caught:
            gunzip(packed(*[b""] * (MAX_MEMBERS + 1)))
        assert caught.value.reason == "more than 16 members"

    def test_no_more_octets_in_than(self):
        with pytest.raises(TooLarge) as caught:
            gunzip(packed(b"abc") + b"\0" * MAX_PACKED)
        assert caught.value.reason == "larger than 10485760 octets packed"

    def test_no_more_octets_out_than_there_is_room_for(self):
        assert gunzip(packed(b"a" * 60, b"b" * 40), 100) == b"a" * 60 + b"b" * 40
        for members in ([b"a" * 101], [b"a" * 60, b"b" * 41]):
            with pytest.raises(TooLarge) as caught:
                gunzip(packed(*members), 100)
            assert caught.value.reason == "larger than 20971520 octets unpacked"

    @pytest.mark.parametrize("inner", [packed(BODY), zipped(BODY)])
    @pytest.mark.parametrize("outer", [packed, zipped])
    def test_one_layer(self, inner, outer):
        with pytest.raises(ReportSyntaxError) as caught:
            reports(outer(inner))
        assert caught.value.reason == "packed twice: one layer is read"

    def test_what_else_may_be_inside(self):
        for content, reason in (
            (b"<feedback/>", "XML, as"),
            (b"", "not JSON"),
            (b"\0\0", "not UTF-8"),
            (b"From: x", "not"),
        ):
            with pytest.raises(ReportSyntaxError) as caught:
                reports(packed(content))
            assert caught.value.reason.startswith(reason)

    @given(st.binary())
    def test_any_octets(self, data):
        assert gunzip(gzip.compress(data)) == data
        for broken in (data, b"\x1f\x8b" + data, b"\x1f\x8b\x08\0\0\0\0\0\0\3" + data):
            assert complaint(gunzip, broken).isprintable()


class TestZip:
    """All members are read, none is looked up by its name, nothing is written anywhere."""

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_members_in_their_order(self, method):
        second = octets(document(report_id="2"))
        assert unzip(zipped(BODY, b"", second, method=method)) == [BODY, second]
        assert reports(zipped(BODY, second, method=method)) == [report(), report(report_id="2")]

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_methods(self, method):
        """A header of LZMA can ask for 4 GiB of memory."""
        with pytest.raises(ReportSyntaxError) as caught:
            unzip(zipped(BODY, method=method))
        assert caught.value.reason == "a zip that is encrypted, or packed in another way than most"

    def test_encrypted(self):
        data = zipped(BODY)
        at = data.index(b"PK\x01\x02") + 8
        with pytest.raises(ReportSyntaxError):
            unzip(data[:at] + b"\x01" + data[at + 1 :])

    @pytest.mark.parametrize("members", [[], [b""], [b"", b""]])
    def test_empty(self, members):
        with pytest.raises(ReportSyntaxError) as caught:
            unzip(zipped(*members))
        assert caught.value.reason == "an empty zip"

    def test_no_more_members_than(self):
        assert len(unzip(zipped(*[b"a"] * MAX_MEMBERS))) == MAX_MEMBERS
        with pytest.raises(TooLarge) as caught:
            unzip(zipped(*[b""] * (MAX_MEMBERS + 1)))
        assert caught.value.reason == "more than 16 members"

    def test_no_more_octets_in_than(self):
        with pytest.raises(TooLarge):
            unzip(b"PK\x03\x04" + b"\0" * MAX_PACKED)

    def test_no_more_octets_out_than_there_is_room_for(self):
        assert unzip(zipped(b"a" * 60, b"b" * 40), 100) == [b"a" * 60, b"b" * 40]
        for members in ([b"a" * 101], [b"a" * 60, b"b" * 41]):
            with pytest.raises(TooLarge):
                unzip(zipped(*members), 100)

    def test_a_member_that_lies_about_its_size(self):
        data = zipped(b"a" * 1000).replace(struct.pack("<I", 1000), struct.pack("<I", 10))
        with pytest.raises(ReportSyntaxError):
            unzip(data)

    @pytest.mark.parametrize("cut", [4, 30, 60, -1, -22])
    def test_cut_off(self, cut):
        with pytest.raises(ReportSyntaxError) as caught:
            unzip(zipped(BODY)[:cut])
        assert caught.value.reason == "damaged zip"

    @given(st.integers(0, 400), st.binary(min_size=1, max_size=4), st.sampled_from(["stored", "deflated"]))
    def test_damaged(self, at, put, method):
        """Whatever `zipfile` makes of it, it ends in our errors or in what was packed."""
        data = zipped(BODY[:150], b"x" * 50, method=zipfile.ZIP_STORED if method == "stored" else zipfile.ZIP_DEFLATED)
        try:
            members = unzip(data[:at] + put + data[at + len(put) :])
        except InputError:
            return
        assert b"".join(members)

    @given(st.binary())
    def test_any_octets(self, data):
        for broken in (data, b"PK\x03\x04" + data, data + zipped(b"{}"), zipped(b"{}")[:40] + data):
            assert complaint(unzip, broken).isprintable()


def test_the_checksum_is_looked_at():
    data = bytearray(zipped(b"abc", method=zipfile.ZIP_STORED))
    data[data.index(b"abc")] ^= 1
    assert zlib.crc32(b"abc") != zlib.crc32(b"`bc")
    with pytest.raises(ReportSyntaxError):
        unzip(bytes(data))
