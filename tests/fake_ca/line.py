"""A `Ca` that talks to the authority directly: what `net.acme.Conversation` says, without the signatures."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.fake_ca.authority import Authority, Order, Problem

from trinco.net import acme
from trinco.net.acme_words import (
    AcmeFailure,
    CaRefused,
    CaUnavailable,
    Challenge,
    Offer,
    Placed,
    RateLimited,
    Registration,
    Status,
    Window,
)


@dataclass
class Line:
    """One account's line."""

    authority: Authority
    thumbprint: str
    account: str = ""
    skew: timedelta | None = None

    @classmethod
    def by(cls, authority: Authority, key: bytes) -> Line:
        return cls(authority, acme.thumbprint(key))

    def offer(self) -> Offer:
        habits = self.authority.habits
        profiles = frozenset(habits.lives) - {""}
        return Offer(profiles, habits.renewal_info, habits.terms, habits.binding_required)

    def register(self, who: Registration) -> str:
        bound = who.binding is not None
        account, _ = self._ask(self.authority.register, self.thumbprint, agreed=who.agreed, bound=bound)
        self.account = account
        return self.account

    def use(self, account: str) -> None:
        self.account = account

    def order(self, names: Sequence[str], *, replaces: str = "", profile: str = "") -> Placed:
        if self.account not in self.authority.accounts.values():
            raise CaRefused("no such account", "accountDoesNotExist")
        return self._placed(self._ask(self.authority.order, self.account, names, replaces, profile))

    def open_orders(self, known: Container[str]) -> Iterator[tuple[Placed, frozenset[str]]]:
        self._ask(lambda: None)
        for order in [] if self.authority.habits.reuses else self.authority.orders:
            placed = self._placed(order)
            if order.status in ("pending", "ready") and placed.url not in known:
                yield placed, frozenset(order.names)

    def look(self, order: str) -> Placed:
        return self._placed(self._ask(self.authority.look, self._of(order)))

    def challenge(self, authorization: str) -> Challenge:
        number, _, host = authorization.partition("/")
        order = self._ask(self._of, number)
        waits = order.status == "pending" and host not in order.told
        return Challenge(host, f"{number}/{host}", waits, order.problems.get(host, ""))

    def tell(self, challenge: Challenge) -> None:
        order = self._of(challenge.url.partition("/")[0])
        self._ask(self.authority.tell, order, challenge.host, "token", self.thumbprint)

    def finalize(self, order: Placed, csr: bytes) -> Placed:
        return self._placed(self._ask(self.authority.finalize, self._of(order.url), csr))

    def download(self, certificate: str) -> tuple[bytes, ...]:
        chain: tuple[bytes, ...] = self._ask(self.authority.chain, int(certificate))
        return chain

    def window(self, leaf: bytes) -> Window | None:
        if not self.authority.habits.renewal_info:
            return None
        start, end = self._ask(self.authority.window, acme.certificate_id(leaf))
        return Window(start, end, self.authority.clock() + self.authority.habits.ask_again)

    def _of(self, url: str) -> Order:
        return self.authority.orders[int(url)]

    def _placed(self, order: Order) -> Placed:
        return Placed(
            url=str(order.number),
            status=Status(order.status),
            finalize=str(order.number),
            authorizations=tuple(f"{order.number}/{name}" for name in order.names),
            certificate="" if order.certificate is None else str(order.certificate),
        )

    def _ask(self, question: Any, *arguments: Any, **options: Any) -> Any:
        try:
            self.authority.heard()
            return question(*arguments, **options)
        except Problem as problem:
            raise self._mapped(problem) from None

    def _mapped(self, problem: Problem) -> AcmeFailure:
        retry_at = None if problem.retry_after is None else self.authority.clock() + problem.retry_after
        if problem.kind == "rateLimited":
            return RateLimited(problem.detail, retry_at)
        if problem.status >= 500:
            return CaUnavailable(problem.detail, retry_at)
        return CaRefused(problem.detail, problem.kind)
