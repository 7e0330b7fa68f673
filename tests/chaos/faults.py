"""Does what the plan says, and undoes it: each fault in a thread of its own, at its time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.plan import EDGES, OFFSETS, SECONDARIES, Fault
from tests.chaos.town import Town

Deed = Callable[[Town, Fault], None]
_HALF_A_PAGE = 2048
_MINUTE = 60.0


def _kill(town: Town, fault: Fault) -> None:
    town.actors[fault.target].kill()
    time.sleep(fault.seconds)
    town.actors[fault.target].start()


def _stop(town: Town, fault: Fault) -> None:
    actor = town.actors[fault.target]
    actor.send(signal.SIGSTOP)
    time.sleep(fault.seconds)
    actor.send(signal.SIGCONT)


def _cut(*others: str) -> Deed:
    """These ways of the edge's, in both directions."""

    def deed(town: Town, fault: Fault) -> None:
        pairs = [(fault.target, other) for other in others if other not in (fault.target, fault.spared)]
        names = [name for one, other in pairs for name in (f"{one}-{other}", f"{other}-{one}")]
        ways = [name for name in names if name in town.relays.ways]
        for way in ways:
            town.relays.cut(way, hang=fault.how == "hang")
        time.sleep(fault.seconds)
        for way in ways:
            town.relays.mend(way)

    return deed


def _fill(town: Town, fault: Fault) -> None:
    town.actors[fault.target].limit_files(_HALF_A_PAGE)
    time.sleep(fault.seconds)
    town.actors[fault.target].limit_files(-1)


def _clock(town: Town, fault: Fault) -> None:
    town.clocks.move(fault.target, OFFSETS[fault.how])
    if fault.target == "database":
        ahead = float(town.databases.first.ask("SELECT extract(epoch FROM clock_timestamp())")) - time.time()
        assert abs(ahead - OFFSETS[fault.how]) < _MINUTE, f"the database's clock is ahead by {ahead} s"
    time.sleep(fault.seconds)
    town.clocks.move(fault.target, 0)


def _promote(town: Town, fault: Fault) -> None:
    """Killed, and a while later the other one takes over; then it gets a standby of its own."""
    began = time.monotonic()
    town.relays.turn(town.databases.promote().socket, *town.database_ways)
    town.databases.follow()
    time.sleep(max(0.0, fault.seconds - (time.monotonic() - began)))


DEEDS: dict[str, Deed] = {
    "kill": _kill,
    "stop": _stop,
    "kill inside": _kill,
    "stop inside": _stop,
    "kill secondary": _kill,
    "stop secondary": _stop,
    "cut database": _cut("database"),
    "cut edges": _cut(*EDGES),
    "cut secondaries": _cut(*SECONDARIES),
    "cut but one": _cut("database", *EDGES, *SECONDARIES),
    "full disk": _fill,
    "clock": _clock,
    "promote": _promote,
}


@dataclass
class Chaos:
    """Runs a plan. `problems` are those of the run itself."""

    town: Town
    plan: Sequence[Fault]
    say: Callable[[str], None]
    problems: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._enough = threading.Event()
        threading.Thread(target=self.supervise, daemon=True).start()

    def run(self, seconds: float) -> None:
        """Until so many seconds have passed and every fault is over."""
        began = time.monotonic()
        threads = []
        for fault in self.plan:
            time.sleep(max(0.0, began + fault.at - time.monotonic()))
            threads.append(threading.Thread(target=self._one, args=(fault,)))
            threads[-1].start()
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        for thread in threads:
            thread.join()

    def supervise(self) -> None:
        """As systemd does: whoever ended by himself is started again. It is noted."""
        while not self._enough.wait(1.0):
            for actor in self.town.actors.values():
                if actor.wanted and not actor.running:
                    self.ended.append(f"{actor.name} ended by itself: {actor.say()[-300:]}")
                    actor.start()

    def end(self) -> None:
        self._enough.set()

    def _one(self, fault: Fault) -> None:
        self.say(str(fault))
        try:
            DEEDS[fault.kind](self.town, fault)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a thread: the run fails for it
            self.problems.append(f"{fault}: {type(error).__name__}: {error}")
