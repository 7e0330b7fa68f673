"""TLS reporting that is switched off where `_smtp._tls` is a text: nothing is wanted there, in every way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests import support_dnsapi, support_web
from tests.support_by_hand import ALL, NAME, by_hand, found, host, reports
from tests.support_checks import LOOPBACK, configure, customers
from tests.support_dnsapi import TOKEN, Cloudflare
from tests.support_panel import ANA, hosted, sight

from trinco.net.dnsbooks import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks import publishing
from trinco.panel.checks.looks import subject
from trinco.panel.checks.publishing import publish_due, wanted_of
from trinco.panel.checks.services import look
from trinco.panel.checks.status import status
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import HostedDomain, KeptAccess, State
from trinco.panel.domains.reporting import report_text
from trinco.panel.policies import services as policies
from trinco.panel.policies.instructions import instructions
from trinco.panel.policies.kept import keep_access
from trinco.panel.policies.ways import set_ways

OWN = f"_smtp._tls.{NAME}"


@pytest.fixture
def domain(ours: Organisation, settings: Any) -> HostedDomain:
    """Live by CNAMEs, but for the text that asks for reports."""
    configure(settings, allow_networks=LOOPBACK, policy_addresses=("192.0.2.10",))
    domain = hosted(ours, NAME)
    policies.start(domain=domain, mx=(f"mx1.{NAME}",), actor=ANA)
    sight(domain)
    domains.mark_live(domain)
    keep_access(domain=domain, actor=ANA, access=Access("cloudflare", {"auth_token": TOKEN}))
    set_ways(domain=domain, actor=ANA, tlsrpt="provider")
    return domain


@pytest.fixture
def fake(domain: HostedDomain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    with support_dnsapi.cloudflare_at(NAME, monkeypatch) as server:
        yield server


def cnames(domain: HostedDomain) -> str:
    return host(domain) + f"_mta-sts CNAME {domain.label}.mta-sts.trinco.example.\n"


def off(domain: HostedDomain) -> None:
    domains.set_tlsrpt(domain=domain, actor=ANA, on=False)


class TestOff:
    """What is written, what is looked for and what is shown are one text."""

    @pytest.mark.parametrize("way", ["txt", "provider"])
    def test_nothing_is_demanded(self, domain: HostedDomain, settings: Any, way: str) -> None:
        set_ways(domain=domain, actor=ANA, tlsrpt=way)
        off(domain)
        assert (report_text(domain), subject(domain).by_hand.report_text) == ("", "")
        assert instructions(domain)[2].values == ()
        assert [each.text for each in wanted_of(domain)] == ([""] if way == "provider" else [])
        assert wanted_of(domain, every=True) == ()
        with customers(settings, {NAME: cnames(domain)}):
            look(domain)
        assert found(domain) == {"mta-sts": "found", "_mta-sts": "found", "_smtp._tls": "later"}
        assert status(domain, timezone.now()).problem not in ("record-lost", "publish-waits")
        page = support_web.browser(support_web.owner_of(domain.organisation)).get(f"/domains/{NAME}/setup/")
        assert "Nothing: TLS reporting is off." in support_web.text_of(page)

    def test_what_stands_there_is_told(self, domain: HostedDomain, settings: Any) -> None:
        set_ways(domain=domain, actor=ANA, tlsrpt="txt")
        text = report_text(domain)
        off(domain)
        with customers(settings, {NAME: cnames(domain) + f'_smtp._tls TXT "{text}"\n'}):
            look(domain)
        page = support_web.browser(support_web.owner_of(domain.organisation)).get(f"/domains/{NAME}/setup/")
        shown = support_web.text_of(page)
        assert "TLS reporting is off: the text of before can go. There is" in shown
        assert text in shown

    def test_where_the_text_alone_shows_whose_the_name_is_it_is_wanted_until_it_has(
        self, ours: Organisation, settings: Any
    ) -> None:
        configure(settings, policy_addresses=("192.0.2.10",))
        fresh = by_hand(ours, **ALL)
        off(fresh)
        with customers(settings, {NAME: "mta-sts A 192.0.2.10\n" + reports(fresh)}):
            look(fresh)
        assert (fresh.state, report_text(fresh)) == (State.LIVE, "")


class TestProvider:
    """What was written is taken away, as far as all of it is ours."""

    def written(self, domain: HostedDomain, fake: Cloudflare) -> None:
        domain.records.all().delete()
        publish_due(timezone.now())
        assert fake.held() == {("TXT", OWN, report_text(domain))}

    def test_ours_goes_and_comes_back(self, domain: HostedDomain, fake: Cloudflare) -> None:
        self.written(domain, fake)
        fake.add("TXT", OWN, "other=1")
        off(domain)
        assert publish_due(timezone.now()) == 1
        assert fake.held() == {("TXT", OWN, "other=1")}
        assert KeptAccess.objects.everywhere().get().trouble == ""
        domains.set_tlsrpt(domain=domain, actor=ANA, on=True)
        assert publish_due(timezone.now()) == 1
        assert fake.held() == {("TXT", OWN, "other=1"), ("TXT", OWN, report_text(domain))}

    def test_one_that_asks_others_as_well_stays(self, domain: HostedDomain, fake: Cloudflare) -> None:
        domain.records.all().delete()
        both = report_text(domain) + ",mailto:tls@others.example"
        fake.add("TXT", OWN, both)
        off(domain)
        publish_due(timezone.now())
        assert (fake.held(), KeptAccess.objects.everywhere().get().trouble) == ({("TXT", OWN, both)}, "")

    def test_seen_to_be_gone_nothing_more_is_asked(self, domain: HostedDomain, fake: Cloudflare, settings: Any) -> None:
        self.written(domain, fake)
        text = report_text(domain)
        off(domain)
        with customers(settings, {NAME: cnames(domain) + f'_smtp._tls TXT "{text}"\n'}):
            look(domain)
        assert publish_due(timezone.now()) == 1
        with customers(settings, {NAME: cnames(domain)}):
            look(domain)
        fake.calls.clear()
        KeptAccess.objects.everywhere().update(due_at=timezone.now())
        assert (publish_due(timezone.now()), fake.calls) == (0, [])

    def test_one_that_comes_back_goes_again(self, domain: HostedDomain, fake: Cloudflare, settings: Any) -> None:
        text = report_text(domain)
        off(domain)
        fake.add("TXT", OWN, text)
        later = timezone.now() + timedelta(minutes=50)
        KeptAccess.objects.everywhere().update(due_at=later)
        with customers(settings, {NAME: cnames(domain) + f'_smtp._tls TXT "{text}"\n'}):
            look(domain)
        assert (publishing.publish_due(timezone.now()), fake.held()) == (1, set())
