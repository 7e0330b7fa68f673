"""What the tenants publish: a policy that tells its number and whose it is, in every octet known beforehand."""

from __future__ import annotations

import re
from hashlib import sha256

MAX_AGE = 86400
_NUMBER = re.compile(rb"\r\nmx: v([0-9]+)\.")
_MOST = 5000


def mode(number: int) -> str:
    """Every third is enforced."""
    return "enforce" if number % 3 == 2 else "testing"


def body(name: str, number: int) -> bytes:
    """The policy file (RFC 8461 section 3.2)."""
    return f"version: STSv1\r\nmode: {mode(number)}\r\nmx: v{number}.{name}\r\nmax_age: {MAX_AGE}\r\n".encode()


def number_in(name: str, served: bytes) -> int | None:
    """The number of the policy that is served; None: it is none of this tenant's."""
    found = _NUMBER.search(served)
    number = int(found[1]) if found else -1
    return number if served == body(name, number) else None


class Ids:
    """Which number the id of a domain belongs to: an id ends with the beginning of the body's hash."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._known: dict[str, int] = {}

    def number(self, name: str, policy_id: str) -> int | None:
        """None: no policy of this domain has it."""
        key = (name, policy_id[-8:])
        while key not in self._numbers and self._known.get(name, 0) < _MOST:
            self._learn(name)
        return self._numbers.get(key)

    def _learn(self, name: str) -> None:
        begin = self._known.get(name, 0)
        for number in range(begin, begin + 100):
            self._numbers[name, sha256(body(name, number)).hexdigest()[:8]] = number
        self._known[name] = begin + 100
