"""One POST over HTTPS to an address that a stranger chose, as a webhook is delivered.

The connection is `net.reaching`'s. A redirect is an answer like any other and is never followed. Of the answer the
status counts, and Retry-After; its body is read a little, so that the server can end in peace, and is looked at by
nobody.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from trinco.core.errors import PolicyHttpError
from trinco.net import https
from trinco.net.reaching import NotTaken, Reach, Target, request_of

_BODY_LIMIT = 4 * 1024
_LINGER = 1.0
"""Seconds for the rest of an answer whose status is known."""
_RETRY_AFTER = re.compile(rb"retry-after:[ \t]*([^\r\n]{1,64})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Took:
    """What was answered. `retry_after`: seconds to wait, where the server says how long."""

    status: int
    retry_after: int | None = None


class Poster(Reach):
    """Sends webhooks."""

    __slots__ = ()

    async def post(self, target: Target, fields: Mapping[str, str], body: bytes) -> Took:
        """Send `body` as JSON with these fields. Raises NotTaken."""
        request = request_of("POST", target, {"Content-Type": "application/json", **fields}, body)
        try:
            async with asyncio.timeout(self.patience.total):
                return await self._sent(target, request)
        except TimeoutError:
            raise NotTaken(f"{target.host} did not answer in {self.patience.total:g} s") from None

    async def _sent(self, target: Target, request: bytes) -> Took:
        async with self.connected(target, await self.addresses(target)) as (reader, writer):
            try:
                writer.write(request)
                status, lines = await https.read_lines(reader)
                await _rest(reader)
            except PolicyHttpError as error:
                raise NotTaken(str(error)) from error
            except (OSError, asyncio.IncompleteReadError) as error:
                raise NotTaken(f"{target.host} broke the connection off") from error
            except asyncio.LimitOverrunError as error:
                raise NotTaken(f"{target.host} sent a head beyond the limit") from error
        return Took(status, _retry_after(lines))


def _retry_after(lines: Iterable[bytes]) -> int | None:
    """Seconds (RFC 9110 section 10.2.3), however they are said."""
    field = next(filter(None, map(_RETRY_AFTER.match, lines)), None)
    text = field[1].strip().decode("ascii", "replace") if field else ""
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime.now(UTC)).total_seconds()))


async def _rest(reader: asyncio.StreamReader) -> None:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER):
            left = _BODY_LIMIT
            while left > 0 and (piece := await reader.read(left)):
                left -= len(piece)
