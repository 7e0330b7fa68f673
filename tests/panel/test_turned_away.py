"""How many reports the doors turned away: noted by domain and day, and told beside the figures that lack them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests import support_charts, support_web
from tests.support_api import Program, key_of
from tests.support_panel import announced

from trinco.core.errors import FeedUnavailable
from trinco.panel.domains import turned_away
from trinco.panel.domains.models import TurnedAway
from trinco.panel.domains.turned_away import KEPT, Missing
from trinco.panel.feeds import DatabaseInbox

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def today():
    return support_charts.today()


def noted():
    return list(TurnedAway.objects.everywhere().values_list("domain", "day", "reports"))


class TestNoted:
    """RELIABILITY 26: "reports were shed" shown."""

    def test_what_the_edges_say_is_added_up(self, domain, theirs, today):
        other = announced(theirs, "outro.example")
        inbox = DatabaseInbox()
        inbox.turned_away({domain.label: 95, other.label: 1, "nobodys": 7})
        DatabaseInbox().turned_away({domain.label: 5})
        assert noted() == [(domain.pk, today, 100), (other.pk, today, 1)]

    def test_more_than_a_column_holds_is_left_out(self, domain, today):
        for _ in range(2):
            turned_away.note({domain.label: 2**63}, today)
        assert noted() == [(domain.pk, today, 2**31 - 1)]

    def test_what_is_too_old_goes(self, domain, today):
        for ago in (KEPT + DAY, KEPT, DAY):
            turned_away.note({domain.label: 1}, today - ago)
        turned_away.note({domain.label: 1}, today)
        assert [day for _, day, _ in noted()] == [today - KEPT, today - DAY, today]

    def test_without_its_table_the_edge_says_so(self, domain, monkeypatch):
        monkeypatch.setattr(TurnedAway._meta, "db_table", "no_such_table")
        with pytest.raises(FeedUnavailable):
            DatabaseInbox().turned_away({domain.label: 1})


class TestTold:
    """Whoever looks at figures is told that some may be missing; of their own domains alone."""

    @pytest.fixture
    def flooded(self, domain, theirs, today):
        second = announced(domain.organisation, "casa.example")
        stranger = announced(theirs, "outro.example")
        turned_away.note({domain.label: 40, stranger.label: 7}, today - 3 * DAY)
        turned_away.note({domain.label: 2, second.label: 1}, today - DAY)
        turned_away.note({domain.label: 500}, today - 60 * DAY)
        return domain

    def test_of_a_range(self, flooded, today):
        ours = flooded.organisation
        assert turned_away.missing(ours, today - 29 * DAY, today) == Missing(43, today - DAY, 2)
        assert turned_away.missing(ours, today - 29 * DAY, today, flooded) == Missing(42, today - DAY, 1)
        assert turned_away.missing(ours, today, today) is None

    def test_by_the_api(self, flooded, today):
        owner = Program(key_of(support_web.owner_of(flooded.organisation)))
        about = [{"domain": "casa.example", "day": str(today - DAY), "attempts": 1}]
        assert owner.json("/reports/turned-away?domain=casa.example")["rows"] == about
        told = [
            *about,
            {"domain": flooded.name, "day": str(today - DAY), "attempts": 2},
            {"domain": flooded.name, "day": str(today - 3 * DAY), "attempts": 40},
        ]
        assert owner.json("/reports/turned-away?sender=google.com")["rows"] == told

    def test_on_the_pages(self, flooded, theirs):
        person = support_web.browser(support_web.owner_of(flooded.organisation))
        pages = {
            "/reports/": "43 attempts to deliver reports were turned away in this range",
            "/reports/sources/": "43 attempts to deliver reports were turned away in this range",
            "/reports/?domain=casa.example": "1 attempt to deliver a report was turned away in this range",
            f"/domains/{flooded.name}/": "42 attempts to deliver reports were turned away in this range",
        }
        for page, words in pages.items():
            assert words in support_web.text_of(person.get(page)), page
        stranger = support_web.browser(support_web.owner_of(theirs))
        said = support_web.text_of(stranger.get("/reports/"))
        assert "7 attempts to deliver reports were turned away in this range" in said

    def test_where_nothing_was_nothing_is_said(self, domain):
        person = support_web.browser(support_web.owner_of(domain.organisation))
        for page in ("/reports/", f"/domains/{domain.name}/"):
            assert "turned away" not in support_web.text_of(person.get(page))
