"""`trinco edges`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from tests import support_panel
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.panel.policies.gate import LEASE
from trinco.panel.policies.models import EdgeNode
from trinco.panel.policies.rotation import LAG

pytestmark = pytest.mark.django_db


def edges(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["edges", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def now():
    """One edge in step, one that lags, one that is away, one that comes back, one that is not waited for."""
    support_panel.live(support_panel.organisation())
    now = timezone.now()
    long_ago = now - LAG - timedelta(seconds=1)
    facts = {
        "a-serving": {"addresses": ["192.0.2.1", "2001:db8::1"]},
        "b-lagging": {"awaited": 1, "awaited_since": long_ago},
        "c-away": {"lease_until": now - timedelta(seconds=1)},
        "d-returning": {"withdrawn_at": now},
        "e-waived": {"awaited": 1, "awaited_since": long_ago, "waived_at": long_ago},
    }
    for name, values in facts.items():
        support_panel.edge(name, lease=LEASE)
        EdgeNode.objects.filter(name=name).update(**values)
    return now


class TestList:
    """Issue 4: an edge that lags is taken out of the address set, and the operator sees it."""

    def test_each_with_its_state(self, now):
        code, out, _ = edges("list")
        assert (code, [line.split()[:2] for line in out.splitlines()]) == (
            0,
            [[name, name[2:]] for name in ("a-serving", "b-lagging", "c-away", "d-returning", "e-waived")],
        )

    def test_as_json(self, now):
        first, *_ = json.loads(edges("list", "--json")[1])
        node = EdgeNode.objects.get(name="a-serving")
        assert first == {
            "edge": "a-serving",
            "state": "serving",
            "revision": node.acknowledged,
            "lease_until": node.lease_until.isoformat(),
            "behind_since": None,
            "out_of_dns_since": None,
            "addresses": "192.0.2.1 2001:db8::1",
        }

    def test_none(self):
        assert edges("list") == (0, "No edge has registered yet.\n", "")
        assert edges("list", "--json")[1] == "[]\n"


class TestWaive:
    """RELIABILITY 5, 2: publication waits its TTL, or the operator forces."""

    def test_one_that_lags(self, now):
        assert edges("waive", "b-lagging")[:2] == (0, "b-lagging is not waited for until it has caught up.\n")
        assert EdgeNode.objects.get(name="b-lagging").waived(timezone.now())

    @pytest.mark.parametrize("name", ["a-serving", "c-away", "nobody"])
    def test_no_other(self, now, name):
        assert edges("waive", name) == (2, "", f"trinco: no edge named {name} is there that lags\n")


class TestForget:
    """An edge that is gone for good keeps its addresses out of DNS no longer."""

    def test_one_that_is_away(self, now):
        assert edges("forget", "c-away")[:2] == (0, "c-away is forgotten.\n")
        assert not EdgeNode.objects.filter(name="c-away").exists()

    def test_none_that_is_there(self, now):
        assert edges("forget", "a-serving")[0] == 2
