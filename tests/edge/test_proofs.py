"""What an edge has seen itself serve, and what it says about the rest."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.edge.publications import ZONE, change, hosted, label_of, publication

from trinco.core.errors import NoPolicy
from trinco.core.hosting import Change, HostedDomain, Publication
from trinco.core.names import Domain
from trinco.edge import proofs as module
from trinco.edge.proofs import AT_ONCE, SAMPLE, TRIES, Proofs, is_announced


def announced(number: int, revision: int = 1) -> HostedDomain:
    domain = hosted(number, revision)
    return replace(domain, policy_id="20260101T000000Z" + hashlib.sha256(domain.policy or b"").hexdigest()[:8])


class Host:
    """What the public listener would answer: `served` by domain; a name that is not in it cannot be fetched."""

    def __init__(self, held: Publication) -> None:
        self.held = held
        self.served = {str(domain.domain): domain.policy or b"" for domain in held.domains.values()}
        self.fetched: list[str] = []
        self.open = True
        self.at_once = self.most_at_once = 0
        self.proofs = Proofs(self.fetch, lambda: self.held, lambda: self.open)

    async def fetch(self, domain: Domain) -> bytes:
        self.fetched.append(str(domain))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if str(domain) not in self.served:
            raise NoPolicy("no answer")
        return self.served[str(domain)]

    def take(self, one: Change) -> None:
        before, self.held = self.held, self.held.apply(one)
        self.served.update((str(domain.domain), domain.policy or b"") for domain in one.changed)
        self.proofs.change(before.domains, one)

    def finish(self) -> None:
        async def steps() -> None:
            while self.proofs.unfinished:
                await self.proofs.step()

        asyncio.run(steps())


class TestBegin:
    """The gate needs a word on every body whose id is not announced; of the others a sample tells that all is in order."""

    def test_every_domain_that_waits_for_its_id_is_fetched(self):
        waiting = {label_of(number): hosted(number, 1) for number in range(100)}
        host = Host(Publication(1, ZONE, waiting))
        asyncio.run(host.proofs.begin(host.held))
        host.finish()
        assert sorted(host.fetched) == sorted(f"d{number}.example" for number in range(100))
        assert (host.proofs.proven(1), host.proofs.failing) == (1, [])

    def test_of_the_announced_a_sample(self):
        host = Host(Publication(1, ZONE, {label_of(number): announced(number) for number in range(100)}))
        asyncio.run(host.proofs.begin(host.held))
        host.finish()
        assert len(set(host.fetched)) == len(host.fetched) == SAMPLE

    def test_what_changed_meanwhile_is_not_taken_for_what_was(self):
        host = Host(publication(3))
        before = host.held
        host.take(change(2, 1))
        host.take(change(3, removed=(label_of(2),)))
        asyncio.run(host.proofs.begin(before))
        assert host.proofs.proven(3) == 0
        host.finish()
        assert (sorted(host.fetched), host.proofs.proven(3)) == (["d0.example", "d1.example"], 3)

    def test_what_is_not_served_is_not_fetched(self):
        host = Host(Publication(1, ZONE, {label_of(0): hosted(0, 1, policy=None, policy_id=None, certificate=None)}))
        asyncio.run(host.proofs.begin(host.held))
        assert not host.proofs.unfinished


class TestChange:
    """RELIABILITY 5, 1: each edge fetches what changed over its own public listener and compares."""

    def setup_method(self):
        self.host = Host(publication(10))

    def test_a_changed_body_is_fetched(self):
        self.host.take(change(2, 4))
        self.host.finish()
        assert self.host.fetched == ["d4.example"]

    def test_a_changed_certificate_is_fetched(self):
        before = self.host.held.domains[label_of(4)]
        assert before.certificate
        renewed = replace(before, revision=2, certificate=replace(before.certificate, leaf=b"renewed"))
        self.host.take(Change(2, ZONE, (renewed,)))
        self.host.finish()
        assert self.host.fetched == ["d4.example"]

    def test_an_announced_id_is_not_worth_a_fetch(self):
        before = self.host.held.domains[label_of(4)]
        self.host.take(Change(2, ZONE, (replace(before, revision=2, policy_id="20270101T000000Z00000000"),)))
        assert not self.host.proofs.unfinished

    def test_nothing_is_proven_beyond_what_waits(self):
        self.host.take(change(2, 1))
        self.host.take(change(3, 2))
        assert self.host.proofs.proven(3) == 1
        self.host.finish()
        assert self.host.proofs.proven(3) == 3

    def test_nothing_is_proven_beyond_what_is_asked(self):
        self.host.take(change(9, 1))
        assert self.host.proofs.proven(5) == 5

    def test_what_is_removed_is_not_waited_for(self):
        self.host.take(change(2, 1))
        self.host.take(change(3, removed=(label_of(1),)))
        assert (self.host.proofs.unfinished, self.host.proofs.proven(3)) == (False, 3)

    def test_a_change_during_the_fetch_is_fetched_again(self):
        self.host.take(change(2, 1))

        async def both() -> None:
            step = asyncio.create_task(self.host.proofs.step())
            await asyncio.sleep(0)
            self.host.take(change(3, 1))
            await step

        asyncio.run(both())
        assert self.host.proofs.proven(3) == 2
        self.host.finish()
        assert (self.host.proofs.proven(3), self.host.proofs.failing) == (3, [])

    def test_a_few_at_once(self):
        self.host.take(change(2, *range(10)))
        self.host.finish()
        assert self.host.most_at_once == AT_ONCE

    def test_a_batch_at_a_time_the_oldest_first(self, monkeypatch):
        monkeypatch.setattr(module, "BATCH", 2)
        for revision in range(2, 6):
            self.host.take(change(revision, revision))
        asyncio.run(self.host.proofs.step())
        assert sorted(self.host.fetched) == ["d2.example", "d3.example"]
        assert self.host.proofs.proven(5) == 3


class TestFailing:
    """RFC 8461 section 8.1 by way of the gate: no id is announced for a policy that cannot be fetched."""

    def setup_method(self):
        self.host = Host(publication(10))

    def test_one_that_does_not_answer(self):
        self.host.take(change(2, 1))
        del self.host.served["d1.example"]
        with capture_logs() as lines:
            self.host.finish()
        assert (self.host.proofs.proven(2), self.host.proofs.failing) == (2, [label_of(1)])
        assert self.host.fetched == ["d1.example"] * TRIES
        event = {"event": "policy_not_served", "log_level": "warning", "domains": 1}
        assert lines == [{**event, "first": label_of(1), "reason": "no answer"}]

    def test_one_that_serves_another_body(self):
        self.host.take(change(2, 1))
        self.host.served["d1.example"] = hosted(1, 1).policy or b""
        self.host.finish()
        assert self.host.proofs.failing == [label_of(1)]

    @pytest.mark.parametrize("fields", [{"certificate": None}])
    def test_one_without_a_certificate_is_not_even_fetched(self, fields):
        self.host.take(Change(2, ZONE, (hosted(1, 2, **fields),)))
        with capture_logs() as lines:
            self.host.finish()
        assert (self.host.fetched, self.host.proofs.failing, lines) == ([], [label_of(1)], [])

    def test_the_certificate_comes(self):
        self.host.take(Change(2, ZONE, (hosted(1, 2, certificate=None),)))
        self.host.finish()
        self.host.take(change(3, 1))
        self.host.finish()
        assert self.host.proofs.failing == []

    def test_one_failure_may_be_chance(self):
        self.host.take(change(2, 1))
        body = self.host.served.pop("d1.example")
        asyncio.run(self.host.proofs.step())
        self.host.served["d1.example"] = body
        self.host.finish()
        assert self.host.proofs.failing == []

    def test_it_is_tried_again(self):
        self.host.take(change(2, 1))
        body = self.host.served.pop("d1.example")
        self.host.finish()
        asyncio.run(self.host.proofs.again())
        assert self.host.proofs.failing == [label_of(1)]
        self.host.served["d1.example"] = body
        asyncio.run(self.host.proofs.again())
        assert self.host.proofs.failing == []

    def test_it_goes_with_its_domain(self):
        self.host.take(change(2, 1))
        del self.host.served["d1.example"]
        self.host.finish()
        self.host.take(change(3, removed=(label_of(1),)))
        assert self.host.proofs.failing == []

    def test_nothing_is_concluded_behind_the_fence(self):
        self.host.take(change(2, 1))
        body = self.host.served.pop("d1.example")
        self.host.open = False
        for _ in range(TRIES + 1):
            asyncio.run(self.host.proofs.step())
        assert (self.host.proofs.possible, self.host.proofs.failing, self.host.proofs.proven(2)) == (False, [], 1)
        self.host.open, self.host.served["d1.example"] = True, body
        self.host.finish()
        assert (self.host.proofs.failing, self.host.proofs.proven(2)) == ([], 2)


class TestAnnounced:
    """An id ends in the beginning of its body's hash."""

    def test_it_is(self):
        assert is_announced(announced(1))

    @pytest.mark.parametrize("fields", [{"policy_id": None}, {"policy": None}, {"policy": b"newer"}])
    def test_it_is_not(self, fields):
        assert not is_announced(replace(announced(1), **fields))
