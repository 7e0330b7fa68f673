"""Issuing and renewing."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_der_x509_certificate
from django.conf import settings
from django.utils import timezone
from tests.support_panel import ANA, hosted, live

from trinco.panel.certificates import services
from trinco.panel.certificates.authority import Issued
from trinco.panel.certificates.errors import IssuanceFailed
from trinco.panel.certificates.models import Attempt, Certificate
from trinco.panel.certificates.services import current, issue_due
from trinco.panel.certificates.terms import renew_due_at
from trinco.panel.domains.models import State
from trinco.panel.policies.services import leave
from trinco.panel.seal import Seal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Refusing:
    """An authority that is away."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def issue(self, policy_host: str, now: datetime) -> Issued:
        self.asked.append(policy_host)
        raise IssuanceFailed("CAA forbids it\nat example")


class TestIssue:
    """The policy host's certificate names `mta-sts.<domain>` (RFC 8461 section 3.3)."""

    def test_a_live_domain_gets_one(self, ours):
        domain = live(ours)
        before = domain.revision
        now = timezone.now()
        assert issue_due(now) == 1
        domain.refresh_from_db()
        certificate = current(domain)
        leaf = load_der_x509_certificate(bytes(certificate.leaf))
        assert domain.revision == before + 1
        assert (certificate.not_after, certificate.not_before) == (leaf.not_valid_after_utc, leaf.not_valid_before_utc)
        assert certificate.not_after - now > timedelta(days=89)

    def test_the_key_rests_sealed_and_belongs_to_the_leaf(self, ours):
        domain = live(ours)
        issue_due(timezone.now())
        certificate = current(domain)
        key = Seal.of(settings.SEAL_KEY).open(bytes(certificate.sealed_key), "mta-sts.correio.example")
        public = serialization.load_der_private_key(key, None).public_key()
        assert public == load_der_x509_certificate(bytes(certificate.leaf)).public_key()
        assert key not in bytes(certificate.sealed_key)

    def test_the_chain_is_stored_once(self, ours):
        first, second = live(ours), live(ours, "outro.example")
        assert issue_due(timezone.now()) == 2
        chain = current(first).chain
        assert chain == current(second).chain
        ders = [base64.b64decode(text) for text in chain.certificates]
        assert (len(ders), chain.digest) == (1, hashlib.sha256(b"".join(ders)).hexdigest())

    def test_once_is_enough(self, ours):
        live(ours)
        issue_due(timezone.now())
        assert issue_due(timezone.now()) == 0

    def test_exactly_the_domains_that_are_served(self, ours):
        served, leaving = live(ours), live(ours, "leaving.example")
        leave(domain=leaving, actor=ANA)
        hosted(ours, "setup.example")
        gone = live(ours, "gone.example")
        gone.state = State.GONE
        gone.save()
        assert issue_due(timezone.now()) == 2
        assert {each.domain for each in Certificate.objects.everywhere()} == {served, leaving}

    def test_a_bounded_number_at_once(self, ours, monkeypatch):
        monkeypatch.setattr(services, "AT_ONCE", 2)
        for number in range(3):
            live(ours, f"d{number}.example")
        assert [issue_due(timezone.now()) for _ in range(3)] == [2, 1, 0]


class TestRenewal:
    """At two thirds of the life, half of it for short ones, a little earlier by chance: never all at once."""

    def test_when(self):
        assert renew_due_at(NOW, NOW + 90 * DAY, 0.0) == NOW + 60 * DAY
        assert renew_due_at(NOW, NOW + 90 * DAY, 1.0) == NOW + 57 * DAY
        assert renew_due_at(NOW, NOW + 6 * DAY, 0.0) == NOW + 3 * DAY

    def test_a_new_key_each_time_and_the_newest_is_served(self, ours):
        domain, now = live(ours), timezone.now()
        issue_due(now, jitter=lambda: 0.0)
        first = current(domain)
        assert issue_due(now + 59 * DAY) == 0
        assert issue_due(now + 60 * DAY) == 1
        second = current(domain)
        keys = {load_der_x509_certificate(bytes(each.leaf)).public_key().public_numbers() for each in (first, second)}
        assert (len(keys), second.not_after > first.not_after) == (2, True)

    def test_what_ran_out_is_thrown_away_with_its_key(self, ours):
        domain, now = live(ours), timezone.now()
        issue_due(now)
        issue_due(now + 91 * DAY)
        assert [each.not_after for each in domain.certificates.all()] == [current(domain).not_after]


class TestFailure:
    """A failure waits 1, 10 and 100 minutes, then a day each time, and nothing else waits with it."""

    def test_the_waits(self, ours):
        domain, authority, now = live(ours), Refusing(), NOW + 365 * DAY
        waits = []
        for _ in range(5):
            assert issue_due(now, authority=authority) == 0
            due_at = Attempt.objects.everywhere().get(domain=domain).due_at
            waits.append(due_at - now)
            assert issue_due(due_at - timedelta(seconds=1), authority=authority) == 0
            now = due_at
        assert waits == [timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), DAY, DAY]
        assert authority.asked == ["mta-sts.correio.example"] * 5

    def test_the_reason_is_kept_and_goes_with_success(self, ours):
        domain, now = live(ours), timezone.now()
        issue_due(now, authority=Refusing())
        attempt = Attempt.objects.everywhere().get(domain=domain)
        assert (attempt.failures, attempt.problem) == (1, "CAA forbids it\nat example")
        assert issue_due(now + timedelta(minutes=1)) == 1
        assert not Attempt.objects.everywhere().exists()

    def test_a_failed_renewal_leaves_the_old_one_served(self, ours):
        domain, now = live(ours), timezone.now()
        issue_due(now)
        held = current(domain)
        issue_due(now + 70 * DAY, authority=Refusing())
        assert current(domain) == held

    def test_it_does_not_touch_the_domain(self, ours):
        domain = live(ours)
        before = domain.revision
        issue_due(timezone.now(), authority=Refusing())
        domain.refresh_from_db()
        assert domain.revision == before
