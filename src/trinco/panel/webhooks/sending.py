"""Deliveries under way: many at once, each with a deadline of its own, so that a slow server holds up nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings

from trinco.net import dns as look_ups
from trinco.net import https
from trinco.net.posting import Poster
from trinco.net.reaching import NotTaken, Target
from trinco.panel import clock
from trinco.panel.roots import roots
from trinco.panel.webhooks import signing, stopping, turns
from trinco.panel.webhooks.turns import Outcome, Turn

AT_ONCE: Final = 64
SPAN: Final = 10.0
"""Seconds in which whatever becomes due is taken up. Afterwards, until those from before are through, only what goes
to servers that did not fail last."""
_TICK: Final = 0.25
_log = structlog.get_logger("trinco.webhooks")


def tidy_due(now: datetime) -> int:
    """Give up deliveries that are too late, forget what ended long ago, mail about what was switched off."""
    return turns.prune(now) + stopping.tell_due(now)


def deliver_due(now: datetime) -> int:
    """Send the deliveries that are due. How many attempts there were."""
    if not turns.waiting(now):
        return 0
    poster = Poster(look_ups.configured(settings.CONFIG), https.context(roots()))
    return deliver(poster, lambda passed: now + timedelta(seconds=passed))


def deliver(poster: Poster, at: Callable[[float], datetime]) -> int:
    """As `deliver_due`, by this poster; `at` gives the time after so many seconds."""
    with asyncio.Runner() as runner:
        return _Round(runner, poster, at).run()


class _Round:
    """One call's deliveries under way."""

    def __init__(self, runner: asyncio.Runner, poster: Poster, at: Callable[[float], datetime]) -> None:
        self._runner, self._poster, self._at = runner, poster, at
        self._began = time.monotonic()
        self._running: dict[asyncio.Task[Outcome], tuple[Turn, bool]] = {}

    def run(self) -> int:
        count = 0
        while True:
            late = time.monotonic() - self._began >= SPAN
            if not late or any(early for _turn, early in self._running.values()):
                self._take(late=late)
            if not self._running:
                return count
            for task in self._runner.run(_some(self._running)):
                turn, _early = self._running.pop(task)
                self._settle(turn, task.result())
                count += 1

    @property
    def _now(self) -> datetime:
        return self._at(time.monotonic() - self._began)

    def _take(self, *, late: bool) -> None:
        busy = turns.in_hand(turn.hook for turn, _early in self._running.values())
        most = AT_ONCE - len(self._running)
        for turn in turns.take(self._now, most, busy, well=late) if most else ():
            task = self._runner.get_loop().create_task(_attempt(self._poster, turn))
            self._running[task] = turn, not late

    def _settle(self, turn: Turn, outcome: Outcome) -> None:
        try:
            turns.settle(turn, outcome, self._now)
        except Exception as error:  # noqa: BLE001 - the outermost loop of one delivery: its lease runs out
            _log.error("delivery lost", id=turn.delivery.uid, error=f"{type(error).__name__}: {error}")


async def _some(running: dict[asyncio.Task[Outcome], tuple[Turn, bool]]) -> set[asyncio.Task[Outcome]]:
    done, _ = await asyncio.wait(running, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _attempt(poster: Poster, turn: Turn) -> Outcome:
    """One attempt, whatever happens: a fault in it is one line in the log and stops no other."""
    began, body, uid = time.monotonic(), turn.delivery.body.encode(), turn.delivery.uid
    moment = int((turn.delivery.tried_at or clock.now()).timestamp())
    try:
        took = await poster.post(Target.of(turn.hook.url), signing.fields(turn.secrets, uid, moment, body), body)
    except NotTaken as error:
        return Outcome(problem=str(error), milliseconds=_since(began))
    except Exception as error:  # noqa: BLE001 - the outermost loop of one attempt
        _log.error("attempt failed", id=uid, error=type(error).__name__)
        return Outcome(problem="the attempt itself failed", milliseconds=_since(began))
    return Outcome(took.status, _problem(took.status), took.retry_after, _since(began))


def _problem(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return f"answered {status}; a redirect is not followed" if 300 <= status < 400 else f"answered {status}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
