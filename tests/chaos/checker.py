"""Looks from outside, all the time, and holds what it sees against what Trinco promises. A process of its own:

    python -m tests.chaos.checker TOWN.json

Each look is at one domain. It takes the ids first, of every name server, and then the policy of every edge:

- an id that is newer than a body that somebody gives out afterwards (RFC 8461 section 8.1), or an edge that goes back;
- a certificate that is not valid, at this moment and for this name;
- a body that is not, octet by octet, one that this tenant published;
- a domain for which during BOUND seconds no name server, or no edge of the address set, had an answer.

What it saw stands in TALLY beside the town's description, as JSON, written anew every second.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
from tests.chaos.policies import Ids, number_in
from tests.edge.installation import Edge, drained, request

BOUND = 10.0
"""Seconds, of those in which the checker is awake. A sender tries again after minutes (RFC 8461 section 3.3: not more often than every five)."""
EVERY = 0.12
AT_ONCE = 48
BASE = "trinco.example"
_DNS_SECONDS = 0.4


class Outside(Edge):
    """An edge, as a stranger reaches it. A certificate that does not hold is no silence: it is raised."""

    def fetch(self, domain: str, context: ssl.SSLContext) -> bytes | None:
        try:
            with self.connected(domain, context) as connection:
                _require(connection, f"mta-sts.{domain}")
                connection.sendall(request(domain))
                return drained(connection)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            return None


def _require(connection: ssl.SSLSocket, host: str) -> None:
    """Its certificate names this host and no other."""
    shown = (connection.getpeercert() or {}).get("subjectAltName")
    if shown != (("DNS", host),):
        raise ssl.SSLCertVerificationError(f"it is for {shown}")


class Awake:
    """Seconds in which this process had its turn: what a busy machine takes away from it is nobody's silence."""

    def __init__(self) -> None:
        self.seconds = 0.0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.05)
            now = time.monotonic()
            self.seconds += min(now - last, 0.1)
            last = now


