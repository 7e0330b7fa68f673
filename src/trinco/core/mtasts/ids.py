"""Policy ids: never reused, never older, also after a restored database or a clock set back (RFC 8461 section 3.1).

The standard wants them unique among the instances of a policy and gives them no order. We give them one: the UTC second
of publication, then the beginning of the body's hash, so that a look at two ids tells which is newer and what it is of.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from trinco.core.errors import RecordSyntaxError

_OURS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z[0-9a-f]{8}")


def policy_id(body: bytes, now: datetime, above: str) -> str:
    """An id for this policy file: `YYYYMMDDTHHMMSSZ` and 8 hex digits, 24 letters and digits.

    It sorts, as text, after `above`: the highest id that the world has seen for the name, "" for none. Where `now` is
    not later than that, the id takes that time and one second more. Raises RecordSyntaxError when nothing of ours can
    sort after `above`.
    """
    stamp = _stamp(now.astimezone(UTC))
    if above and stamp <= above[:16]:
        stamp = _stamp(_moment(above) + timedelta(seconds=1))
    return f"{stamp}{sha256(body).hexdigest()[:8]}"


def _stamp(moment: datetime) -> str:
    return f"{moment.year:04}{moment:%m%dT%H%M%SZ}"


def _moment(above: str) -> datetime:
    try:
        if found := _OURS.fullmatch(above):
            year, month, day, hour, minute, second = (int(digits) for digits in found.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise RecordSyntaxError(f"{above} is no time", source=above, span=(0, len(above))) from error
    raise RecordSyntaxError("no id of ours sorts after this one", source=above, span=(0, len(above)))
