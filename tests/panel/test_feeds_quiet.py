"""Past an edge whose lease ran out goes only what the others acknowledged a while ago."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, live, organisation, standing

from trinco.core.mtasts.policy import Mode, Policy
from trinco.edge import fence, node
from trinco.panel import quiet
from trinco.panel.feeds import DatabaseFeed
from trinco.panel.policies import services as policies
from trinco.panel.policies.gate import CONTACT
from trinco.panel.policies.models import EdgeNode
from trinco.panel.quiet import QUIET, Quiet


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time():
    return Time()


class TestQuiet:
    """RELIABILITY 5, 3: a cut-off edge is silent a moment after one that it reaches is ahead; that moment is waited for."""

    @pytest.fixture
    def word(self, time):
        return Quiet(time)

    def live(self, word, time, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            time.now += 0.1
            word.pass_by()

    def test_nothing_is_settled_at_first(self, word):
        assert word.settled() is None

    def test_a_word_settles_after_the_time_and_not_before(self, word, time):
        word.begin(7)
        self.live(word, time, QUIET - 0.2)
        assert word.settled() is None
        self.live(word, time, 0.4)
        assert word.settled() == 7

    def test_later_words_do_not_keep_earlier_ones_waiting(self, word, time):
        for revision in range(1, 101):
            word.begin(revision)
            self.live(word, time, 0.1)
        assert word.settled() == 100 - round(QUIET * 10) + 1

    def test_a_word_said_again_does_not_start_again(self, word, time):
        word.begin(7)
        self.live(word, time, QUIET - 0.1)
        word.begin(7)
        self.live(word, time, 0.2)
        assert word.settled() == 7

    def test_what_was_told_is_told_once(self, word, time):
        word.begin(7)
        self.live(word, time, QUIET + 0.1)
        word.told(7)
        assert word.settled() is None

    def test_a_word_from_before_a_new_registration_counts_no_more(self, word, time):
        word.begin(7)
        word.forget()
        self.live(word, time, QUIET + 0.1)
        assert word.settled() is None

    def test_time_in_which_the_edge_was_stopped_does_not_count(self, word, time):
        word.begin(7)
        time.now += 3600
        word.pass_by()
        assert word.settled() is None

    def test_the_constants_fit_together(self):
        assert 1.1 * max(fence.MOMENT, fence.LEASE - fence.MARGIN) < QUIET
        assert fence.MOMENT > 2 * node.LOOK + 0.5  # a look that waits for who is not there leaves no gap
        assert CONTACT.total_seconds() < fence.MARGIN


@pytest.mark.django_db
class TestPastADeadEdge:
    """RFC 8461 section 8.1: the id follows when every edge that may still answer has the body."""

    @pytest.fixture
    def domain(self):
        return live(organisation())

    @pytest.fixture
    def feed(self, settings, time, monkeypatch):
        """An edge beside one whose lease ran out."""
        monkeypatch.setattr(quiet.Quiet.__init__, "__defaults__", (time,))
        feed, dead = (DatabaseFeed(name, settings.CONFIG.zone) for name in ("edge1", "edge2"))
        feed.register(None)
        dead.register(None)
        EdgeNode.objects.filter(name="edge2").update(lease_until=timezone.now() - timedelta(seconds=1))
        return feed

    def wait(self, feed, time, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            time.now += 0.25
            feed.revision()

    def test_the_announcement_waits_a_moment_and_no_longer(self, domain, feed, time):
        feed.acknowledge(domain.revision, [])
        self.wait(feed, time, QUIET - 0.25)
        assert policies.announce_due(timezone.now()) == 0
        self.wait(feed, time, 0.5)
        assert standing(domain).announced == standing(domain).current

    def test_without_a_dead_one_it_does_not_wait(self, domain, feed):
        EdgeNode.objects.filter(name="edge2").delete()
        feed.acknowledge(domain.revision, [])
        assert standing(domain).announced is not None

    def test_what_is_settled_says_nothing_of_the_next_policy(self, domain, feed, time):
        feed.acknowledge(domain.revision, [])
        self.wait(feed, time, QUIET + 0.5)
        policies.publish(domain=domain, policy=Policy(Mode.NONE, (), 86_400), actor=ANA)
        feed.acknowledge(domain.revision, [])
        assert standing(domain).announced.number == 1
        self.wait(feed, time, QUIET + 0.5)
        assert standing(domain).announced.number == 2

    def test_who_registers_anew_settles_anew(self, domain, feed, time):
        feed.acknowledge(domain.revision, [])
        self.wait(feed, time, QUIET - 0.5)
        feed.register(None)
        feed.acknowledge(domain.revision, [])
        self.wait(feed, time, QUIET - 0.5)
        assert standing(domain).announced is None

    def test_a_database_that_fails_is_told_the_next_time(self, domain, feed, time, monkeypatch):
        feed.acknowledge(domain.revision, [])
        monkeypatch.setattr("trinco.panel.feeds.announce_due", lambda now: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            self.wait(feed, time, QUIET + 0.5)
        monkeypatch.undo()
        self.wait(feed, time, 0.25)
        assert standing(domain).announced is not None