@dataclass
class Checker:
    """`town` is what `town.Town.described` says."""

    town: dict[str, Any]
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    longest: dict[str, float] = field(default_factory=lambda: {"DNS": 0.0, "policy": 0.0})

    def __post_init__(self) -> None:
        self._ids, self._dice = Ids(), random.Random(8460)
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, str], int] = {}
        self._awake = Awake()
        now = self._awake.seconds
        self._answered = {(kind, name): now for kind in self.longest for name in self.town["labels"]}
        self._context = ssl.create_default_context(cafile=self.town["roots"])

    def watch(self, stop: threading.Event) -> None:
        dice, next_at = random.Random(8461), time.monotonic()
        names = list(self.town["labels"])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = threading.BoundedSemaphore(AT_ONCE)
            while not stop.is_set():
                waiting.acquire()
                pool.submit(self._safely, dice.choice(names)).add_done_callback(lambda _: waiting.release())
                next_at = max(next_at + EVERY, time.monotonic())
                stop.wait(next_at - time.monotonic())

    def tally(self) -> dict[str, Any]:
        with self._lock:
            counts = dict(sorted(self.counts.items()))
            return {"counts": counts, "longest": self.longest, "violations": list(self.violations)}

    def _safely(self, name: str) -> None:
        try:
            self._look(name)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a thread: the run fails for it
            self._violated(f"{name}: the checker failed: {type(error).__name__}: {error}")

    def _look(self, name: str) -> None:
        began = self._awake.seconds
        label = self.town["labels"][name]
        with self._lock:
            before = {server: self._newest.get((server, name), 0) for server in self.town["servers"]}
        told = {server: self._ask(server, f"{label}.mta-sts.{BASE}", "TXT") for server in self.town["servers"]}
        numbers = {server: self._number(server, name, texts) for server, texts in told.items() if texts}
        for server, number in numbers.items():
            if number < before[server] and server in self.town["secondaries"]:
                self._count("secondaries behind themselves")  # Knot after kill -9: an older id does no harm
            elif number < before[server]:
                self._violated(f"{name}: {server} went back from version {before[server]} to {number}")
        self._count("looks")
        self._settle("DNS", name, began, good=any(texts is not None for texts in told.values()))
        newest = max(numbers.values(), default=0)
        addresses = self._addresses(label)
        good = [self._serves(edge, name, newest) for edge in self.town["edges"] if edge[1] in addresses]
        for edge in self.town["edges"]:
            if edge[1] not in addresses:
                self._serves(edge, name, newest)
        self._settle("policy", name, began, good=any(good))
        self._reports_host(*self._dice.choice(self.town["edges"]))

    def _reports_host(self, edge_name: str, address: str, port: int) -> None:
        """Its certificate, at this edge."""
        try:
            with (
                socket.create_connection((address, port), 1.0) as raw,
                self._context.wrap_socket(raw, server_hostname=f"reports.{BASE}"),
            ):
                self._count("handshakes with the reports host")
        except ssl.SSLCertVerificationError as error:
            self._violated(f"the certificate of the reports host at {edge_name}: {error}")
        except OSError:
            self._count("silences of the reports host")

    def _ask(self, server: str, name: str, kind: str) -> list[str] | None:
        """What the records say; None: no answer with authority."""
        query = dns.message.make_query(name, kind)
        self._count("questions")
        try:
            reply = dns.query.udp(query, self.town["servers"][server], _DNS_SECONDS, self.town["dns_port"])
        except (OSError, dns.exception.DNSException):
            return self._count("questions without an answer")
        if reply.rcode() == dns.rcode.NXDOMAIN and server in self.town["secondaries"]:
            return []  # a name that waits for its record is not in a transfer
        if reply.rcode() != dns.rcode.NOERROR:
            return self._count(f"questions answered {dns.rcode.to_text(reply.rcode())}")
        return [rdata.to_text().strip('"') for rrset in reply.answer for rdata in rrset]

    def _number(self, server: str, name: str, texts: list[str]) -> int:
        """The number whose id this name server announces. It never goes back, not even over its lives."""
        policy_id = texts[0].removeprefix("v=STSv1; id=").removesuffix(";")
        number = self._ids.number(name, policy_id)
        self._count("ids")
        if number is None:
            self._violated(f"{name}: {server} says {texts}, which no policy of this domain has")
            return 0
        with self._lock:
            self._newest[server, name] = max(number, self._newest.get((server, name), 0))
        return number

    def _addresses(self, label: str) -> set[str]:
        """The address set as a sender gets it: of whoever answers first."""
        for server in self.town["secondaries"] + list(self.town["servers"]):
            if found := self._ask(server, f"{label}.policy.{BASE}", "A"):
                return set(found)
        return {address for _, address, _ in self.town["edges"]}

    def _serves(self, edge: list[Any], name: str, newest: int) -> bool:
        """Whether it answers; what it answers is judged."""
        edge_name, address, port = edge
        try:
            body = Outside(edge_name, address, port, 0, {}, Path()).body(name, self._context)
        except ssl.SSLCertVerificationError as error:
            self._violated(f"{name}: the certificate at {edge_name}: {error}")
            return False
        self._count("bodies" if body is not None else "silences")
        if body is None:
            return False
        number = number_in(name, body)
        if number is None:
            self._violated(f"{name}: {edge_name} serves what is not this tenant's: {body!r}")
        elif number < newest:
            self._violated(f"{name}: the id of version {newest} is announced, {edge_name} serves {number}")
        return True

    def _settle(self, kind: str, name: str, began: float, *, good: bool) -> None:
        """A probe was answered, or was not: how long has that been so?"""
        with self._lock:
            silent = began - self._answered[kind, name]
            if good:
                self._answered[kind, name] = max(began, self._answered[kind, name])
            elif silent > 0:
                self.counts[f"{kind}: probes without an answer"] += 1
                self.longest[kind] = max(self.longest[kind], silent)
        if not good and silent > BOUND:
            self._violated(f"{name}: no good answer ({kind}) for {silent:.1f} s")

    def _count(self, what: str) -> None:
        """One more of these."""
        with self._lock:
            self.counts[what] += 1

    def _violated(self, what: str) -> None:
        with self._lock:
            self.violations.append(f"{time.strftime('%H:%M:%S')} {what}")


def main(described: Path) -> None:
    checker = Checker(json.loads(described.read_text()))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    thread = threading.Thread(target=checker.watch, args=(stop,))
    thread.start()
    while thread.is_alive():
        thread.join(1.0)
        fresh = described.with_name("tally.new")
        fresh.write_text(json.dumps(checker.tally(), indent=1))
        fresh.rename(described.with_name("tally.json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
