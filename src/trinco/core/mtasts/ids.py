"""Policy ids: never reused, never older, also after a restored database or a clock set back (RFC 8461 section 3.1).

The standard wants them unique among the instances of a policy and gives them no order. We give them one: the UTC second
of publication, then the beginning of the body's hash, so that a look at two ids tells which is newer and what it is of.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from trinco.core.errors import RecordSyntaxError

_OURS = re.compile(r"\bid=([0-9]{8}T[0-9]{6}Z[0-9a-f]{8})(?![0-9A-Za-z])")
_STAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")


def policy_id(body: bytes, now: datetime, above: str) -> str:
    """An id for this policy file: `YYYYMMDDTHHMMSSZ` and 8 hex digits, 24 letters and digits.

    It sorts, as text, after `above`: the highest id that the world has seen for the name, "" for none. Where `now` is
    not later than that, the id takes that time and one second more. `now` is an aware datetime. Raises
    RecordSyntaxError when nothing of ours can sort after `above`.
    """
    stamp = _stamp(_utc(now))
    if above and stamp <= above[:16]:
        stamp = _second_after(above)
    return f"{stamp}{sha256(body).hexdigest()[:8]}"


def latest_in(text: str) -> str:
    """The latest id of this form that a text at `_mta-sts` says; "": none, and a foreign id has no order."""
    return max(_OURS.findall(text), default="")


def _stamp(moment: datetime) -> str:
    return f"{moment.year:04}{moment:%m%dT%H%M%SZ}"


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise RecordSyntaxError("an id needs a time with its zone")
    return moment.astimezone(UTC)


def _second_after(above: str) -> str:
    if not (found := _STAMP.match(above)):
        raise RecordSyntaxError("no id of ours sorts after this one", source=above, span=(0, len(above)))
    year, month, day, hour, minute, second = (int(digits) for digits in found.groups())
    try:
        return _stamp(datetime(year, month, day, hour, minute, second, tzinfo=UTC) + timedelta(seconds=1))
    except (ValueError, OverflowError) as error:
        raise RecordSyntaxError("no time comes after this one", source=above, span=(0, len(above))) from error
