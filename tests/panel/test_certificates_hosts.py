"""The certificate of our own hosts: got once, renewed in time, and part of what the edges hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import DNSName, SubjectAlternativeName, load_der_x509_certificate
from django.conf import settings
from django.utils import timezone
from msgspec import structs
from tests.support_panel import live

from trinco.panel import rendering
from trinco.panel.certificates import hosts
from trinco.panel.certificates.authority import Issued
from trinco.panel.certificates.development import DevelopmentAuthority
from trinco.panel.certificates.errors import IssuanceFailed
from trinco.panel.certificates.models import Chain, HostCertificate
from trinco.panel.certificates.services import issue_due
from trinco.panel.domains.services import newest_revision
from trinco.panel.seal import Seal

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def reports_host() -> str:
    return settings.CONFIG.reports_host


@pytest.fixture
def mail(monkeypatch):
    """Our mail hosts, as a setting says them."""

    def set_to(*names: str) -> None:
        changed = replace(settings.CONFIG, reports_mx=tuple(enumerate(names)))
        monkeypatch.setattr(settings, "CONFIG", changed)

    return set_to


class Refusing:
    """An authority that is away."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def issue(self, host: str, now: datetime, *, also: Sequence[str] = ()) -> Issued:
        self.asked.append((host, *also))
        raise IssuanceFailed("no answer")


def held() -> HostCertificate:
    return HostCertificate.objects.get()


def names_in(leaf: bytes) -> list[str]:
    names = load_der_x509_certificate(leaf).extensions.get_extension_for_class(SubjectAlternativeName).value
    return names.get_values_for_type(DNSName)


class TestNames:
    """One certificate for the HTTPS door and for STARTTLS of the mail hosts that are ours."""

    def test_the_reports_host_comes_first_and_once(self, mail, reports_host):
        base = settings.CONFIG.base
        mail(f"mx2.{base}", "mx.example.net", reports_host, f"mx1.{base}", f"x{base}", str(base))
        ours = sorted((f"mx1.{base}", f"mx2.{base}", str(base)))
        assert hosts.names(settings.CONFIG) == (reports_host, *ours)

    def test_they_are_in_the_certificate(self, mail, reports_host):
        mail(f"mx1.{settings.CONFIG.base}")
        assert hosts.issue_due(timezone.now()) == 1
        assert names_in(bytes(held().leaf)) == [reports_host, f"mx1.{settings.CONFIG.base}"]
        assert held().names == [reports_host, f"mx1.{settings.CONFIG.base}"]


class TestIssue:
    """There is one as soon as the worker runs, and its key rests sealed under the reports host."""

    def test_once_is_enough(self):
        now = timezone.now()
        assert [hosts.issue_due(now) for _ in range(3)] == [1, 0, 0]

    def test_the_key_is_sealed_and_belongs_to_the_leaf(self, reports_host):
        hosts.issue_due(timezone.now())
        key = Seal.of(settings.SEAL_KEY).open(bytes(held().sealed_key), reports_host)
        public = serialization.load_der_private_key(key, None).public_key()
        assert public == load_der_x509_certificate(bytes(held().leaf)).public_key()
        assert key not in bytes(held().sealed_key)

    def test_the_edges_get_it_with_the_next_revision(self, reports_host):
        zone, before = settings.CONFIG.zone, newest_revision()
        hosts.issue_due(timezone.now())
        change = rendering.since(zone, before)
        certificate = change.zone.reports_certificate
        assert (change.revision, change.changed) == (before + 1, ())
        assert (certificate.leaf, certificate.sealed_key) == (bytes(held().leaf), bytes(held().sealed_key))
        assert certificate.not_after == int(held().not_after.timestamp())
        assert change.chains == {held().chain.digest: held().chain.issuers}
        assert rendering.whole(zone).zone == change.zone

    def test_an_edge_with_another_reports_host_does_not_get_it(self):
        hosts.issue_due(timezone.now())
        zone = structs.replace(settings.CONFIG.zone, reports_host="other.example.net")
        assert rendering.whole(zone).zone == zone

    def test_customers_have_the_same_chain(self, ours):
        live(ours)
        issue_due(timezone.now())
        hosts.issue_due(timezone.now())
        assert Chain.objects.count() == 1


class TestRenewal:
    """In time, with a new key each time; at once when the names are others."""

    def test_at_two_thirds_of_its_life(self):
        now = timezone.now()
        hosts.issue_due(now, jitter=lambda: 0.0)
        first = held()
        assert hosts.issue_due(now + 59 * DAY, jitter=lambda: 0.0) == 0
        assert hosts.issue_due(now + 60 * DAY, jitter=lambda: 0.0) == 1
        second = held()
        keys = {load_der_x509_certificate(bytes(row.leaf)).public_key().public_numbers() for row in (first, second)}
        assert (len(keys), second.not_after > first.not_after) == (2, True)

    def test_other_names_are_asked_for_at_once(self, mail, reports_host):
        now = timezone.now()
        hosts.issue_due(now)
        mail(f"mx9.{settings.CONFIG.base}")
        assert hosts.issue_due(now) == 1
        assert names_in(bytes(held().leaf)) == [reports_host, f"mx9.{settings.CONFIG.base}"]

    def test_a_former_reports_host_goes_when_its_certificate_has_run_out(self, monkeypatch):
        now = timezone.now()
        hosts.issue_due(now)
        monkeypatch.setattr(settings, "CONFIG", replace(settings.CONFIG, reports_host="r2.example.net", reports_mx=()))
        hosts.issue_due(now)
        assert HostCertificate.objects.count() == 2
        hosts.issue_due(now + 91 * DAY)
        assert held().host == "r2.example.net"


class TestFailure:
    """A failure waits 1, 10 and 100 minutes, then a day each time, and what was had before is served meanwhile."""

    def test_it_is_tried_again_later_and_later(self):
        now, away, waits = timezone.now(), Refusing(), []
        for _ in range(5):
            assert hosts.issue_due(now, authority=away) == 0
            waits.append(held().due_at - now)
            assert hosts.issue_due(held().due_at - timedelta(seconds=1), authority=away) == 0
            now = held().due_at
        minutes = [timedelta(minutes=count) for count in (1, 10, 100)]
        assert (waits, len(away.asked)) == ([*minutes, DAY, DAY], 5)
        assert (held().failures, held().problem, held().leaf) == (5, "no answer", None)
        assert rendering.whole(settings.CONFIG.zone).zone == settings.CONFIG.zone

    def test_the_one_before_stays_and_success_forgets(self):
        now = timezone.now()
        hosts.issue_due(now)
        before = bytes(held().leaf)
        hosts.issue_due(now + 70 * DAY, authority=Refusing())
        assert (bytes(held().leaf), held().failures) == (before, 1)
        assert hosts.issue_due(now + 71 * DAY) == 1
        assert (held().failures, held().problem) == (0, "")


def test_the_development_ca_signs_several_names(tmp_path):
    issued = DevelopmentAuthority.at(tmp_path, Seal(bytes(32))).issue("a.example", timezone.now(), also=("b.example",))
    assert names_in(issued.leaf) == ["a.example", "b.example"]
