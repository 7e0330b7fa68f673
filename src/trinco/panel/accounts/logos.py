"""Logos: what a stranger's file becomes before it is kept. Only pixels come through.

A file is decoded by Pillow, as PNG, JPEG or WebP alone, within bounds that are known before its pixels are unpacked,
made as small as it is shown, and written anew as PNG: no text, no profile, no second frame, nothing behind the end.
A drawing (SVG) is a program for a browser, and is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from trinco.panel.accounts.errors import LogoFault, LogoRefused

MOST_OCTETS: Final = 512 * 1024
MOST_PIXELS: Final = 4_000_000
SHOWN: Final = (480, 96)
"""Pixels across and down that are kept: twice of what a page shows."""
MOST_SCANS: Final = 100
"""Of a JPEG, which has ten: each is a walk through all pixels, and needs sixteen octets."""
_JPEG, _SCAN = b"\xff\xd8", b"\xff\xda"
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_DRAWING = re.compile(rb"\A\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!DOCTYPE|!--|svg)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picture:
    """A logo as it is kept: PNG, and the SHA-256 of it in hex."""

    png: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.png).hexdigest()


def picture(data: bytes) -> Picture:
    """What is kept of a file. Raises LogoRefused."""
    if len(data) > MOST_OCTETS:
        raise LogoRefused(LogoFault.TOO_LARGE)
    if _DRAWING.match(data):
        raise LogoRefused(LogoFault.DRAWING)
    if data.startswith(_JPEG) and data.count(_SCAN) > MOST_SCANS:
        raise LogoRefused(LogoFault.GARBAGE)
    try:
        return _made(data)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise LogoRefused(LogoFault.TOO_MANY_PIXELS) from None
    except UnidentifiedImageError:
        raise LogoRefused(LogoFault.KIND) from None
    except (OSError, ValueError, SyntaxError, OverflowError, EOFError, TypeError, IndexError, KeyError):
        raise LogoRefused(LogoFault.GARBAGE) from None  # what Pillow raises, by format, for a file that is cut or wrong


def _made(data: bytes) -> Picture:
    with Image.open(BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise LogoRefused(LogoFault.TOO_MANY_PIXELS)
        if getattr(image, "n_frames", 1) > 1:
            raise LogoRefused(LogoFault.MOVES)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    upright.thumbnail(SHOWN, Image.Resampling.LANCZOS)
    clean = Image.new("RGBA", upright.size)
    clean.paste(upright)
    out = BytesIO()
    clean.save(out, "PNG", optimize=True)
    return Picture(out.getvalue())
