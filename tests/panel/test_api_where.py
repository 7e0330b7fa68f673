"""Where a token opens: in its own organisation, under the organisation's terms."""

from __future__ import annotations

import pytest
from django.test import Client
from tests import support_web
from tests.support_api import key_of

from trinco.panel.accounts.models import Organisation


@pytest.fixture
def headers(ours: Organisation) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(support_web.owner_of(ours))}"}


class TestWhere:
    """A token is its organisation's, and a demand for a second factor holds for programs too."""

    def test_an_address_of_another_organisation(
        self, ours: Organisation, theirs: Organisation, headers: dict[str, str]
    ) -> None:
        paths = [f"/o/{key}/api/v1/domains" for key in (ours.pk, theirs.pk, 999999)]
        assert [Client().get(path, headers=headers).status_code for path in paths] == [200, 404, 404]

    def test_a_person_without_the_factor(self, ours: Organisation, headers: dict[str, str]) -> None:
        Organisation.objects.filter(pk=ours.pk).update(mfa_required=True)
        assert Client().get("/api/v1/domains", headers=headers).status_code == 403
