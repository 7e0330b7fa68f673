"""Programs at the same moment. Runs on SQLite here and on PostgreSQL, within the wall, by test_postgresql_policies.py."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests import support_panel, support_web
from tests.panel.test_concurrency import together
from tests.support_api import Program, key_of

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/domains/correio.example/policy"


@pytest.fixture
def told() -> tuple[Organisation, Program]:
    organisation = support_panel.organisation()
    return organisation, Program(key_of(support_web.owner_of(organisation), "policy:write"))


def codes(answers: list[Any]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


class TestTogether:
    """Issue 5: `If-Match`, idempotent upsert, `Idempotency-Key`, when several ask at once."""

    def test_of_two_with_one_reading_one_is_too_late(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        domain = support_panel.announced(organisation)

        def put(age: int) -> Any:
            body = {"mode": "testing", "mx": ["mx9.correio.example"], "max_age": age}
            return lambda: program.send("PUT", PATH, body, If_Match='"1"')

        assert codes(together(put(86400), put(604800))) == [200, 412]
        assert support_panel.standing(domain).current.number == 2

    def test_of_two_first_ones_one_is_too_late(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        domain = support_panel.hosted(organisation)

        def put(number: int) -> Any:
            body = {"mode": "testing", "mx": [f"mx{number}.correio.example"]}
            return lambda: program.send("PUT", PATH, body, If_None_Match="*")

        found = codes(together(put(1), put(2)))
        assert found[0] == 200
        assert found[1] in (409, 412)
        assert support_panel.standing(domain).current.number == 1

    def test_a_domain_is_added_once(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        deed = lambda: program.send("PUT", "/domains/novo.example")  # noqa: E731
        assert set(codes(together(deed, deed, deed))) <= {200, 201}
        assert HostedDomain.objects.of(organisation).count() == 1
        assert AuditEntry.objects.of(organisation).filter(action="domain.added").count() == 1

    def test_a_request_with_a_key_is_done_once(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        body = {"domains": [{"name": f"d{number}.example"} for number in range(50)]}
        deed = lambda: program.send("POST", "/domains:bulk", body, Idempotency_Key="k")  # noqa: E731
        answers = together(deed, deed, deed)
        assert set(codes(answers)) <= {200, 409}
        assert {answer.json()["added"] for answer in answers if answer.status_code == 200} == {50}
        assert HostedDomain.objects.of(organisation).count() == 50

    def test_of_two_that_leave_both_are_told_so(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        support_panel.announced(organisation)
        answers = together(*[lambda: program.send("DELETE", "/domains/correio.example")] * 2)
        assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "leaving")] * 2
        assert AuditEntry.objects.of(organisation).filter(action="domain.left").count() == 1

    def test_nobody_leaves_with_what_they_have_not_read(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        domain = support_panel.announced(organisation)
        body = {"mode": "testing", "mx": ["mx9.correio.example"]}
        left, put = together(
            lambda: program.send("DELETE", "/domains/correio.example", If_Match='"1"'),
            lambda: program.send("PUT", PATH, body, If_Match='"1"'),
        )
        assert (left.status_code, put.status_code) in {(200, 409), (200, 412), (412, 200)}
        assert support_panel.standing(domain).current.number == 2

    def test_of_two_parts_none_is_lost(self, told: tuple[Organisation, Program]) -> None:
        organisation, program = told
        domain = support_panel.announced(organisation)
        parts: list[dict[str, Any]] = [{"max_age": 100_000}, {"mx": ["neu.correio.example"]}]
        answers = together(*[partial(program.send, "PATCH", PATH, part, If_Match="*") for part in parts])
        current = support_panel.standing(domain).current
        assert codes(answers) == [200, 200]
        assert (current.number, current.max_age, list(current.mx)) == (3, 100_000, ["neu.correio.example"])
