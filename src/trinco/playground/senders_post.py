"""
NAME
    senders_post - the made-up senders' daily round

DESCRIPTION
    Waits until Trinco's doors answer, then hands in the reports of the past weeks, day by day and the oldest first;
    after each midnight (UTC) the day that has ended. A day is remembered when all of its reports are delivered, so a
    restart goes on where it ended; what was sent twice is equal. Whose customer's record names no address, or who has
    none, gets no report.

DIAGNOSTICS
    One line when a round is over, with how many reports were taken. A door that is away or says "later" is tried again
    until it takes the report; a report that is refused for good is left out, with one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog

from trinco.core.errors import FetchFailure, MultipleRecords, NoRecord, RecordSyntaxError
from trinco.core.names import Domain
from trinco.core.tlsrpt.report import Report
from trinco.net import https
from trinco.playground import senders_keys, senders_mail, store
from trinco.playground.cast import CUSTOMERS, Customer
from trinco.playground.senders import SENDERS, Manner, Sender
from trinco.playground.senders_road import Road, Rua, Undelivered
from trinco.playground.senders_story import View, midnight, told
from trinco.playground.store import Held

DAYS = 35
"""How far back reports go."""
RATE = 40.0
"""Reports per second at most: the rest of the machine is there for the visitor."""
PAUSE = 1.0
"""Seconds until a door that is away is tried again."""
PORTION = 10
"""Mails in one conversation."""
LOOK = 60.0
"""Seconds between two looks at the clock."""

log = structlog.get_logger("trinco.playground")


@dataclass(frozen=True, slots=True)
class Wish:
    """A customer who wants reports: where to, and the policies that senders have seen there."""

    customer: Customer
    rua: Rua
    held: tuple[Held, ...]


Task = tuple[Wish, Report]


@dataclass(slots=True)
class Pace:
    """So many turns a second, evenly."""

    rate: float
    _next: float = 0.0

    async def turn(self) -> None:
        """Wait for the next one."""
        moment = asyncio.get_running_loop().time()
        self._next = max(moment, self._next) + 1 / self.rate
        await asyncio.sleep(self._next - 1 / self.rate - moment)


@dataclass(frozen=True, slots=True)
class Post:
    """The senders at work. `now` is the clock."""

    data: Path
    road: Road
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pace: Pace = field(default_factory=lambda: Pace(RATE))

    async def run(self) -> None:
        """Until cancelled."""
        said = ""
        while True:
            try:
                await self.round()
                await asyncio.sleep(LOOK)
            except Exception as error:  # noqa: BLE001 - the outermost loop of the rounds
                if str(error) != said:
                    log.info("reports wait", reason=str(error) or type(error).__name__)
                said = str(error)
                await asyncio.sleep(PAUSE)

    async def round(self) -> int:
        """Send what is missing up to yesterday; how many reports were taken. Raises what made it stop."""
        done, today = store.sent(self.data), self.now().date()
        days = [today - timedelta(days=age) for age in range(DAYS, 0, -1)]
        missing = [day for day in days if day not in done]
        wishes = await self._wishes() if missing else []
        count = 0
        for day in missing:
            count += await self._day(day, wishes)
            done.add(day)
            store.save_sent(self.data, done.intersection(days))
        if missing:
            log.info("reports sent", reports=count, days=len(missing))
        return count

    async def send_now(self, customer: Customer) -> Report:
        """One report of today, by the first of the senders. Raises TrincoError: NoRecord where none are wanted."""
        moment = self.now()
        rua = await self.road.rua(customer.domain)
        wish = Wish(customer, rua, await self._held(customer))
        report = told(View(SENDERS[0], customer, wish.held, moment.date(), f"{moment:%H%M%S}"))
        if report is None or not await self._deliver(SENDERS[0], [(wish, report)]):
            raise Undelivered(f"the report about {customer.domain} was not taken")
        return report

    async def asked(self, name: str) -> dict[str, str]:
        """As `send_now`, for the control interface: by the customer's name."""
        customer = next((each for each in CUSTOMERS if str(each.domain) == name), None)
        if customer is None:
            raise NoRecord(f"there is no customer {name} here")
        report = await self.send_now(customer)
        return {"sender": report.submitter, "report_id": report.report_id}

    async def _wishes(self) -> list[Wish]:
        found = []
        for customer in CUSTOMERS:
            try:
                rua = await self.road.rua(customer.domain)
            except (NoRecord, MultipleRecords, RecordSyntaxError):
                continue
            found.append(Wish(customer, rua, await self._held(customer)))
        return found

    async def _held(self, customer: Customer) -> tuple[Held, ...]:
        """The policies of this customer that senders have seen, the present one among them."""
        body = await self._fetched(customer.domain)
        known = dict(store.policies(self.data))
        held = known.get(str(customer.domain), ())
        if body and body != (held[-1].body if held else ""):
            held = known[str(customer.domain)] = (*held, Held(self.now(), body))
            store.save_policies(self.data, known)
        return held

    async def _fetched(self, domain: Domain) -> str:
        """The policy that is served now; empty: none can be had."""
        for address in await self.road.dns.addresses(f"mta-sts.{domain}"):
            try:
                body = await https.fetch_policy(domain, address, self.road.https_port, self.road.trusting)
            except FetchFailure:
                continue
            return body.decode("utf-8", "replace")
        return ""

    async def _day(self, day: date, wishes: Sequence[Wish]) -> int:
        count = 0
        begun = [wish for wish in wishes if wish.held and wish.held[0].since < midnight(day + timedelta(days=1))]
        for sender in SENDERS:
            reports = ((wish, told(View(sender, wish.customer, wish.held, day))) for wish in begun)
            count += await self._deliver(sender, [(wish, report) for wish, report in reports if report])
        return count

    async def _deliver(self, sender: Sender, tasks: Sequence[Task]) -> int:
        """By HTTPS what a sender of that kind may post, by mail all else; how many were taken."""
        posted = [task for task in tasks if sender.manner is Manner.STALWART and task[0].rua.doors]
        mailed = [task for task in tasks if task not in posted and task[0].rua.mailboxes]
        count = 0
        for wish, report in posted:
            count += await self._taken(self._post(sender, wish, report))
        for start in range(0, len(mailed), PORTION):
            count += await self._mail(sender, mailed[start : start + PORTION])
        return count

    async def _post(self, sender: Sender, wish: Wish, report: Report) -> None:
        body = senders_mail.packed(senders_mail.content(sender, report, self.now()))
        await self.road.post(wish.rua.doors[0], "application/tlsrpt+gzip", body)

    async def _mail(self, sender: Sender, tasks: Sequence[Task]) -> int:
        """In one conversation: all of them go to one host."""
        count = 0
        async with self.road.mailing(tasks[0][0].rua.mailboxes[0], sender.domain) as smtp:
            for wish, report in tasks:
                recipient = wish.rua.mailboxes[0]
                message = await asyncio.to_thread(self._written, sender, wish, report)
                count += await self._taken(smtp.deliver(sender.address, recipient, message))
        return count

    def _written(self, sender: Sender, wish: Wish, report: Report) -> bytes:
        message = senders_mail.mail(sender, report, wish.customer.domain, wish.rua.mailboxes[0], self.now())
        if not sender.selector:
            return message
        return senders_mail.signed(sender, message, senders_keys.private(self.data, sender))

    async def _taken(self, delivery: Awaitable[None]) -> bool:
        """Whether it was; False: refused for good. Raises Undelivered when it is worth another try."""
        await self.pace.turn()
        try:
            await delivery
        except Undelivered as error:
            if not error.final:
                raise
            log.warning("report refused", reason=str(error))
            return False
        return True
