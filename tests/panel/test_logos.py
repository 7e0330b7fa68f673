"""Logos: only pixels come through, within bounds."""

from __future__ import annotations

import contextlib
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, PngImagePlugin
from tests.support_labels import drawn

from trinco.panel.accounts import logos
from trinco.panel.accounts.errors import LogoFault, LogoRefused


def fault(data: bytes) -> LogoFault:
    with pytest.raises(LogoRefused) as refused:
        logos.picture(data)
    return refused.value.fault


def claimed(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def in_scans(count: int) -> bytes:
    """A progressive JPEG of nothing that goes through its pixels so often."""

    def segment(mark: int, body: bytes) -> bytes:
        return bytes([0xFF, mark]) + struct.pack(">H", len(body) + 2) + body

    size = struct.pack(">BHHB", 8, 80, 80, 1) + b"\x01\x11\x00"
    codes = [segment(0xC4, bytes([kind, 1, *[0] * 15, word])) for kind, word in ((0x00, 0x00), (0x10, 0x60))]
    first = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(13)
    again = segment(0xDA, b"\x01\x01\x00\x01\x3f\x10") + b"\x48\x7f"
    head = b"\xff\xd8" + segment(0xDB, b"\x00" + b"\x01" * 64) + segment(0xC2, size)
    return head + b"".join(codes) + first + again * (count - 1) + b"\xff\xd9"


class TestTaken:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_written_anew_as_a_small_png(self, kind: str) -> None:
        kept = logos.picture(drawn(kind, (1200, 400)))
        with Image.open(BytesIO(kept.png)) as image:
            assert (image.format, image.size, image.mode, image.info) == ("PNG", (288, 96), "RGBA", {})

    def test_nothing_but_pixels_comes_through(self) -> None:
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "<script>alert(1)</script>")
        out = BytesIO()
        Image.new("RGB", (10, 10)).save(out, "PNG", pnginfo=text)
        kept = logos.picture(out.getvalue() + b"<script>alert(2)</script>")
        assert b"script" not in kept.png

    def test_the_same_picture_has_the_same_address(self) -> None:
        first = logos.picture(drawn())
        assert logos.picture(first.png) == first
        assert len(first.digest) == 64


class TestRefused:
    def test_pixels_that_are_gone_through_thousands_of_times(self) -> None:
        assert logos.picture(in_scans(logos.MOST_SCANS)).png
        assert fault(in_scans(logos.MOST_SCANS + 1)) is LogoFault.GARBAGE

    @pytest.mark.parametrize(
        "data",
        [
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            b"\xef\xbb\xbf<?xml version='1.0'?><svg/>",
            b"  <!-- x --><svg/>",
            b"<!DOCTYPE svg>",
        ],
    )
    def test_a_drawing(self, data: bytes) -> None:
        assert fault(data) == LogoFault.DRAWING

    def test_more_octets_than_are_read(self) -> None:
        assert fault(b"\x89PNG" + bytes(logos.MOST_OCTETS)) == LogoFault.TOO_LARGE

    @pytest.mark.parametrize("size", [(2001, 2000), (12_000, 9_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_more_pixels_than_are_unpacked(self, size: tuple[int, int]) -> None:
        assert fault(claimed(*size)) == LogoFault.TOO_MANY_PIXELS

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_one_that_moves(self, kind: str) -> None:
        frames, out = [Image.new("RGB", (9, 9), shade) for shade in ("red", "blue")], BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        assert fault(out.getvalue()) == LogoFault.MOVES

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
    def test_other_formats_of_the_library(self, kind: str) -> None:
        assert fault(drawn(kind, (16, 16))) == LogoFault.KIND

    @pytest.mark.parametrize("data", [b"", b"x", b"GIF89a", b"%PDF-1.4", b"<html>"])
    def test_no_picture(self, data: bytes) -> None:
        assert fault(data) == LogoFault.KIND

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_one_that_is_cut_never_escapes(self, kind: str) -> None:
        whole = drawn(kind, (64, 64))
        for end in range(0, len(whole) - 1, max(1, len(whole) // 40)):
            with contextlib.suppress(LogoRefused):  # of what lacks the last octets alone the pixels may be whole
                logos.picture(whole[:end])
