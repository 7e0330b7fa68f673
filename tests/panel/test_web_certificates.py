"""What pages say of a certificate that is not there yet."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone
from tests.support_acme import FIRST, configured
from tests.support_panel import live

from trinco.panel.accounts.models import Membership
from trinco.panel.certificates.keeping import postpone
from trinco.panel.certificates.models import Account, Order, Stage
from trinco.panel.checks.status import status
from trinco.panel.domains.models import HostedDomain, Level


@pytest.fixture
def member(ours, as_member):
    return as_member(Membership.objects.get(organisation=ours).user)


@pytest.fixture
def full(monkeypatch, db):
    """Two orders in three hours, which were made an hour ago."""
    configured(monkeypatch, acme_orders=2)
    account, asked = Account.objects.create(directory=FIRST), timezone.now() - timedelta(hours=1)
    for number in range(2):
        times = {"created_at": asked, "asked_at": asked, "stage_at": asked, "step_at": asked, "ended_at": asked}
        Order.objects.everywhere().create(
            account=account, host=f"h{number}", names=[], stage=Stage.DONE, sealed_key=b"", csr=b"", **times
        )
    return asked


def text(response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def long_ago(domain: HostedDomain) -> None:
    HostedDomain.objects.everywhere().filter(pk=domain.pk).update(verified_at=timezone.now() - timedelta(hours=1))
    domain.refresh_from_db()


class TestQueue:
    """Importing many domains shows a queue with an estimate, and is nobody's fault."""

    def test_the_page_says_when_and_who_is_before(self, full, ours, member):
        for name in ("a.example", "b.example", "c.example"):
            domain = live(ours, name)
        page = text(member.get("/domains/c.example/"))
        at = full + timedelta(hours=6)
        assert f"Certificate expected about {at:%H:%M} UTC: 2 domains before it" in page
        assert page.count("2 domains before it") == 2  # the status and the card
        assert domain.name in page

    def test_the_overview_says_it_too(self, full, ours, member):
        live(ours)
        assert f"Certificate expected about {full + timedelta(hours=3):%H:%M} UTC" in text(member.get("/"))

    def test_waiting_is_no_trouble(self, full, ours):
        domain = live(ours)
        long_ago(domain)
        found = status(domain, timezone.now())
        assert (found.level, found.problem, found.before) == (Level.SETUP, "certificate-pending", 0)

    def test_being_late_is(self, monkeypatch, ours):
        configured(monkeypatch)
        domain = live(ours)
        long_ago(domain)
        assert status(domain, timezone.now()).problem == "certificate-missing"

    def test_days_ahead_it_says_the_date(self, full, ours, member):
        for number in range(40):
            domain = live(ours, f"d{number:02}.example")
        at = full + timedelta(hours=3 * 20)
        assert f"expected about {at.day} {at:%b %Y %H:%M} UTC: 39 domains before it" in text(
            member.get(f"/domains/{domain.name}/")
        )


class TestFailure:
    def test_the_owner_reads_what_the_authority_said(self, ours, member):
        domain = live(ours)
        postpone(domain, "no <b>route</b>\u202e", timezone.now())
        page = member.get("/domains/correio.example/")
        assert "The last attempt failed: no <b>route</b>" in text(page).replace("\u202e", "")
        assert b"<b>route" not in page.content
