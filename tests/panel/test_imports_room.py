"""A list whose tags are too many: told when it is given, by whatever door, and again when its turn comes."""

from __future__ import annotations

from django.test import Client
from django.utils import timezone
from tests import support_api, support_web
from tests.support_panel import ANA

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.tag_models import Tag
from trinco.panel.policies import imports
from trinco.panel.policies.import_models import ImportLine


def full(organisation: Organisation) -> None:
    names = [f"t{number}" for number in range(100)]
    Tag.objects.everywhere().bulk_create(Tag(organisation=organisation, name=name, key=name) for name in names)


def lines(owner: Organisation) -> list[tuple[str, str, str]]:
    return list(ImportLine.objects.of(owner).order_by("number").values_list("text", "ending", "detail"))


class TestRoom:
    def test_by_a_token_the_tags_of_a_client_count(self, ours: Organisation) -> None:
        norte = Organisation.objects.create(name="Norte", parent=ours)
        full(norte)
        key = support_api.key_of(support_web.owner_of(ours), scope="admin")
        answer = Client().post(
            "/api/v1/imports",
            data="domain;organisation;tags\na.example;Norte;fresh\nb.example;Norte;t1\n",
            content_type="text/csv",
            headers={"authorization": f"Bearer {key}"},
        )
        assert (answer.status_code, answer.json()["refused"], answer.json()["waiting"]) == (201, 1, 1)
        assert [line[:2] for line in lines(ours)] == [("a.example", "tags"), ("b.example", "waiting")]

    def test_what_came_meanwhile_counts(self, ours: Organisation) -> None:
        imports.start(organisation=ours, text="domain;tags\na.example;fresh\nb.example;t1\nc.example;\n", actor=ANA)
        full(ours)
        assert imports.imports_due(timezone.now()) == 3
        assert lines(ours) == [
            ("a.example", "tags", "more than 100 tags"),
            ("b.example", "added", ""),
            ("c.example", "added", ""),
        ]
        assert list(HostedDomain.objects.of(ours).values_list("name", flat=True)) == ["b.example", "c.example"]
        assert Tag.objects.of(ours).count() == 100
