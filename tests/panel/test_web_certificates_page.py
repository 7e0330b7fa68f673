"""The Certificates page: every certificate, what happens to them, and when the next ones come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_acme import configured

from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates.models import Certificate
from trinco.panel.domains.models import HostedDomain


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


@pytest.fixture
def served(ours: Organisation) -> HostedDomain:
    """Its certificate is of the development CA."""
    return support_web.ready(ours)


def page(person: Client, query: str = "") -> str:
    return support_web.text_of(person.get(f"/certificates/{query}"))


class TestRows:
    """Issue 4: state, issuer, end, the next one, and the last failure in words, of each domain."""

    def test_a_certificate_in_a_row(self, person, served):
        row = Certificate.objects.everywhere().get(domain=served)
        text = page(person)
        for words in (served.name, row.issuer, f"{row.not_after:%H:%M}", "Certificate:", "Nothing is wrong."):
            assert words in text
        reply = person.get("/certificates/")
        assert [(each.domain.name, len(each.id), bool(each.renewal)) for each in reply.context["rows"]] == [
            (served.name, 12, True)
        ]

    def test_what_ends_first_is_first_and_what_has_none_last(self, person, ours):
        for name, days in (("late.example", 60), ("soon.example", 3), ("none.example", None)):
            domain = support_web.ready(ours, name) if days else support_panel.hosted(ours, name)
            ends = timezone.now() + timedelta(days=days or 0)
            Certificate.objects.everywhere().filter(domain=domain).update(not_after=ends)
        rows = person.get("/certificates/").context["rows"]
        assert [row.domain.name for row in rows] == ["soon.example", "late.example", "none.example"]
        assert [row.view.look for row in rows] == ["warn", "ok", "mute"]

    def test_narrowed_by_name_and_by_trouble(self, person, ours, served):
        other = support_web.ready(ours, "hospital.example")
        support_web.troubled(other)
        for query, names in (("?name=hosp", [other.name]), ("?show=trouble", [other.name]), ("?show=other", None)):
            rows = person.get(f"/certificates/{query}").context["rows"]
            assert {row.domain.name for row in rows} == set(names or [served.name, other.name])
        assert "No domain fits this filter." in page(person, "?name=zulu")
        assert "No domain fits this filter." in page(person, "?name=%00%F6")

    def test_a_handful_of_queries_however_many(self, person, ours, django_assert_max_num_queries):
        for number in range(12):
            support_web.ready(ours, f"d{number}.example")
        with django_assert_max_num_queries(14):
            person.get("/certificates/")


class TestQueue:
    def test_it_says_how_many_wait_and_until_when(self, person, ours, monkeypatch):
        configured(monkeypatch, acme_orders=1)
        for name in ("a.example", "b.example"):
            support_panel.live(ours, name)
        reply = person.get("/certificates/?show=waiting")
        text = support_web.text_of(reply)
        assert "2 domains wait for a certificate. The last is expected about" in text
        assert [row.renewal.rpartition(": ")[2] for row in reply.context["rows"]] == [
            "0 domains before it",
            "1 domain before it",
        ]


class TestEvents:
    """One line for each, in plain words; of what is everybody's nobody learns another's name."""

    def test_what_lasts_and_what_is_over(self, person, served):
        support_web.troubled(served)
        reply = person.get("/certificates/")
        text = support_web.text_of(reply)
        assert [(row.event.kind, row.whom, row.counted) for row in reply.context["lasting"]] == [
            ("away", "ca.example", "7 attempts"),
            ("failing", served.name, "2 attempts"),
        ]
        assert [(row.event.kind, row.counted) for row in reply.context["over"]] == [("revoked", "12 domains")]
        for words in ("2 things last.", "The authority does not answer", "no answer at port 80", "until"):
            assert words in text
        assert "caixa" not in text

    def test_anothers_are_not_seen(self, person, served, theirs):
        support_web.troubled(support_web.ready(theirs, "caixa.example"))
        reply = person.get("/certificates/")
        assert [row.event.kind for row in reply.context["lasting"]] == ["away"]
        assert "caixa" not in support_web.text_of(reply)

    def test_in_portuguese(self, served, ours):
        support_web.troubled(served)
        client = support_web.browser(support_web.owner_of(ours))
        text = support_web.text_of(client.get("/certificates/", headers={"Accept-Language": "pt"}))
        assert "Certificados" in text
        assert "A autoridade não responde" in text
