"""What the listeners of an edge have done since they began: plain numbers, counted in passing and read when asked for.

Nothing is locked and nothing is formatted here: an addition is all that an answer pays. No name of a domain is kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

SILENCE: Final = 16
"""Place behind the sixteen codes of a DNS header (RFC 1035 section 4.1.1): messages that got no answer."""


def rcodes() -> list[int]:
    """A row of counters, by response code; the last one for `SILENCE`."""
    return [0] * (SILENCE + 1)


class Tally:
    """Of one HTTPS listener. It belongs to its event loop."""

    __slots__ = ("fenced", "handshakes", "handshakes_failed", "hellos_refused", "statuses")

    def __init__(self) -> None:
        self.handshakes = 0
        """Done."""
        self.handshakes_failed = 0
        """Broken off after the hello, by either side."""
        self.hellos_refused = 0
        """For a name that is not served here, or none; for what is no hello."""
        self.fenced = 0
        """Not answered, since this edge might have been behind."""
        self.statuses: Counter[bytes] = Counter()
        """Responses by their status line."""
