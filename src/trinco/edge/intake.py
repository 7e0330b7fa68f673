"""NAME
    intake - whose reports are taken, how large, and how many: the desk behind both doors

DESCRIPTION
    `accept` decides from memory alone and hands what is taken to the spool. A report is taken under a token that is
    served, up to the size of its channel, and while three allowances last: that of the address it comes from, that of
    the token, and that of this address under this token. An allowance is a bucket that fills again by itself; a large
    report takes more of it.

PROTOCOL
    RFC 8460 section 5.3 (mail), 5.4 (HTTPS). 550 and 404: no such token; 552 and 413: too large; 450 and 429: too many,
    come again, which the sender SHOULD for 24 hours (section 5.5).

SECURITY
    A flood must not hide an attack: whoever is noisy sheds its own reports and nobody else's. One address uses up what
    it has under one token long before what the token has, so that the other senders of that domain go on; many
    addresses that flood one token use up what that token has, and no other domain's.

DIAGNOSTICS
    report_shed: one line with how many of a token's were shed so far; a few a second, `withheld=` counts the others.
    Of a token it shows the beginning, as logs are read by more people than may write to it.

BUGS
    Several tokens that are flooded for a day, by many addresses and while the database is away, do fill the spool.
    Allowances are forgotten at a restart, and those that were not used for the longest time when there are too many.
    How many were shed in the last seconds is forgotten at a restart as well.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge.limits import Clock, Limits, Log, origin
from trinco.edge.spool import Spool

UNIT: Final = 64 * 1024
"""Octets that count as one report: nearly every report has fewer."""
_BUSY: Final = "450 4.7.1 Too many reports, try again later"


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `burst` at once, and `rate` a second in the long run."""

    burst: float
    rate: float


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What is taken. Sizes are octets, allowances count reports (or 64 KiB of one)."""

    mail: int = 15 << 20
    https: int = 10 << 20
    address: Allowance = Allowance(5000, 50)
    """Of one IPv4 address or one IPv6 /64: a large sender has a report for each domain, shortly after midnight UTC."""
    token: Allowance = Allowance(1000, 0.05)
    """Of one domain: each of its senders has a report or a few of them a day. One that is flooded all day, while the
    database is away, does not fill the spool."""
    pair: Allowance = Allowance(100, 0.01)
    """Of one address under one token."""
    remembered: int = 1 << 16
    """Allowances of a kind that are kept in memory."""


OPEN_HANDED: Final = IntakeLimits(address=Allowance(1e6, 1e4), token=Allowance(1e6, 1e4), pair=Allowance(1e6, 1e4))
"""For a made-up internet, whose senders have one address and weeks to catch up."""


class Buckets:
    """The allowances of one kind, by whose they are: a bucket each, of which the moment is kept at which it is full.

    `now` is in seconds and only goes forward.
    """

    def __init__(self, allowance: Allowance, remembered: int) -> None:
        self._burst = allowance.burst
        self._rate = allowance.rate
        self._remembered = remembered
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def has(self, whose: Hashable, cost: float, now: float) -> bool:
        """Whether the bucket still holds that much. A full one has enough for anything."""
        missing = max(0.0, self._full_at.get(whose, now) - now) * self._rate
        return missing + min(cost, self._burst) <= self._burst

    def take(self, whose: Hashable, cost: float, now: float) -> None:
        """Take that much out."""
        self._full_at[whose] = max(now, self._full_at.get(whose, now)) + min(cost, self._burst) / self._rate
        self._full_at.move_to_end(whose)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)


class Gate:
    """Decides, without a clock and without waiting."""

    def __init__(self, known: Callable[[str], bool], limits: IntakeLimits) -> None:
        self._known = known
        self._sizes = {Channel.MAIL: limits.mail, Channel.HTTPS: limits.https}
        self._addresses = Buckets(limits.address, limits.remembered)
        self._tokens = Buckets(limits.token, limits.remembered)
        self._pairs = Buckets(limits.pair, limits.remembered)

    def known(self, token: str) -> bool:
        """See `edge.ports.ReportDesk`."""
        return self._known(token)

    def decide(self, arrival: Arrival, now: float) -> Refused | None:
        """Why it is not taken; None: it is, and is counted. What is shed costs nobody anything."""
        if not self._known(arrival.token):
            return _refused("no such mailbox", "550 5.1.1 No such mailbox", 404)
        if len(arrival.body) > self._sizes.get(arrival.channel, 0):
            return _refused("too large", "552 5.3.4 The report is too large", 413)
        cost = max(1, -(-len(arrival.body) // UNIT))
        address = origin(arrival.peer)
        wanted = (
            (self._addresses, address, "address"),
            (self._pairs, (address, arrival.token), "address under this token"),
            (self._tokens, arrival.token, "token"),
        )
        for buckets, whose, kind in wanted:
            if not buckets.has(whose, cost, now):
                return _refused(f"too many reports from this {kind}", _BUSY, 429)
        for buckets, whose, _ in wanted:
            buckets.take(whose, cost, now)
        return None


def _refused(reason: str, smtp_reply: str, http_status: int) -> Refused:
    return Refused(reason, smtp_reply=smtp_reply, http_status=http_status)


class Intake:
    """A `ReportDesk`: what `known` knows is taken into the spool."""

    def __init__(
        self,
        known: Callable[[str], bool],
        spool: Spool,
        limits: IntakeLimits | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._gate = Gate(known, limits or IntakeLimits())
        self._spool = spool
        self._clock = clock
        self._log = Log(Limits(), clock)
        self.shed: Counter[str] = Counter()
        """Reports that were too many, by token."""
        self.untold: Counter[str] = Counter()
        """Those of them that nobody was told of yet: whoever tells it takes them out."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Reports by channel and by what became of them: accepted, shed, refused, no_room."""

    def known(self, token: str) -> bool:
        """See `edge.ports.ReportDesk`."""
        return self._gate.known(token)

    async def accept(self, arrival: Arrival) -> None:
        """See `edge.ports.ReportDesk`."""
        refusal = self._gate.decide(arrival, self._clock())
        if refusal is not None:
            shed = refusal.http_status == 429
            self.outcomes[arrival.channel.value, "shed" if shed else "refused"] += 1
            if shed:
                self._count(arrival, refusal)
            raise refusal
        try:
            await self._spool.put(arrival)
        except Refused:
            self.outcomes[arrival.channel.value, "no_room"] += 1
            raise
        self.outcomes[arrival.channel.value, "accepted"] += 1

    def _count(self, arrival: Arrival, refusal: Refused) -> None:
        self.shed[arrival.token] += 1
        self.untold[arrival.token] += 1
        self._log.line(
            "report_shed",
            reason=refusal.reason,
            peer=arrival.peer,
            token=f"{arrival.token[:6]}...",
            shed=self.shed[arrival.token],
        )
