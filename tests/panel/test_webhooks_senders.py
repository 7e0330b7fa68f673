"""Two workers that send at once. Runs on SQLite here and on PostgreSQL by test_postgresql_people.py."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from django.utils import timezone
from tests import support_panel
from tests.panel.test_concurrency import together
from tests.support_webhooks import Customer, Server, delivered, hook, served

from trinco.panel.accounts.models import Organisation
from trinco.panel.webhooks import services, turns
from trinco.panel.webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)
HOOKS, EACH = 4, 3


def waiting(owner: Organisation, port: int) -> list[str]:
    """The ids of what waits, the first one first, some for each of several webhooks."""
    hooks = [hook(owner, port)[0] for _ in range(HOOKS)]
    rows = [services.send_test(webhook=made, actor=support_panel.ANA) for _ in range(EACH) for made in hooks]
    return [row.uid for row in rows]


class TestTwoAtOnce:
    """No two workers send the same at once: what one has in hand the other passes by."""

    def test_each_delivery_is_sent_once(self, tmp_path: Path) -> None:
        customer, now = Customer.at(tmp_path), timezone.now()
        with served(Server(), customer.context()) as server:
            ids = waiting(support_panel.organisation(), server.port)
            later = now + turns.FIRST
            counts = together(*[lambda: delivered(customer.poster(), later)] * 2)
        assert sum(counts) == len(ids)
        assert Counter(each.fields["webhook-id"] for each in server.requests) == dict.fromkeys(ids, 1)
        assert set(Delivery.objects.everywhere().values_list("state", "tries")) == {("done", 1)}

    def test_each_is_taken_by_one(self) -> None:
        waiting(support_panel.organisation(), 443)
        now = timezone.now()
        taken = together(*[lambda: turns.take(now, 10, Counter())] * 2)
        assert sorted(turn.hook.fence for turns_of in taken for turn in turns_of) == [1] * HOOKS
        assert len({turn.delivery.pk for turns_of in taken for turn in turns_of}) == HOOKS
