"""Writing for many at once: a silent server costs its owner's time, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Self

import pytest
from django.utils import timezone
from tests import support_panel
from tests.support_panel import ANA

from trinco.net.dnsbooks import Access
from trinco.net.dnstexts import TextPlace
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks import publishing
from trinco.panel.checks.publishing import publish_due
from trinco.panel.domains.models import HostedDomain, KeptAccess
from trinco.panel.policies.kept import keep_access
from trinco.panel.policies.ways import set_ways


class Books:
    """Conversations with servers that say nothing until they are let go, and with others that answer at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.began: list[str] = []
        self.wrote: list[str] = []
        self.together = self.most = 0

    def open(self, zone: str, access: Access, _guard: Any) -> Book:
        with self.lock:
            self.began.append(zone)
            self.together += 1
            self.most = max(self.most, self.together)
        return Book(self, access.credentials["auth_token"] == "silent")


class Book:
    def __init__(self, books: Books, silent: bool) -> None:
        self.books, self.silent = books, silent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self.books.lock:
            self.books.together -= 1

    def at(self, _name: str) -> tuple[()]:
        if self.silent:
            self.books.go.wait(60)
        return ()

    def say(self, place: TextPlace) -> None:
        self.books.wrote.append(place.wanted.name)


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    books = Books()
    monkeypatch.setattr(publishing.dnsbooks, "book", books.open)
    monkeypatch.setattr(publishing, "SECONDS", 0.3)
    yield books
    books.go.set()
    publishing.futures.wait(publishing._in_hand)
    publishing._in_hand.clear()


def domain(owner: Organisation, name: str, token: str) -> HostedDomain:
    made = support_panel.live(owner, name)
    keep_access(domain=made, actor=ANA, access=Access("cloudflare", {"auth_token": token}))
    set_ways(domain=made, actor=ANA, tlsrpt="provider")
    made.records.all().delete()
    return made


def troubles() -> dict[str, str]:
    tried = KeptAccess.objects.everywhere().exclude(tried_at=None)
    return dict(tried.values_list("domain__name", "trouble"))


class TestSilence:
    def test_one_tenant_has_two_at_once_and_the_others_go_on(
        self, ours: Organisation, theirs: Organisation, books: Books
    ) -> None:
        for number in range(4):
            domain(ours, f"d{number}.example", "silent")
        domain(theirs, "quick.example", "quick")
        assert publish_due(timezone.now()) == 3
        assert sorted(books.began) == ["d0.example", "d1.example", "quick.example"]
        assert troubles() == {"d0.example": "silence", "quick.example": "taken", "d1.example": "silence"}
        assert books.wrote == ["_smtp._tls.quick.example"]

    def test_a_provider_with_all_its_clients_has_half(
        self, ours: Organisation, theirs: Organisation, books: Books
    ) -> None:
        for number in range(9):
            client = Organisation.objects.create(name=f"Cliente {number}", parent=ours)
            domain(client, f"d{number}.example", "silent")
        domain(theirs, "quick.example", "quick")
        assert publish_due(timezone.now()) == 9
        assert (len(books.began), books.wrote) == (9, ["_smtp._tls.quick.example"])

    def test_who_waits_is_due_as_before_and_has_its_whole_time(self, ours: Organisation, books: Books) -> None:
        made = [domain(ours, f"d{number}.example", "silent") for number in range(3)]
        due = KeptAccess.objects.everywhere().get(domain=made[2]).due_at
        assert publish_due(timezone.now()) == 2
        assert KeptAccess.objects.everywhere().get(domain=made[2]).due_at == due
        books.go.set()
        publishing.futures.wait(publishing._in_hand)
        assert publish_due(timezone.now()) == 1
        assert (books.most, troubles()["d2.example"]) == (2, "taken")

    def test_a_thread_that_does_not_end_keeps_its_owners_place(self, ours: Organisation, books: Books) -> None:
        for number in range(2):
            domain(ours, f"d{number}.example", "silent")
        assert publish_due(timezone.now()) == 2
        KeptAccess.objects.everywhere().update(due_at=timezone.now() - timedelta(minutes=1))
        assert publish_due(timezone.now()) == 0
        assert len(books.began) == 2
        books.go.set()
        publishing.futures.wait(publishing._in_hand)
        assert publish_due(timezone.now()) == 2
        assert sorted(books.wrote) == ["_smtp._tls.d0.example", "_smtp._tls.d1.example"]

    def test_what_needs_no_writing_takes_nobodys_place(self, ours: Organisation, books: Books) -> None:
        for number in range(5):
            support_panel.sight(domain(ours, f"d{number}.example", "quick"))
        domain(ours, "wants.example", "quick")
        assert publish_due(timezone.now()) == 1
        assert books.wrote == ["_smtp._tls.wants.example"]

    def test_the_lease_outlives_the_conversation(self) -> None:
        assert publishing.LEASE.total_seconds() > 2 * 45
