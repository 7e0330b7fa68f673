"""The accent colour of a label, held to WCAG 2.2 AA (success criteria 1.4.3 and 1.4.11), in both themes.

A person gives one colour. In light it is taken as it is, or refused: it has to be read as text on every surface, and
white has to be read on it. No colour does that on white and on near black at once, so in dark it is mixed with white
until it can be read there, as the house's own blue is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from trinco.panel.accounts.errors import AccentSyntaxError, AccentTooFaint

TEXT: Final = 4.5
"""Contrast that text needs; what is no text needs 3, which is less."""
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_STEPS: Final = 256
_WEAK = {"light": 0.93, "dark": 0.90}
_LINEAR_BELOW = 0.04045

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """What a theme puts around the accent: what it stands on, what is written on it, what is written on its weak form,
    and which end of the scale leads away from the surfaces."""

    name: str
    surfaces: tuple[str, ...]
    on_accent: str
    on_weak: tuple[str, ...]
    away: str


LIGHT: Final = Theme(
    "light", ("#f6f7f9", "#ffffff", "#f9fafb", "#eef1f5"), "#ffffff", ("#121826", "#465065", "#606b80"), "#000000"
)
DARK: Final = Theme(
    "dark", ("#0d1118", "#151b25", "#1a212d", "#222b39"), "#0b1326", ("#eef2f8", "#b6c0d1", "#8e9ab0"), "#ffffff"
)


@dataclass(frozen=True, slots=True)
class Shades:
    """The accent in one theme: itself, under the pointer, as a ground, and what is written on it."""

    accent: str
    hover: str
    weak: str
    on_accent: str


def parse(text: str) -> str:
    """`#2f5bd7` for what was typed as a colour in hex, with three digits or six. Raises AccentSyntaxError."""
    found = _HEX.fullmatch(text.strip())
    if found is None:
        raise AccentSyntaxError("not a colour in hexadecimal", source=text)
    digits = found[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))


def require(accent: str) -> None:
    """Raises AccentTooFaint, with the nearest colour that can be read, where this one cannot."""
    if not passes(accent, LIGHT):
        raise AccentTooFaint(accent, least(accent, LIGHT), nearest(accent, LIGHT))


def shades(accent: str) -> tuple[Shades, Shades]:
    """In light, and in dark. The colour is one that `require` lets through."""
    return _shades(accent, LIGHT), _shades(nearest(accent, DARK), DARK)


def passes(accent: str, theme: Theme) -> bool:
    """Whether everything that the pages write in it, and on it, can be read in this theme."""
    return least(accent, theme) >= TEXT


def least(accent: str, theme: Theme) -> float:
    """The faintest of all contrasts that the accent takes part in."""
    made = _shades(accent, theme)
    below = (contrast(accent, ground) for ground in (*theme.surfaces, made.weak))
    above = (contrast(ground, theme.on_accent) for ground in (accent, made.hover))
    return min(*below, *above, *(contrast(ink, made.weak) for ink in theme.on_weak))


@lru_cache(maxsize=1024)
def nearest(accent: str, theme: Theme) -> str:
    """The colour itself where it passes, or else the first that does on the way to black, or in dark to white: of the
    same hue."""
    mixed = (mix(accent, theme.away, step / _STEPS) for step in range(_STEPS + 1))
    return next(colour for colour in mixed if passes(colour, theme))


def contrast(one: str, other: str) -> float:
    """From 1 to 21 (WCAG 2.2, "contrast ratio")."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """So much of the other colour, 0 to 1, in the first."""
    pairs = zip(_rgb(one), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def stylesheet(accent: str, selector: str = ":root") -> str:
    """The tokens of the pages in this colour."""
    names = {"brand": "accent", "brand-h": "hover", "brand-weak": "weak", "on-brand": "on_accent"}
    light, dark = shades(accent)
    tokens = (
        f"--{token}: light-dark({getattr(light, field)}, {getattr(dark, field)})" for token, field in names.items()
    )
    return f"{selector} {{ {'; '.join(tokens)} }}\n"


def fingerprint(sheet: str) -> str:
    """By which a style sheet is known in its address: another one has another."""
    return hashlib.sha256(sheet.encode()).hexdigest()[:12]


def _shades(accent: str, theme: Theme) -> Shades:
    hover = mix(accent, theme.away, 0.16)
    return Shades(accent, hover, mix(accent, theme.surfaces[1], _WEAK[theme.name]), theme.on_accent)


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= _LINEAR_BELOW else ((channel + 0.055) / 1.055) ** 2.4
