"""What an address asks for, and the same address with one part changed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

import pytest
from django.http import Http404
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from tests import support_panel

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.asked import LONGEST, PARAMETERS, RANGES, asked
from trinco.panel.web import scopes
from trinco.panel.web.access import MemberRequest

TODAY = date(2026, 11, 24)
NOBODY = Organisation(pk=0)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def span(**given: str) -> tuple[date, date, int | None, list[str | None]]:
    """First and last day, the chosen number of days, and the names of what was left aside."""
    found = asked(NOBODY, {name.rstrip("_"): value for name, value in given.items()}, TODAY)
    return found.span.first, found.span.last, found.range, [fault.source for fault in found.faults]


def request(query: str, organisation: Organisation = NOBODY) -> MemberRequest:
    made = cast(MemberRequest, RequestFactory().get(f"/reports/{query}"))
    made.organisation = organisation
    return made


class TestDays:
    """A page never fails for its address: what cannot be used falls back, and the API says what it was."""

    def test_the_last_thirty(self) -> None:
        assert span() == (ago(29), TODAY, 30, [])

    @pytest.mark.parametrize("days", RANGES)
    def test_a_number_of_them(self, days: int) -> None:
        assert span(range=str(days)) == (ago(days - 1), TODAY, days, [])
        assert span(range=str(days), to="2026-11-20") == (ago(days + 3), date(2026, 11, 20), days, [])

    def test_by_dates(self) -> None:
        assert span(from_="2026-11-01", to="2026-11-20") == (date(2026, 11, 1), date(2026, 11, 20), None, [])
        assert span(from_="2026-11-24") == (TODAY, TODAY, None, [])

    @pytest.mark.parametrize(
        ("given", "faults"),
        [
            ({"range": "8"}, ["range"]),
            ({"range": "\u0667"}, ["range"]),
            ({"from_": "24.11.2026"}, ["from"]),
            ({"from_": "0001-01-01"}, ["from"]),
            ({"to": "9999-12-31"}, ["to"]),
            ({"to": "2026-02-30"}, ["to"]),
            ({"from_": "2026-11-25"}, ["from"]),
            ({"trust": "none"}, ["trust"]),
        ],
    )
    def test_what_cannot_be_used(self, given: dict[str, str], faults: list[str]) -> None:
        assert span(**given) == (ago(29), TODAY, 30, faults)

    def test_ten_years_at_most(self) -> None:
        longest = ago(LONGEST - 1)
        assert span(from_=longest.isoformat())[::3] == (longest, [])
        assert span(from_=ago(LONGEST).isoformat())[3] == ["from"]

    def test_one_day_of_the_range(self) -> None:
        found = asked(NOBODY, {"day": "2026-11-20"}, TODAY)
        assert (found.span.first, found.span.last, found.scope.days) == (ago(29), TODAY, [date(2026, 11, 20)])
        outside = asked(NOBODY, {"day": "2025-11-20"}, TODAY)
        assert outside.span == outside.scope

    @given(st.dictionaries(st.sampled_from([name for name in PARAMETERS if name != "domain"]), st.text(max_size=12)))
    def test_nothing_that_is_typed_fails(self, given: dict[str, str]) -> None:
        found = asked(NOBODY, given, TODAY)
        assert 1 <= len(found.scope.days) <= LONGEST


class TestWhose:
    def test_a_domain_as_people_write_it(self, ours: Organisation) -> None:
        domain = support_panel.hosted(ours, "câmara.example")
        assert scopes.scope_of(request("?domain=Câmara.example", ours)).domain == domain
        assert scopes.scope_of(request("?domain=", ours)).domain is None

    @pytest.mark.parametrize("name", ["alheio.example", "no_name", "\0", "nada.example"])
    def test_a_domain_that_is_not_ours(self, ours: Organisation, theirs: Organisation, name: str) -> None:
        support_panel.hosted(theirs, "alheio.example")
        with pytest.raises(Http404):
            scopes.scope_of(request(f"?domain={name}", ours))

    def test_a_sender(self) -> None:
        asked_for = ("?to=2026-11-20", "?to=2026-11-20&sender=", "?to=2026-11-20&sender=Google.COM%00")
        assert [scopes.scope_of(request(query)).submitter for query in asked_for] == [None, "", "google.com"]

    def test_trust(self) -> None:
        assert [scopes.scope_of(request(f"?to=2026-11-20{more}")).everything for more in ("", "&trust=all")] == [
            False,
            True,
        ]


class TestAddresses:
    """The links of a page keep what was asked for and change one part of it."""

    @pytest.mark.parametrize(
        ("before", "changes", "after"),
        [
            ("", {}, ""),
            ("", {"range": 7}, "?range=7"),
            ("?x=1&domain=a.example&range=7", {"day": date(2026, 11, 20)}, "?domain=a.example&range=7&day=2026-11-20"),
            ("?domain=a.example&from=2026-11-01&to=2026-11-20&day=2026-11-02", {"range": 90}, "?domain=a.example&range=90"),
            ("?range=7&day=2026-11-20", {"from_": date(2026, 11, 1), "to": date(2026, 11, 2)}, "?from=2026-11-01&to=2026-11-02"),
            ("?day=2026-11-20&trust=all", {"day": None, "trust": None}, ""),
            ("", {"sender": ""}, "?sender="),
            ("", {"sender": "a&b=c"}, "?sender=a%26b%3Dc"),
        ],
    )  # fmt: skip
    def test_one_part_changed(self, before: str, changes: dict[str, Any], after: str) -> None:
        assert scopes.query(request(before), **changes) == after

    def test_of_a_scope(self, domain: HostedDomain) -> None:
        query = "?domain=correio.example&from=2026-11-01&to=2026-11-20&sender=google.com&trust=all"
        assert scopes.query_of(scopes.scope_of(request(query, domain.organisation))) == query
