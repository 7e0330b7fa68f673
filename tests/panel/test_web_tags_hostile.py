"""Forms about tags and many domains that say what no page says, and rows that were removed while somebody looked."""

from __future__ import annotations

import pytest
from django.http import Http404
from django.test import Client
from tests import support_panel, support_web
from tests.support_panel import ANA

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains import filters, tags
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.tag_models import SavedFilter, Tag

BAD = ["a\0b", "a..b", "\0", "", "x" * 300, "*.example", "a b"]


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


class TestNames:
    """What is no name of a domain names none: PostgreSQL refuses a NUL, whoever sends it."""

    @pytest.mark.parametrize(
        ("page", "more"),
        [
            ("/domains/tags/many/", {"do": "put", "tags": "red"}),
            ("/domains/mode/", {"mode": "testing", "confirm": "1"}),
        ],
    )
    def test_the_others_are_done(self, ours: Organisation, person: Client, page: str, more: dict[str, str]) -> None:
        domain = support_panel.live(ours, "a.example")
        answer = person.post(page, {"domain": [*BAD, domain.name], "names": "b\0c a.example", **more})
        assert answer.status_code < 400
        assert HostedDomain.objects.of(ours).get().name == "a.example"

    def test_tags_are_put_on_what_is_one(self, ours: Organisation, person: Client) -> None:
        domain = support_panel.live(ours, "a.example")
        person.post("/domains/tags/many/", {"do": "put", "tags": "red", "domain": [*BAD, domain.name]})
        assert tags.names_of(domain) == ["red"]


class TestMeanwhile:
    """A tag or a filter that was removed while somebody had its page open is not found."""

    def test_a_tag(self, ours: Organisation) -> None:
        tag = Tag.objects.everywhere().create(organisation=ours, name="red", key="red")
        tags.remove(tag=Tag.objects.of(ours).get(), actor=ANA)
        with pytest.raises(Http404):
            tags.rename(tag=tag, name="blue", actor=ANA)
        with pytest.raises(Http404):
            tags.remove(tag=tag, actor=ANA)
        assert [line.action for line in AuditEntry.objects.of(ours).filter(action__startswith="tag.")] == [
            "tag.removed"
        ]

    def test_a_filter(self, ours: Organisation) -> None:
        saved = filters.save(organisation=ours, name="mine", asked={}, actor=ANA)
        SavedFilter.objects.of(ours).all().delete()
        with pytest.raises(Http404):
            filters.rename(saved=saved, name="other", actor=ANA)

    def test_a_filter_that_another_renamed_has_its_name_of_before(self, ours: Organisation) -> None:
        saved = filters.save(organisation=ours, name="mine", asked={}, actor=ANA)
        filters.rename(saved=SavedFilter.objects.of(ours).get(), name="other", actor=ANA)
        filters.rename(saved=saved, name="third", actor=ANA)
        line = AuditEntry.objects.of(ours).filter(action="filter.renamed").order_by("pk").last()
        assert line is not None
        assert (line.before, line.after) == ({"name": "other"}, {"name": "third"})
