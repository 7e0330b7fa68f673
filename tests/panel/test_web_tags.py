"""The list by its filters, tags on the pages, and saved filters."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.domains import filters, tags
from trinco.panel.domains.models import HostedDomain, Level
from trinco.panel.domains.tag_models import SavedFilter, Tag
from trinco.panel.policies import services

HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


@pytest.fixture
def four(ours: Organisation) -> dict[str, HostedDomain]:
    """Two wait for DNS, one tests, one enforces; two are in the north."""
    found = {name: support_panel.hosted(ours, f"{name}.example") for name in ("alpha", "bravo")}
    found["charlie"] = support_web.ready(ours, "charlie.example")
    found["delta"] = support_web.ready(ours, "delta.example")
    policy = services.proposed(found["delta"], Mode.ENFORCE)
    services.publish(domain=found["delta"], policy=policy, actor=support_panel.ANA)
    support_web.settled(found["delta"])
    north = [found["alpha"], found["delta"]]
    tags.put_on(organisation=ours, domains=north, names=["North"], actor=support_panel.ANA)
    return found


def names(answer: object) -> list[str]:
    """The domains of the table, without what is the same in all of them."""
    page = answer.content.decode()  # type: ignore[attr-defined]
    return re.findall(r'<th scope="row"><a href="/domains/[^"]+/">([^<]+)\.example</a>', page)


class TestFilters:
    """Mode, state, tag, urgency and search, combined, in the address; without script as well."""

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ({"mode": "enforce"}, ["delta"]),
            ({"mode": "testing"}, ["charlie"]),
            ({"state": "setup"}, ["alpha", "bravo"]),
            ({"tag": "north"}, ["alpha", "delta"]),
            ({"tag": "NORTH", "state": "live"}, ["delta"]),
            ({"tag": "north", "show": "setup", "q": "alp"}, ["alpha"]),
            ({"tag": "unheard of"}, []),
            ({"mode": "strict", "state": "gone"}, ["charlie", "alpha", "bravo", "delta"]),
        ],
    )
    def test_what_is_shown(
        self, four: dict[str, HostedDomain], person: Client, asked: dict[str, str], shown: list[str]
    ) -> None:
        assert names(person.get("/", asked)) == shown

    def test_the_chips_count_what_fits(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.get("/", {"tag": "north"})
        assert "All 2 Attention 0 Ready 0 Setup 1" in support_web.text_of(answer)
        assert 'href="?tag=north&amp;show=setup"' in answer.content.decode()

    def test_the_figures_above_are_of_all(self, four: dict[str, HostedDomain], person: Client) -> None:
        text = support_web.text_of(person.get("/", {"tag": "north"}))
        assert "Ready to enforce 1 Enforce it… Policies served, by mode" in text

    def test_tags_stand_beside_the_name(self, four: dict[str, HostedDomain], person: Client) -> None:
        assert "alpha.example Tags: North " in support_web.text_of(person.get("/?state=setup"))

    def test_what_is_typed_brings_the_table_alone(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.get("/", {"q": "del", "show": "all", "mode": "", "tag": "North"}, headers=HTMX)
        assert answer.content.decode().startswith('<div id="domains">')
        assert (names(answer), answer["HX-Replace-Url"]) == (["delta"], "/?q=del&tag=North")

    def test_a_hostile_tag_is_shown_and_not_obeyed(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.get("/", {"tag": '"><script>x</script>\0'})
        assert "<script>x" not in answer.content.decode()
        assert "No domain fits all of this." in support_web.text_of(answer)


class TestBounds:
    def test_as_many_queries_for_three_hundred_as_for_ten(
        self, ours: Organisation, four: dict[str, HostedDomain], person: Client
    ) -> None:
        asked = {"tag": "north", "q": "example", "state": "setup"}
        person.get("/", asked)  # the session's own
        counts = []
        for few, many in ((0, 10), (10, 300)):
            self.more(ours, range(few, many))
            with CaptureQueriesContext(connection) as queries:
                assert person.get("/", asked).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 24

    def more(self, owner: Organisation, numbers: range) -> None:
        later = timezone.now() + timedelta(days=1)
        facts = {"organisation": owner, "level": Level.SETUP, "check_due_at": later}
        rows = [HostedDomain(name=f"d{n:04}.example", label=f"label{n}", **facts) for n in numbers]
        made = HostedDomain.objects.everywhere().bulk_create(rows)
        tags.put_on(organisation=owner, domains=made, names=["north"], actor=support_panel.ANA)


class TestOneDomain:
    """Put on and taken off on the domain's page."""

    def test_on_and_off(self, four: dict[str, HostedDomain], person: Client) -> None:
        address = "/domains/charlie.example/tags/"
        answer = person.post(address, {"tags": "south, Tier 1"}, follow=True)
        assert answer.redirect_chain == [("/domains/charlie.example/", 302)]
        assert "Tags south × Tier 1 ×" in support_web.text_of(answer)
        person.post(address, {"tags": "SOUTH", "do": "take"})
        assert tags.names_of(four["charlie"]) == ["Tier 1"]

    def test_before_it_is_live(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.post("/domains/alpha.example/tags/", {"tags": "south"}, follow=True)
        assert "Tags North × south ×" in support_web.text_of(answer)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "This field is required."),
            ("a\u202eb", "cannot be seen (U+202E)"),
            ("x" * 41, "longer than 40 characters"),
        ],
    )
    def test_what_is_none_is_said(self, four: dict[str, HostedDomain], person: Client, text: str, said: str) -> None:
        answer = person.post("/domains/charlie.example/tags/", {"tags": text}, follow=True)
        assert said in support_web.text_of(answer)
        assert tags.names_of(four["charlie"]) == []

    def test_a_viewer_sees_and_changes_nothing(self, ours: Organisation, four: dict[str, HostedDomain]) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", ours, Role.VIEWER))
        assert "Tags North" in support_web.text_of(viewer.get("/domains/delta.example/"))
        assert viewer.post("/domains/delta.example/tags/", {"tags": "x"}).status_code == 403


