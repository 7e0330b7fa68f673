"""How many requests there are, and what the answers say of it; what the kinds of problems mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client
from tests import support_web
from tests.support_api import Program, key_of, problem

from trinco.panel import limits
from trinco.panel.accounts.models import Organisation
from trinco.panel.api.kinds import KINDS


@pytest.fixture
def few(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests in a minute that does not end."""
    caches["here"].clear()
    settings.CONFIG = replace(settings.CONFIG, api_requests=2)
    monkeypatch.setattr(limits, "rest", lambda: 42)


class TestBudget:
    """UX: rate-limit headers. Each token has its own."""

    def test_it_is_told_and_ends(self, few: None, ours: Organisation) -> None:
        ana = support_web.owner_of(ours)
        program, other = Program(key_of(ana)), Program(key_of(ana))
        answers = [program.get("/domains") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer["RateLimit"] for answer in answers] == [f'"requests";r={n};t=42' for n in (1, 0, 0)]
        assert {answer["RateLimit-Policy"] for answer in answers} == {'"requests";q=2;w=60'}
        assert (problem(answers[2]), answers[2]["Retry-After"]) == ((429, "Too Many Requests", None), "42")
        assert other.get("/domains").status_code == 200

    def test_of_a_person_who_is_signed_in(self, few: None, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        assert [client.get("/api/v1/domains").status_code for _ in range(3)] == [200, 200, 429]

    def test_errors_count_as_well(self, few: None, ours: Organisation) -> None:
        program = Program(key_of(support_web.owner_of(ours)))
        assert [program.get("/domains?x=1").status_code for _ in range(3)] == [400, 400, 429]

    def test_nobody_has_none(self, db: None) -> None:
        assert "RateLimit" not in Client().get("/api/v1/domains").headers

    def test_it_is_a_setting(self) -> None:
        assert settings.CONFIG.api_requests == 600


class TestKinds:
    """RFC 9457, section 3.1.1: a type names the kind, and its address says what it means."""

    def test_each_says_what_it_means(self) -> None:
        for kind in KINDS:
            answer = Client().get(kind.uri)
            assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
            assert answer.content.decode().startswith(f"{kind.title}\n\n{kind.says}\n")
        assert problem(Client().get("/api/v1/problems/nothing"))[0] == 404

    def test_no_two_are_alike(self) -> None:
        assert len({kind.slug for kind in KINDS}) == len(KINDS)
