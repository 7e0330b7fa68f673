"""Tags by the API: told with each domain, set as a whole, asked for in the list."""

from __future__ import annotations

import pytest
from django.test import Client
from tests import support_panel, support_web

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains import tags

HERE = "/api/v1/domains"


@pytest.fixture
def person(ours: Organisation) -> Client:
    support_panel.hosted(ours, "a.example")
    support_panel.hosted(ours, "b.example")
    return support_web.browser(support_web.owner_of(ours))


def sent(person: Client, **body: object) -> tuple[int, dict[str, object]]:
    answer = person.patch(f"{HERE}/a.example", body, content_type="application/json")
    return answer.status_code, answer.json()


class TestTags:
    def test_set_told_and_asked_for(self, person: Client) -> None:
        assert sent(person, tags=["North", "gov", "NORTH"])[1]["tags"] == ["gov", "North"]
        found = person.get(HERE, {"tag": "north"}).json()["rows"]
        assert [(row["name"], row["tags"]) for row in found] == [("a.example", ["gov", "North"])]
        assert sent(person, tags=[])[1]["tags"] == []

    def test_left_out_they_stay(self, person: Client) -> None:
        sent(person, tags=["gov"])
        assert sent(person, tls_reporting={"on": False})[1]["tags"] == ["gov"]

    @pytest.mark.parametrize("tag", ["a\u202eb", "a,b", " "])
    def test_what_is_none_is_named(self, person: Client, tag: str) -> None:
        status, problem = sent(person, tags=["gov", tag])
        assert (status, problem["errors"][0]["pointer"]) == (422, "/tags/1")  # type: ignore[index]

    def test_more_than_there_may_be(self, person: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tags, "MOST", 1)
        assert sent(person, tags=["a", "b"])[0] == 422
