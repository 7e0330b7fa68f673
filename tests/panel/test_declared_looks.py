"""`trinco apply` asks a real name server, on loopback, for the mail servers of domains that are to enforce."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from tests import support_panel
from tests.support_apply import apply, one, policy, row
from tests.support_checks import customers
from tests.support_dns import Host, silent

from trinco.core.mtasts.policy import Mode
from trinco.net import dns
from trinco.panel.accounts.actors import APPLY
from trinco.panel.accounts.models import Organisation
from trinco.panel.declared import looking
from trinco.panel.declared.reading import read
from trinco.panel.declared.services import steps
from trinco.panel.declared.steps import Terms
from trinco.panel.domains.models import MxSighting

SAID = "policy: {mode: enforce, mx: [mx.c.example]}"
ZONES = {"c.example": "@ MX 10 mx\n", "d.example": "@ TXT none\n"}


class TestLook:
    """Never bless a spoofed MX: what was read is written down, and what is published is what the file says."""

    pytestmark = pytest.mark.django_db

    def test_enforce_by_what_dns_shows(self, settings: Any) -> None:
        with customers(settings, ZONES) as world:
            assert apply(one("c.example", SAID), "--dry-run")[0] == 1
            assert world.asked == []
            assert apply(one("c.example", SAID))[0] == 0
        domain = row("c.example")
        assert (policy("c.example").mode, domain.mx_suggested) == (Mode.ENFORCE, ["mx.c.example"])
        assert [each.host for each in MxSighting.objects.of(domain.organisation)] == ["mx.c.example"]

    def test_what_was_read_within_the_hour_is_not_asked_again(self, settings: Any) -> None:
        domain = support_panel.announced(support_panel.organisation(), "c.example", ("mx.c.example",))
        support_panel.sight_mx(domain, "mx.c.example")
        with customers(settings, ZONES) as world:
            assert apply(one("c.example", SAID, domain.organisation.name))[0] == 0
            assert world.asked == []

    def test_many_at_once_and_none_waits_for_a_dead_one(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = dns.ask
        monkeypatch.setattr(looking, "_SECONDS", 60)
        monkeypatch.setattr(
            dns, "ask", lambda asked, there, seconds: whole(asked, there, 0.3 if there[0] == "127.0.0.3" else seconds)
        )
        dead = {"127.0.0.3": Host(("tot.example",), silent)}
        zones = {**ZONES, "tot.example": "@ 300 IN SOA ns.tot.example. x. 1 1 1 1 1\n@ NS ns\nns A 127.0.0.3\n"}
        with customers(settings, zones, dead):
            assert looking.looked(["c.example", "tot.example", "d.example"]) == {
                "c.example": ((10, "mx.c.example"),),
                "d.example": (),
            }
            monkeypatch.setattr(looking, "_SECONDS", 0.2)
            monkeypatch.setattr(dns, "ask", whole)
            assert looking.looked(["tot.example"]) == {}


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Two people apply the same file at the same time: an organisation is made once."""

    def test_one_organisation(self) -> None:
        declared = read(b"version: 1\norganisations: {A: {clients: {B: {}}}}")
        start = threading.Barrier(4)

        def applied() -> None:
            start.wait(60)
            try:
                list(steps(declared, Terms(APPLY)))
            finally:
                connection.close()

        threads = [threading.Thread(target=applied) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(Organisation.objects.values_list("name", flat=True)) == ["A", "B"]