class TestMany:
    """In bulk: the domains that are ticked, or all in the list as it is filtered."""

    def test_those_that_are_ticked(self, four: dict[str, HostedDomain], person: Client) -> None:
        posted = {"domain": ["alpha.example", "bravo.example"], "tags": "south", "do": "put", "scope": "selected"}
        answer = person.post("/domains/tags/many/", posted, follow=True)
        assert "2 domains changed." in support_web.text_of(answer)
        assert names(person.get("/?tag=south")) == ["alpha", "bravo"]

    def test_all_in_the_list(self, four: dict[str, HostedDomain], person: Client) -> None:
        posted = {"scope": "all", "was": "enforce", "tag": "north", "tags": "north", "do": "take"}
        answer = person.post("/domains/tags/many/", posted, follow=True)
        assert answer.redirect_chain == [("/?mode=enforce&tag=north", 302)]
        assert names(person.get("/?tag=north")) == ["alpha"]

    @pytest.mark.parametrize("deed", ["put", "take"])
    def test_more_than_can_be_done_at_once_come_next(
        self, four: dict[str, HostedDomain], person: Client, monkeypatch: pytest.MonkeyPatch, deed: str
    ) -> None:
        monkeypatch.setattr("trinco.panel.web.choosing.MOST", 1)
        posted = {"scope": "all", "tags": "north", "do": deed}
        for _ in range(3):
            person.post("/domains/tags/many/", posted)
        left = names(person.get("/?tag=north"))
        assert sorted(left) == {"put": ["alpha", "bravo", "charlie", "delta"], "take": []}[deed]

    def test_none_is_said(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.post("/domains/tags/many/", {"tags": "south", "domain": ["elsewhere.example"]}, follow=True)
        assert "No domain was selected." in support_web.text_of(answer)

    def test_the_mode_of_all_in_a_filtered_list(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.post("/domains/mode/", {"mode": "none", "scope": "all", "tag": "north", "was": "enforce"})
        assert [each.domain.name for each in answer.context["changing"]] == ["delta.example"]

    def test_a_tag_that_is_gone_means_nobody(self, four: dict[str, HostedDomain], person: Client) -> None:
        """And not everybody."""
        answer = person.post("/domains/mode/", {"mode": "none", "scope": "all", "tag": "gone"}, follow=True)
        assert "No domain was selected." in support_web.text_of(answer)


class TestPage:
    def test_what_there_is(self, ours: Organisation, four: dict[str, HostedDomain], person: Client) -> None:
        filters.save(organisation=ours, name="Mine", asked={"tag": "north", "mode": "none"}, actor=support_panel.ANA)
        text = support_web.text_of(person.get("/domains/tags/"))
        assert "North on 2 domains" in text
        assert 'href="/?mode=none&amp;tag=North"' in person.get("/domains/tags/").content.decode()

    def test_renamed_and_removed(self, ours: Organisation, four: dict[str, HostedDomain], person: Client) -> None:
        address = f"/domains/tags/{Tag.objects.of(ours).get().pk}/"
        person.post(address, {"name": "Norte"})
        assert [tag.name for tag in Tag.objects.of(ours)] == ["Norte"]
        assert "a tag has no name" in support_web.text_of(person.post(address, {"name": ""}, follow=True))
        person.post(address, {"do": "remove"})
        assert not Tag.objects.of(ours).exists()

    def test_nothing_yet(self, person: Client) -> None:
        text = support_web.text_of(person.get("/domains/tags/"))
        assert "No tag yet." in text
        assert "No saved filter yet." in text


class TestSaved:
    """Saved filters: links above the list, renamed, removed."""

    def test_saved_and_followed(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.post("/domains/filters/", {"name": "Norte", "tag": "north", "was": "enforce"}, follow=True)
        assert answer.redirect_chain == [("/?mode=enforce&tag=north", 302)]
        assert '<a href="?mode=enforce&amp;tag=North" aria-current="true">Norte</a>' in answer.content.decode()
        assert "Save this filter" not in support_web.text_of(answer)
        assert names(person.get("/?mode=enforce&tag=North")) == ["delta"]

    def test_it_follows_a_tag_that_is_renamed(
        self, ours: Organisation, four: dict[str, HostedDomain], person: Client
    ) -> None:
        person.post("/domains/filters/", {"name": "mine", "tag": "north"})
        tags.rename(tag=Tag.objects.of(ours).get(), name="Norte", actor=support_panel.ANA)
        assert '<a href="?tag=Norte">mine</a>' in person.get("/").content.decode()

    def test_renamed_and_removed(self, ours: Organisation, four: dict[str, HostedDomain], person: Client) -> None:
        person.post("/domains/filters/", {"name": "mine", "q": "alp"})
        address = f"/domains/filters/{SavedFilter.objects.of(ours).get().pk}/"
        person.post(address, {"name": "ours"})
        person.post(address, {"name": "\u202e"})
        assert [each.name for each in SavedFilter.objects.of(ours)] == ["ours"]
        person.post(address, {"do": "remove"})
        assert not SavedFilter.objects.of(ours).exists()

    def test_what_is_refused_is_said(self, four: dict[str, HostedDomain], person: Client) -> None:
        answer = person.post("/domains/filters/", {"name": "x", "tag": "gone"}, follow=True)
        assert "There is no tag gone." in support_web.text_of(answer)


class TestAllClients:
    """A provider's page of all clients filters as well."""

    @pytest.fixture
    def provider(self, ours: Organisation) -> Client:
        for number in range(3):
            client = Organisation.objects.create(name=f"Client {number}", parent=ours)
            domain = support_panel.hosted(client, f"c{number}.example")
            names = ["North"] if number else ["South"]
            tags.put_on(organisation=client, domains=[domain], names=names, actor=support_panel.ANA)
        support_web.ready(ours, "own.example")
        return support_web.browser(support_web.owner_of(ours))

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ({"tag": "north"}, ["c1", "c2"]),
            ({"mode": "testing"}, ["own"]),
            ({"show": "ready"}, ["own"]),
            ({"state": "setup", "q": "c2", "tag": "NORTH"}, ["c2"]),
        ],
    )
    def test_what_is_shown(self, ours: Organisation, provider: Client, asked: dict[str, str], shown: list[str]) -> None:
        page = provider.get(f"/o/{ours.pk}/clients/", asked).content.decode()
        assert re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)\.example</a>', page) == shown

    def test_organisations_cost_no_query_each(self, ours: Organisation, provider: Client) -> None:
        provider.get(f"/o/{ours.pk}/")  # the first request of a session notes when it was seen
        with CaptureQueriesContext(connection) as few:
            provider.get(f"/o/{ours.pk}/organisations/")
        Organisation.objects.bulk_create(Organisation(name=f"More {number}", parent=ours) for number in range(40))
        with CaptureQueriesContext(connection) as many:
            provider.get(f"/o/{ours.pk}/organisations/")
        assert len(few) == len(many)
