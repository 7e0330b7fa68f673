"""The policy file (RFC 8461 section 3.2): the value, reading it, writing it, and saying what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from types import MappingProxyType

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts import mx as mx_patterns
from trinco.core.mtasts.faults import KINDS
from trinco.core.remarks import Fault, Remark, first_fatal, reason, remarks_of, shown

MAX_AGE_LIMIT = 31_557_600
"""Seconds: the most that `max_age` may say (one year)."""

MAX_OCTETS = 65_536
"""Octets: the size that section 3.3 suggests as the most of a policy."""

_FIELD = re.compile(
    r"(?P<key>[A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*"
    r"(?P<value>[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?)[ \t]*"
)
_MAX_AGE = re.compile(r"[0-9]{1,10}")


class Mode(StrEnum):
    """What a sender does when a message cannot be delivered as the policy wants (section 5)."""

    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"


DEFAULT_MAX_AGE: Mapping[Mode, int] = MappingProxyType({Mode.NONE: 86_400, Mode.TESTING: 86_400, Mode.ENFORCE: 604_800})
"""Seconds that a mode begins with: short while it is tried and on the way out, a week where it protects."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that may be published. `mx` are patterns in lower-case A-labels, in file order; `max_age` is seconds.

    Valid from birth: PolicySyntaxError otherwise. A max_age over 31557600 is refused here; `parse` caps it.
    """

    mode: Mode
    mx: tuple[str, ...]
    max_age: int

    def __post_init__(self) -> None:
        if self.mode not in tuple(Mode):
            raise PolicySyntaxError("mode is none, testing or enforce")
        if not isinstance(self.mx, list | tuple) or not all(isinstance(pattern, str) for pattern in self.mx):
            raise PolicySyntaxError("mx is a sequence of patterns")
        if type(self.max_age) is not int or not 0 <= self.max_age <= MAX_AGE_LIMIT:
            raise PolicySyntaxError(f"max_age is a number of seconds from 0 to {MAX_AGE_LIMIT}")
        _refuse_patterns(self)
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "mx", tuple(pattern.lower() for pattern in self.mx))

    def matches(self, host: str) -> bool:
        """Whether the MX record name `host` matches one of the patterns (section 4.1)."""
        return any(mx_patterns.matches(pattern, host) for pattern in self.mx)


def _refuse_patterns(policy: Policy) -> None:
    for pattern in policy.mx:
        if key := mx_patterns.fault(pattern):
            raise PolicySyntaxError(KINDS[key].template.format(shown(pattern)), source=pattern, span=(0, len(pattern)))
    if not policy.mx and policy.mode != Mode.NONE:
        raise PolicySyntaxError(KINDS["mx-missing"].template.format(policy.mode))


def parse(body: bytes) -> Policy:
    """The policy in `body`, as a sender reads it: fields in any order, LF or CRLF, unknown fields ignored, the first of
    duplicates counts, a max_age over the limit is capped. Raises PolicySyntaxError with the place of the first fault.
    """
    reading = _read(body)
    if fatal := first_fatal(reading.faults, KINDS):
        raise PolicySyntaxError(reason(fatal, KINDS), source=reading.text, span=(fatal.start, fatal.end))
    max_age = min(int(reading.first["max_age"]), MAX_AGE_LIMIT)
    return Policy(Mode(reading.first["mode"]), tuple(reading.mx), max_age)


def lint(body: bytes) -> tuple[Remark, ...]:
    """All that is wrong or doubtful in `body`, by place. An empty tuple: nothing."""
    reading = _read(body)
    return remarks_of(reading.faults, KINDS, reading.text)


def render(policy: Policy) -> bytes:
    """The file to serve: version first, CRLF. Raises PolicySyntaxError if reading it back would give another policy."""
    lines = ["version: STSv1", f"mode: {policy.mode}", *(f"mx: {pattern}" for pattern in policy.mx)]
    body = "".join(f"{line}\r\n" for line in [*lines, f"max_age: {policy.max_age}"]).encode("utf-8", "replace")
    if parse(body) != policy:
        raise PolicySyntaxError("the policy does not survive being written and read")
    return body


@dataclass(slots=True)
class _Reading:
    """What one pass over a body found."""

    text: str
    first: dict[str, str] = field(default_factory=dict)
    mx: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, key: str, span: tuple[int, int], *facts: str) -> None:
        self.faults.append(Fault(*span, key, facts))


def _read(body: bytes) -> _Reading:
    if not isinstance(body, bytes | bytearray | memoryview):
        return _unread("not-bytes")
    if len(body) > MAX_OCTETS:
        return _unread("too-large")
    reading = _Reading(bytes(body).decode("utf-8", "replace"))
    _check_encoding(bytes(body), reading)
    for at, line in _lines(reading):
        _read_line(line, at, reading)
    _check_whole(reading)
    return reading


def _unread(key: str) -> _Reading:
    return _Reading("", faults=[Fault(0, 0, key)])


def _check_encoding(body: bytes, reading: _Reading) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        at = len(body[: error.start].decode("utf-8"))
        reading.fault("not-utf8", (at, at + 1))


def _lines(reading: _Reading) -> Iterator[tuple[int, str]]:
    """(offset, line) of each line up to the last that says something. A line ends at LF or CRLF, at nothing else."""
    *ended, rest = reading.text.split("\n")
    lines = [*(line.removesuffix("\r") for line in ended), rest]
    starts = list(accumulate((len(line) + 1 for line in ended), initial=0))
    while lines and not lines[-1].strip(" \t"):
        lines.pop()
    if len(starts) - len(lines) > 1:
        reading.fault("blank-end", (starts[len(lines)], len(reading.text)))
    yield from zip(starts, lines, strict=False)


def _read_line(line: str, at: int, reading: _Reading) -> None:
    if not line.strip(" \t"):
        reading.fault("blank-line", (at, at + len(line)))
    elif found := _FIELD.fullmatch(line):
        start, end = found.span("value")
        _take(found["key"], found["value"], (at, at + start, at + end), reading)
    else:
        reading.fault("not-a-field", (at, at + len(line)), shown(line))


def _take(key: str, value: str, place: tuple[int, int, int], reading: _Reading) -> None:
    """One well-formed field: keep it, or say why not."""
    at, start, end = place
    if key == "mx":
        _take_mx(value, (start, end), reading)
    elif key not in _VALUES:
        meant = key.lower().replace("-", "_")
        if meant in {*_VALUES, "mx"}:
            reading.fault("misspelt", (at, at + len(key)), key, meant)
    elif key in reading.first:
        reading.fault("duplicate", (at, end), key)
    else:
        reading.first[key] = value
        _VALUES[key](value, (start, end), reading)


def _take_mx(value: str, span: tuple[int, int], reading: _Reading) -> None:
    if key := mx_patterns.fault(value):
        reading.fault(key, span, shown(value))
    elif value.lower() in reading.mx:
        reading.fault("mx-twice", span, shown(value))
    elif "." not in value.removeprefix("*."):
        reading.fault("mx-top-level" if value.startswith("*.") else "mx-single-label", span, shown(value))
    reading.mx.append(value.lower())


def _check_version(value: str, span: tuple[int, int], reading: _Reading) -> None:
    if value != "STSv1":
        reading.fault("version", span, shown(value))
    if reading.text[: span[0]].count("\n"):
        reading.fault("version-later", span)


def _check_mode(value: str, span: tuple[int, int], reading: _Reading) -> None:
    if value not in tuple(Mode):
        reading.fault("mode", span, shown(value))


def _check_max_age(value: str, span: tuple[int, int], reading: _Reading) -> None:
    if not _MAX_AGE.fullmatch(value):
        reading.fault("max-age", span, shown(value))
    elif int(value) > MAX_AGE_LIMIT:
        reading.fault("max-age-capped", span, value, str(MAX_AGE_LIMIT))
    elif int(value) < 86_400:
        reading.fault("max-age-zero" if int(value) == 0 else "max-age-short", span, value)


_VALUES = {"version": _check_version, "mode": _check_mode, "max_age": _check_max_age}


def _check_whole(reading: _Reading) -> None:
    end = (len(reading.text), len(reading.text))
    for key in _VALUES:
        if key not in reading.first:
            reading.fault("missing", end, key)
    mode = reading.first.get("mode")
    if not reading.mx and mode in {Mode.TESTING, Mode.ENFORCE}:
        reading.fault("mx-missing", end, str(mode))


def uncovered(policy: Policy, hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of `hosts` that match no pattern, in their order: what mode enforce cuts off (section 5)."""
    return tuple(host for host in hosts if not policy.matches(host))
