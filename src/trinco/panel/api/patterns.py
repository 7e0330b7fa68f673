"""`mx` lists as they are sent: each pattern in its canonical form, each once."""

from __future__ import annotations

from collections.abc import Sequence

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts import mx as mx_patterns
from trinco.panel.api.bodies import refused


def patterns(sent: Sequence[str], pointer: str = "/mx") -> tuple[str, ...]:
    """Raises Problem 422 that names the place."""
    return tuple(dict.fromkeys(_pattern(text, f"{pointer}/{number}") for number, text in enumerate(sent)))


def _pattern(text: str, pointer: str) -> str:
    try:
        return mx_patterns.pattern(text)
    except PolicySyntaxError:
        raise refused(pointer, "It is not a host name, nor a pattern such as *.example.com.") from None
