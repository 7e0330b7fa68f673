"""Tags of domains and saved filters: the deeds, their lines in the log, and what they refuse."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests import support_panel
from tests.support_panel import ANA, hosted

from trinco.core.errors import TagSyntaxError
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains import filters, tags
from trinco.panel.domains.errors import NameTaken, NoSuchTag, TooManyFilters, TooManyTags
from trinco.panel.domains.finding import Wanted, fitting
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.domains.tag_models import SavedFilter, Tag


@pytest.fixture
def three(ours: Organisation) -> list[HostedDomain]:
    return [hosted(ours, f"{name}.example") for name in ("alpha", "bravo", "charlie")]


def put(owner: Organisation, domains: list[HostedDomain], *names: str) -> int:
    return tags.put_on(organisation=owner, domains=domains, names=names, actor=ANA)


def take(owner: Organisation, domains: list[HostedDomain], *names: str) -> int:
    return tags.take_off(organisation=owner, domains=domains, names=names, actor=ANA)


def on(owner: Organisation) -> dict[str, list[str]]:
    return {domain.name: tags.names_of(domain) for domain in HostedDomain.objects.of(owner)}


def lines(owner: Organisation, action: str) -> list[tuple[str, object, object]]:
    found = AuditEntry.objects.of(owner).filter(action=action).order_by("number")
    return [(line.subject, line.before, line.after) for line in found]


class TestPutAndTake:
    """A small set of short names per organisation, put on and taken off domains one by one and in bulk."""

    def test_on_some(self, ours: Organisation, three: list[HostedDomain]) -> None:
        assert put(ours, three[:2], "North", "gov") == 2
        assert on(ours) == {"alpha.example": ["gov", "North"], "bravo.example": ["gov", "North"], "charlie.example": []}

    def test_a_tag_is_one_whatever_its_case(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three[:1], "North")
        assert put(ours, three, "NORTH") == 2
        assert [tag.name for tag in Tag.objects.of(ours)] == ["North"]

    def test_off_again(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three, "north", "gov")
        assert take(ours, three[1:], "NORTH", "unheard of") == 2
        assert on(ours) == {"alpha.example": ["gov", "north"], "bravo.example": ["gov"], "charlie.example": ["gov"]}

    def test_exactly_these(self, three: list[HostedDomain]) -> None:
        change = [
            tags.set_tags(domain=three[0], names=names, actor=ANA) for names in (["a", "b"], ["B", "c"], ["c", "b"])
        ]
        assert (change, tags.names_of(three[0])) == ([True, True, False], ["b", "c"])

    def test_each_change_has_its_line(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three[:2], "north")
        put(ours, three[:2], "north")
        take(ours, three[:1], "north")
        none, north = {"tags": []}, {"tags": ["north"]}
        assert lines(ours, "domain.tagged") == [
            ("alpha.example", none, north),
            ("bravo.example", none, north),
            ("alpha.example", north, none),
        ]

    def test_what_is_none_changes_nothing(self, ours: Organisation, three: list[HostedDomain]) -> None:
        with pytest.raises(TagSyntaxError):
            put(ours, three, "good", "a\u202eb")
        assert not Tag.objects.of(ours).exists()

    def test_a_stranger_s_domain_gets_none(
        self, ours: Organisation, theirs: Organisation, three: list[HostedDomain]
    ) -> None:
        assert put(theirs, three, "north") == 0
        assert on(ours) == {domain.name: [] for domain in three}

    def test_a_domain_that_was_given_up_gets_none(self, ours: Organisation, three: list[HostedDomain]) -> None:
        HostedDomain.objects.of(ours).filter(pk=three[0].pk).update(state=State.GONE)
        assert put(ours, three, "north") == 2


class TestBounds:
    def test_a_hundred_tags(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three[:1], *(f"t{number}" for number in range(tags.MOST)))
        with pytest.raises(TooManyTags):
            put(ours, three[:1], "one more")
        assert put(ours, three[1:], "t7") == 2

    def test_three_hundred_domains_cost_hardly_more_queries_than_ten(self, ours: Organisation) -> None:
        """SQLite takes some 70 lines of the log in one statement."""
        many = [HostedDomain(organisation=ours, name=f"d{n}.example", label=f"l{n}") for n in range(300)]
        HostedDomain.objects.everywhere().bulk_create(many)
        rows = list(HostedDomain.objects.of(ours))
        put(ours, rows, "known")
        asked = []
        for some, name in ((rows[:10], "few"), (rows, "many")):
            with CaptureQueriesContext(connection) as queries:
                put(ours, some, name)
            asked.append(len(queries))
        assert asked[1] - asked[0] <= 5
        assert asked[1] < 22


class TestRename:
    def test_on_all_its_domains(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three[:2], "north")
        tags.rename(tag=Tag.objects.of(ours).get(), name="North", actor=ANA)
        tags.rename(tag=Tag.objects.of(ours).get(), name="North", actor=ANA)
        assert on(ours)["alpha.example"] == ["North"]
        assert lines(ours, "tag.renamed") == [("North", {"name": "north"}, {"name": "North"})]

    def test_a_name_that_another_has(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three, "north", "south")
        with pytest.raises(NameTaken):
            tags.rename(tag=Tag.objects.of(ours).get(key="south"), name="NORTH", actor=ANA)

    def test_two_organisations_may_have_the_same(self, ours: Organisation, theirs: Organisation) -> None:
        put(ours, [hosted(ours)], "north")
        put(theirs, [hosted(theirs)], "north")
        assert [Tag.objects.of(owner).count() for owner in (ours, theirs)] == [1, 1]


class TestRemove:
    def test_off_all_its_domains(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three[:2], "north", "gov")
        tags.remove(tag=Tag.objects.of(ours).get(key="north"), actor=ANA)
        assert on(ours)["alpha.example"] == ["gov"]
        assert lines(ours, "tag.removed") == [("north", {"domains": 2}, {})]

    def test_filters_that_ask_for_it_go_with_it(self, ours: Organisation, three: list[HostedDomain]) -> None:
        """Without it they would show, and change, more than was meant."""
        put(ours, three, "north")
        filters.save(organisation=ours, name="mine", asked={"tag": "NORTH", "mode": "none"}, actor=ANA)
        tags.remove(tag=Tag.objects.of(ours).get(), actor=ANA)
        assert not SavedFilter.objects.of(ours).exists()

    def test_how_many_each_is_on(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three, "north")
        put(ours, three[:1], "gov")
        HostedDomain.objects.of(ours).filter(pk=three[2].pk).update(state=State.GONE)
        assert [(tag.name, tag.domains) for tag in tags.counted(ours)] == [("gov", 1), ("north", 2)]


class TestSavedFilters:
    def test_kept_by_name(self, ours: Organisation, three: list[HostedDomain]) -> None:
        put(ours, three, "north")
        saved = filters.save(organisation=ours, name="The north", asked={"tag": "north", "q": "x"}, actor=ANA)
        assert (saved.name, saved.asked, saved.tag) == ("The north", {"q": "x"}, Tag.objects.of(ours).get())
        assert lines(ours, "filter.saved") == [("The north", {}, {"asked": {"tag": "north", "q": "x"}})]

    def test_renamed_and_removed(self, ours: Organisation) -> None:
        saved = filters.save(organisation=ours, name="one", asked={"q": "x"}, actor=ANA)
        filters.rename(saved=saved, name="two", actor=ANA)
        filters.rename(saved=saved, name="two", actor=ANA)
        filters.remove(saved=saved, actor=ANA)
        filters.remove(saved=saved, actor=ANA)
        assert lines(ours, "filter.renamed") == [("two", {"name": "one"}, {"name": "two"})]
        assert lines(ours, "filter.removed") == [("two", {}, {})]

    def test_what_is_refused(self, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        one, two = (filters.save(organisation=ours, name=name, asked={"q": "x"}, actor=ANA) for name in ("one", "two"))
        with pytest.raises(NameTaken):
            filters.save(organisation=ours, name="ONE", asked={"q": "y"}, actor=ANA)
        with pytest.raises(NameTaken):
            filters.rename(saved=two, name=one.name, actor=ANA)
        with pytest.raises(NoSuchTag):
            filters.save(organisation=ours, name="three", asked={"tag": "north"}, actor=ANA)
        monkeypatch.setattr(filters, "MOST", 2)
        with pytest.raises(TooManyFilters):
            filters.save(organisation=ours, name="three", asked={"q": "y"}, actor=ANA)
        assert [each.name for each in SavedFilter.objects.of(ours)] == ["one", "two"]


class TestFinding:
    """Filters of the list, combined."""

    def found(self, owner: Organisation, **wanted: object) -> list[str]:
        rows = fitting(HostedDomain.objects.of(owner), Wanted(**wanted))  # type: ignore[arg-type]
        return [row.name for row in rows.order_by("name")]

    def test_alone_and_together(self, ours: Organisation, three: list[HostedDomain]) -> None:
        live = support_panel.live(ours, "delta.example")
        put(ours, [three[0], live], "North")
        assert self.found(ours, tag="NORTH") == ["alpha.example", "delta.example"]
        assert self.found(ours, state=State.LIVE) == ["delta.example"]
        assert self.found(ours, mode="testing") == ["delta.example"]
        assert self.found(ours, mode="enforce") == []
        assert self.found(ours, tag="north", state=State.SETUP, levels=(Level.SETUP,)) == ["alpha.example"]
        assert self.found(ours, tag="north", search="delt") == ["delta.example"]
        assert self.found(ours, tag="south") == []
