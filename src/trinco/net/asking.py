"""One request over HTTPS whose answer is JSON, at an address that somebody else chose: what an OpenID provider says.

Only 200 counts, or a refusal that says why in JSON; a redirect is never followed. Time and size have limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from trinco.core.errors import PolicyHttpError
from trinco.net import https
from trinco.net.reaching import NotTaken, Reach, Target, request_of

MOST = 256 * 1024
"""Octets of an answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, read to its end."""

    status: int
    body: bytes


class Asker(Reach):
    """Asks servers for what they say."""

    __slots__ = ()

    async def get(self, url: str) -> Said:
        """Raises NotTaken."""
        return await self._asked(url, "GET", {"Accept": "application/json"}, b"")

    async def post(self, url: str, fields: Mapping[str, str], body: bytes) -> Said:
        """Send a body with these fields. Raises NotTaken."""
        return await self._asked(url, "POST", {"Accept": "application/json", **fields}, body)

    async def _asked(self, url: str, method: str, fields: Mapping[str, str], body: bytes) -> Said:
        target = Target.of(url)
        request = request_of(method, target, fields, body)
        try:
            async with asyncio.timeout(self.patience.total):
                return await self._said(target, request)
        except TimeoutError:
            raise NotTaken(f"{target.host} did not answer in {self.patience.total:g} s") from None

    async def _said(self, target: Target, request: bytes) -> Said:
        async with self.connected(target, await self.addresses(target)) as (reader, writer):
            try:
                writer.write(request)
                status, fields = await https.read_head(reader)
                return Said(status, await https.read_body(reader, fields, MOST))
            except PolicyHttpError as error:
                raise NotTaken(f"{target.host}: {error}") from error
            except asyncio.LimitOverrunError as error:
                raise NotTaken(f"{target.host} sent a line or a head beyond the limit") from error
            except (OSError, asyncio.IncompleteReadError) as error:
                raise NotTaken(f"{target.host} broke the connection off") from error
