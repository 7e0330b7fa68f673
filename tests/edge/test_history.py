"""The past changes that a secondary may be given as a difference."""

from __future__ import annotations

from dnszone import LABEL, LONG, PUBLICATION, WAITING, ZONE, hosted
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trinco.core.hosting import Certificate, Change, HostedDomain, Publication
from trinco.edge.history import History


class Told:
    """A history, and what it is told as `Serving` does."""

    def __init__(self, held: Publication = PUBLICATION, labels: int = 100) -> None:
        self.history = History(held, labels)
        self.held = held

    def take(self, *changed: HostedDomain, removed: tuple[str, ...] = (), **how: object) -> None:
        change = Change(
            **{"revision": self.held.revision + 1, "zone": ZONE, "changed": changed, "removed": removed, **how}
        )  # type: ignore[arg-type]
        before, self.held = self.held, self.held.apply(change)
        self.history.take(before, self.held, change)


def slim(label: str, **more: object) -> HostedDomain:
    return replace(hosted(label, **more), revision=0)


class TestDifference:
    """RFC 1995 6: several versions condensed into one: what was before the first, and what is after the last."""

    def test_one_step(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="5"), removed=(LONG,))
        old = replace(PUBLICATION.domains[LONG], revision=0)
        assert set(told.history.since(7) or ()) == {(old, None), (slim(WAITING), slim(WAITING, policy_id="5"))}

    def test_from_any_step(self) -> None:
        told = Told()
        for policy_id in "123":
            told.take(hosted(WAITING, policy_id=policy_id))
        new = slim(WAITING, policy_id="3")
        assert told.history.since(7) == ((slim(WAITING), new),)
        assert told.history.since(8) == ((slim(WAITING, policy_id="1"), new),)
        assert told.history.since(9) == ((slim(WAITING, policy_id="2"), new),)
        assert told.history.since(10) is None
        assert told.history.since(6) is None

    def test_revisions_that_were_skipped_are_not_known(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="5"), revision=12)
        assert [told.history.since(serial) is not None for serial in (7, 8, 11, 12)] == [True, False, False, False]

    def test_what_is_not_in_dns_is_not_kept(self) -> None:
        told, certificate = Told(), Certificate(b"leaf", "c", b"key", 1)
        told.take(replace(PUBLICATION.domains[LABEL], policy=b"new body", certificate=certificate))
        assert told.history.since(7) == ()

    @given(
        st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=4), max_size=8), st.integers(0, 8)
    )
    def test_leads_from_any_known_version_to_the_newest(self, rounds: list[list[tuple[int, int]]], start: int) -> None:
        """A secondary that applies it holds what we hold."""
        told, states = Told(Publication(7, ZONE)), [{}]
        for deeds in map(dict, rounds):
            changed = tuple(hosted(f"l{label}", policy_id=str(word)) for label, word in deeds.items() if word)
            told.take(*changed, removed=tuple(f"l{label}" for label, word in deeds.items() if not word))
            states.append({label: domain.policy_id for label, domain in told.held.domains.items()})
        start = min(start, len(rounds))
        difference = told.history.since(7 + start)
        if difference is not None:
            state = dict(states[start])
            for old, new in difference:
                if old is not None:
                    assert state.pop(old.label) == old.policy_id
                if new is not None:
                    state[new.label] = new.policy_id
            assert state == states[-1]


class TestBound:
    """It is bounded by labels, not by steps alone: one change of many domains pushes out what came before."""

    def test_the_oldest_goes_first(self) -> None:
        told = Told(labels=5)
        for number in range(8):
            told.take(hosted(f"l{number}", policy_id="1"))
        assert [told.history.since(serial) is not None for serial in range(7, 15)] == [False] * 3 + [True] * 5

    def test_a_change_that_is_too_large_by_itself(self) -> None:
        told = Told(labels=5)
        told.take(hosted(WAITING, policy_id="5"))
        told.take(*(hosted(f"l{number}", policy_id="1") for number in range(6)))
        assert [told.history.since(serial) for serial in (7, 8)] == [None, None]
        told.take(hosted(WAITING, policy_id="6"))
        assert told.history.since(9) == ((slim(WAITING, policy_id="5"), slim(WAITING, policy_id="6")),)


class TestForgotten:
    """A serial stands for one content at every edge; where it may not, the whole zone is given."""

    def known(self, told: Told) -> bool:
        return told.history.since(7) is not None

    def test_before_another_zone(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="5"))
        assert self.known(told)
        told.take(hosted(WAITING, policy_id="6"), zone=replace(ZONE, policy_addresses=("192.0.2.99",)))
        assert not self.known(told)

    def test_not_for_what_of_the_zone_is_not_in_dns(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="6"), zone=replace(ZONE, reports_certificate=Certificate(b"", "", b"", 1)))
        assert self.known(told)

    def test_before_a_revision_in_which_nothing_changed(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="5"))
        told.take()
        assert not self.known(told)

    def test_not_by_a_look_at_everything_that_finds_nothing_new(self) -> None:
        """It comes daily, and whenever a lease was lost and had again."""
        told, heard = Told(), list[int]()
        told.take(hosted(WAITING, policy_id="5"))
        told.history.told.append(lambda: heard.append(1))
        told.take(revision=told.held.revision)
        assert (self.known(told), heard) == (True, [])

    def test_around_a_revision_that_has_some_of_the_next(self) -> None:
        told = Told()
        told.take(replace(hosted(WAITING, policy_id="5"), revision=9))
        assert not self.known(told)
        told.take(replace(hosted(WAITING, policy_id="5"), revision=9))
        assert told.history.since(8) is None
        told.take(hosted(WAITING, policy_id="6"))
        assert told.history.since(9) == ((slim(WAITING, policy_id="5"), slim(WAITING, policy_id="6")),)

    def test_when_something_was_missed_at_the_same_revision(self) -> None:
        told = Told()
        told.take(hosted(WAITING, policy_id="5"))
        told.take(hosted(WAITING, policy_id="6"), revision=8)
        assert not self.known(told)
        assert told.history.publication == told.held
