"""A change is taken over domain by domain, and a whole one costs no more than what it changes."""

from __future__ import annotations

import asyncio

import dns.message
from msgspec.structs import replace
from tests.edge.publications import CHAIN, ZONE, change, hosted, label_of, publication

from trinco.core.hosting import Change, Publication
from trinco.edge import serving as module
from trinco.edge.serving import Serving, difference


def whole(published: Publication) -> Change:
    return Change(published.revision, ZONE, tuple(published.domains.values()), (), published.chains, whole=True)


def txt(serving: Serving, number: int) -> str:
    query = dns.message.make_query(f"{label_of(number)}.mta-sts.trinco.example", "TXT")
    reply = dns.message.from_wire(serving.answers.answer(query.to_wire(), tcp=False))
    return " ".join(rdata.to_text() for rrset in reply.answer for rdata in rrset)


def body(serving: Serving, number: int) -> bytes | None:
    found = serving.table.hosted(f"mta-sts.d{number}.example".encode())
    return found.policy if found else None


class TestTake:
    """RFC 8461 section 8.1: the body first, the id second, for each domain."""

    def test_all_three_forms_say_the_same(self):
        serving = Serving(publication(3))
        taken = change(2, 1, removed=(label_of(0),))
        assert asyncio.run(serving.take(taken)) == taken
        assert serving.held == publication(3).apply(taken)
        assert [body(serving, number) for number in range(3)] == [None, hosted(1, 2).policy, hosted(2, 1).policy]
        assert [txt(serving, number) for number in range(3)] == ["", *['"v=STSv1; id=20260101T000000Z0badcafe;"'] * 2]

    def test_many_at_once_are_taken_in_portions(self, monkeypatch):
        monkeypatch.setattr(module, "PORTION", 10)
        serving = Serving(publication(40))
        taken = change(2, *range(35))
        asyncio.run(serving.take(taken))
        assert [body(serving, number) for number in range(40)] == [
            hosted(number, 2 if number < 35 else 1).policy for number in range(40)
        ]

    def test_a_reader_in_between_never_sees_an_id_without_its_body(self, monkeypatch):
        """A reader that runs whenever the event loop lets it: for each domain the old pair or the new pair."""
        monkeypatch.setattr(module, "PORTION", 5)
        serving = Serving(publication(30))
        renamed = tuple(replace(hosted(number, 2), policy_id="20270101T000000Z0badcafe") for number in range(30))
        seen = set()

        async def read() -> None:
            while serving.held.revision == 1 or body(serving, 29) != hosted(29, 2).policy:
                seen.update((body(serving, n) == hosted(n, 2).policy, "2027" in txt(serving, n)) for n in range(30))
                await asyncio.sleep(0)

        async def both() -> None:
            await asyncio.gather(read(), serving.take(Change(2, ZONE, renamed)))

        asyncio.run(both())
        assert seen == {(False, False), (True, True)}

    def test_a_whole_change_forgets_what_is_not_in_it(self):
        serving = Serving(publication(3))
        after = Publication(9, ZONE, {label_of(1): hosted(1, 9), label_of(2): hosted(2, 1)}, {CHAIN: (b"issuer",)})
        narrow = asyncio.run(serving.take(whole(after)))
        assert narrow == Change(9, ZONE, (hosted(1, 9),), (label_of(0),), {CHAIN: (b"issuer",)})
        assert serving.held == after
        assert body(serving, 0) is None


class TestDifference:
    """After a restore every revision is another one, and hardly any content."""

    def test_the_revision_alone_is_no_difference(self):
        held = publication(2)
        touched = tuple(replace(domain, revision=99) for domain in held.domains.values())
        assert difference(held, Change(99, ZONE, touched, whole=True)) == Change(99, ZONE)

    def test_each_field_that_is_served_is_one(self):
        held = publication(1)
        for fields in (
            {"policy": b"other"},
            {"policy_id": None},
            {"tlsrpt": None},
            {"certificate": None},
        ):
            other = replace(hosted(0, 1), **fields)
            assert difference(held, Change(2, ZONE, (other,), whole=True)).changed == (other,)
