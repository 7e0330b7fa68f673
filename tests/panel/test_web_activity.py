"""The audit log as the organisation reads it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web

import trinco.panel
from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts import chain
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.accounts.services import record
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.web.presenters.activity import ACTIONS

PANEL = Path(trinco.panel.__file__).parent


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def lines(person: Client, query: str = "") -> list[tuple[str, str, tuple[str, ...]]]:
    """What, whose, details: newest first."""
    return [(row.word, row.subject, row.details) for row in person.get(f"/activity/{query}").context["entries"]]


class TestLines:
    def test_who_what_and_what_it_was_before(self, domain: HostedDomain, person: Client) -> None:
        version = services.publish(
            domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA
        )
        details = ("Testing → Enforce", "kept for: 1 day → 1 week", f"id {version.policy_id}")
        assert lines(person)[0] == ("Policy changed", "correio.example", details)

    def test_an_override_is_marked_with_its_hosts(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        policy = services.proposed(domain, Mode.ENFORCE)
        services.publish(domain=domain, policy=policy, actor=support_panel.ANA, override=True)
        text = support_web.text_of(person.get("/activity/"))
        assert "Policy changed went on against a check Testing → Enforce" in text
        assert "not covered by the policy: mx9.correio.example" in text
        assert "ana@example.com 192.0.2.7" in text

    def test_what_trinco_did_is_said_to_be_its_own(self, domain: HostedDomain, person: Client) -> None:
        rows = person.get("/activity/?action=domain.verified").context["entries"]
        assert [(row.word, row.who) for row in rows] == [("Records found, domain live", "Trinco by itself")]

    def test_a_list_of_servers_is_told_by_what_came_and_went(self, ours: Organisation, person: Client) -> None:
        before, after = (
            {"mode": "testing", "mx": ["a.example", "b.example"]},
            {"mode": "testing", "mx": ["b.example", "c.example"]},
        )
        record(
            organisation=ours,
            actor=support_panel.ANA,
            action="policy.published",
            subject="x.example",
            before=before,
            after=after,
        )
        assert lines(person)[0] == ("Policy changed", "x.example", ("+c.example -a.example",))

    def test_names_are_shown_as_people_write_them(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "câmara.example")
        assert lines(person) == [("Domain added", "câmara.example", ())]


class TestFilter:
    def test_by_domain_and_by_deed(self, domain: HostedDomain, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "novo.example")
        assert [line[1] for line in lines(person, "?domain=novo")] == ["novo.example"]
        assert [line[1] for line in lines(person, "?action=domain.added")] == ["novo.example", "correio.example"]
        assert lines(person, "?domain=novo&action=policy.started") == []

    def test_it_is_paged(self, ours: Organisation, person: Client) -> None:
        entry = {"organisation": ours, "actor": "cli", "action": "domain.added", "subject": "x.example"}
        AuditEntry.objects.everywhere().bulk_create([AuditEntry(**entry) for _ in range(60)])
        last = person.get("/activity/").context["entries"][-1].entry
        assert (len(lines(person)), len(lines(person, f"?older={last.pk}"))) == (50, 10)


class TestMoreFilters:
    def test_by_person_and_by_day(self, ours: Organisation, person: Client) -> None:
        for name, who in (("a.example", "ana@example.com"), ("b.example", "rui@example.net")):
            record(organisation=ours, actor=Actor(who), action="domain.added", subject=name)
        today = timezone.now().date()
        asked = {
            "?person=rui": ["b.example"],
            f"?from={today}&to={today}": ["b.example", "a.example"],
            f"?from={today + timedelta(days=1)}": [],
            f"?to={today - timedelta(days=1)}": [],
            "?from=yesterday&to=9999-12-31": ["b.example", "a.example"],
        }
        assert {query: [line[1] for line in lines(person, query)] for query in asked} == asked


class TestFiles:
    """Issue 5: filter, export. A file has all that the digests cover."""

    def test_json_can_be_checked_again(self, domain: HostedDomain, person: Client) -> None:
        pieces = b"".join(person.get("/activity/export.jsonl").streaming_content).decode()  # type: ignore[attr-defined]
        rows = [json.loads(line) for line in pieces.splitlines()]
        assert [row["number"] for row in rows] == list(range(1, AuditEntry.objects.of(domain.organisation).count() + 1))
        for before, row in zip([{"digest": ""}, *rows], rows, strict=False):
            facts = {**row, "at": datetime.fromisoformat(row["at"]), "organisation_id": row["organisation"]}
            assert (row["previous"], row["digest"]) == (before["digest"], chain.digest(SimpleNamespace(**facts)))

    def test_csv_holds_no_formula(self, ours: Organisation, person: Client) -> None:
        record(organisation=ours, actor=Actor("=cmd()"), action="domain.added", subject="+x")
        answer = person.get("/activity/export.csv?person=cmd")
        text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
        assert text.splitlines()[0].split(",")[:4] == ["number", "at", "actor", "provider"]
        assert ("'=cmd()" in text, "'+x" in text, len(text.splitlines())) == (True, True, 2)

    def test_no_other_form(self, person: Client) -> None:
        assert person.get("/activity/export.xml").status_code == 404


class TestWords:
    def test_every_deed_that_is_written_has_its_words(self) -> None:
        """An action that a service writes and this page does not know would be shown as its key."""
        told = [PANEL / "webhooks" / name for name in ("models.py", "troubles.py")]  # of more than deeds
        files = (path for path in PANEL.rglob("*.py") if "web" not in path.parts and path not in told)
        sources = [path.read_text() for path in files if "migrations" not in path.parts]
        written = {
            word
            for text in sources
            for word in re.findall(
                r'"((?:domain|policy|certificate|reports?|token|member|organisation|client|import|webhook|tag|filter|label)\.[a-z-]+)"',
                text,
            )
        }
        assert written == set(ACTIONS)
