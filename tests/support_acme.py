"""Orders at made-up authorities, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.conf import settings
from tests.fake_ca.authority import Authority, Clock
from tests.fake_ca.line import Line

from trinco.net.acme_words import Place, Registration
from trinco.panel.certificates import advice, events, queue
from trinco.panel.certificates.account import Ca, Site, Talks
from trinco.panel.certificates.models import Order
from trinco.panel.certificates.orders import Desk

FIRST, SECOND = "https://first.example/dir", "https://second.example/dir"
STAGING = "https://staging.example/dir"


def nothing(_point: str) -> None:
    """Nobody watches."""


@dataclass
class Bureau:
    """A worker's turns, under the test's clock."""

    clock: Clock
    authorities: dict[str, Authority]
    jitter: Callable[[], float] = lambda: 0.5
    profile: str = ""
    agreed: bool = True
    reached: Callable[[str], None] = nothing

    def __post_init__(self) -> None:
        self.talks = Talks(self._opened)

    def _opened(self, site: Site, key: bytes) -> Ca:
        return Line.by(self.authorities[site.place.directory], key)

    @property
    def desk(self) -> Desk:
        who = Registration(("mailto:ana@example.com",), self.agreed)
        sites = tuple(Site(Place(name), who, self.profile, name == STAGING) for name in self.authorities)
        return Desk(self.clock(), sites, self.talks, self.jitter, self.reached)

    def turn(self) -> int:
        return queue.turn(self.desk)

    def ask(self) -> int:
        return advice.ask(self.desk)

    def watch(self) -> int:
        return events.observe(self.clock(), self.desk.sites)

    def settle(self, turns: int = 40) -> int:
        """Turns until nothing is under way, some seconds apart; how many certificates came of it."""
        got = self.turn()
        for _ in range(turns):
            if not Order.objects.everywhere().filter(ended_at__isnull=True, step_at__lte=self.clock()).exists():
                break
            got += self.turn()
        for _ in range(turns):
            if not pending():
                break
            self.clock.go(seconds=5)
            got += self.turn()
        return got


def pending() -> list[Order]:
    return list(Order.objects.everywhere().filter(ended_at__isnull=True))


def configured(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """The settings, with an authority in them."""
    changed = {"acme_directory": FIRST, "acme_terms_agreed": True, **values}
    monkeypatch.setattr(settings, "CONFIG", replace(settings.CONFIG, **changed))


@contextmanager
def killed_at(bureau: Bureau, point: str) -> Iterator[None]:
    """Whoever comes to this point dies there, as by SIGKILL: nothing is caught, nothing is written down any more."""

    def die(reached: str) -> None:
        if reached == point:
            raise Killed

    bureau.reached = die
    try:
        yield
    finally:
        bureau.reached = nothing


class Killed(BaseException):
    """Nobody catches this."""
