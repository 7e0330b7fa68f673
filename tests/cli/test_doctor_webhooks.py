"""What `trinco doctor` says of webhooks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests import support_panel
from tests.support_webhooks import hook

from trinco.cli import examine_here
from trinco.cli.findings import Finding
from trinco.panel.accounts.models import Organisation
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, Secret, Webhook

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    findings: list[Finding] = list(examine_here.webhooks())
    assert {each.part for each in findings} == {"webhooks"}
    return [(each.verdict.value, each.seen) for each in findings]


@pytest.fixture
def made() -> Webhook:
    return hook(Organisation.objects.create(name="Atlântico"), 443)[0]


class TestWebhooks:
    """Whoever runs Trinco sees that customers' programs are told nothing before the customers do."""

    def test_all_is_well(self, made: Webhook) -> None:
        services.send_test(webhook=made, actor=support_panel.ANA)
        assert told() == [("ok", "1 are switched on, and nothing waits for long")]

    def test_one_that_was_switched_off_by_itself(self, made: Webhook) -> None:
        Webhook.objects.everywhere().update(on=False)
        assert told() == [("ok", "0 are switched on, and nothing waits for long")]
        Webhook.objects.everywhere().update(stopped_at=timezone.now(), stopped_why="failing")
        assert told() == [("warning", "1 were switched off, since their servers took nothing")]

    def test_what_waits_for_more_than_an_hour(self, made: Webhook) -> None:
        services.send_test(webhook=made, actor=support_panel.ANA)
        Delivery.objects.everywhere().update(created_at=timezone.now() - timedelta(minutes=61))
        assert told() == [("warning", "1 deliveries have waited for more than an hour")]
        Delivery.objects.everywhere().update(state="done")
        assert told() == [("ok", "1 are switched on, and nothing waits for long")]

    def test_a_secret_that_no_key_opens(self, made: Webhook) -> None:
        Secret.objects.everywhere().update(sealed_key=b"broken" * 20)
        assert told() == [("error", "1 have a secret that no key opens: nothing is sent to them")]
