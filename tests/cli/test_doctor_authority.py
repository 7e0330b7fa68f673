"""`trinco doctor` about the certificate authority."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from trinco.cli.examine_here import authority, own_certificate
from trinco.cli.findings import Verdict
from trinco.panel import health
from trinco.panel.certificates import hosts
from trinco.panel.certificates.models import Account, HostCertificate

pytestmark = pytest.mark.django_db
DIRECTORY = "https://ca.example/dir"
NOW = timezone.now()
CAA = "ca.example; validationmethods=http-01"


def seen(**values: Any) -> list[tuple[Verdict, str]]:
    given = {
        "acme_directory": DIRECTORY,
        "acme_terms_agreed": True,
        "http_listen": (("127.0.0.1", 80),),
        "caa": (CAA,),
        **values,
    }
    return [(finding.verdict, finding.seen) for finding in authority(replace(settings.CONFIG, **given))]


def test_without_one_it_is_the_development_ca() -> None:
    assert seen(acme_directory="") == [(Verdict.OK, "the development CA, which nobody elsewhere trusts")]


def test_terms_and_port_80() -> None:
    assert [verdict for verdict, _ in seen(acme_terms_agreed=False, http_listen=())] == [Verdict.WARNING] * 2


def test_no_account_yet() -> None:
    assert seen() == [(Verdict.UNTESTED, "there is no account yet: the worker makes it")]


def test_away() -> None:
    since = datetime(2027, 1, 1, 12, 30, tzinfo=UTC)
    Account.objects.create(directory=DIRECTORY, url="https://ca.example/1", away_since=since, problem="no route")
    assert seen() == [(Verdict.WARNING, "away since 2027-01-01 12:30 UTC: no route")]


def test_clocks_that_differ() -> None:
    Account.objects.create(directory=DIRECTORY, url="https://ca.example/1", skew_seconds=-172_800)
    assert seen() == [(Verdict.WARNING, "its clock is -172800 seconds ahead of ours")]


def test_all_is_well() -> None:
    Account.objects.create(directory=DIRECTORY, url="https://ca.example/1")
    assert seen() == [(Verdict.OK, f"{DIRECTORY} knows us as https://ca.example/1")]


class TestCaa:
    """RFC 8657 sections 3 and 4: our own records may name an account, and ways of proving a name."""

    @pytest.mark.parametrize(
        ("value", "fits"),
        [
            (CAA, True),
            (f"{CAA}; accounturi=https://ca.example/1", True),
            (f"{CAA}; accounturi=https://ca.example/2", False),
            ("ca.example; validationmethods=dns-01", False),
        ],
    )
    def test_an_account_of_ours_may_issue(self, value: str, fits: bool) -> None:
        Account.objects.create(directory=DIRECTORY, url="https://ca.example/1")
        told = (Verdict.ERROR, "no value of TRINCO_CAA lets an account of ours issue over http-01")
        assert (told in seen(caa=(value,))) is not fits

    def test_without_any_nobody_may(self) -> None:
        assert seen(caa=())[0] == (Verdict.ERROR, "TRINCO_CAA is empty: nobody may issue")


class TestOwnCertificate:
    """Issue 4: the doctor and /readyz say when our own hosts' certificate fails; without it reports do not arrive."""

    def test_none_yet(self) -> None:
        assert own_certificate().verdict == Verdict.UNTESTED
        assert health.remarks() == {}

    def test_all_is_well(self) -> None:
        hosts.issue_due(NOW)
        ends = HostCertificate.objects.get().not_after
        assert own_certificate().verdict == Verdict.OK
        assert own_certificate().seen.endswith(f"until {ends:%Y-%m-%d %H:%M} UTC")
        assert health.remarks() == {}

    def test_it_fails_and_is_still_good(self) -> None:
        hosts.issue_due(NOW)
        row = HostCertificate.objects.get()
        for _ in range(2):
            hosts.postpone(row.names, "no route", NOW)
        said = f"it ends {row.not_after:%Y-%m-%d %H:%M} UTC; 2 attempts failed: no route"
        assert (own_certificate().verdict, own_certificate().seen) == (Verdict.ERROR, said)
        assert health.remarks() == {"own_certificate": said}

    def test_it_has_ended(self) -> None:
        hosts.issue_due(NOW)
        HostCertificate.objects.update(not_after=datetime(2026, 1, 1, tzinfo=UTC))
        assert own_certificate().seen == "it ended 2026-01-01 00:00 UTC"

    def test_there_never_was_one(self) -> None:
        for _ in range(2):
            hosts.postpone(hosts.names(settings.CONFIG), "no route", NOW)
        assert own_certificate().seen == "there is none; 2 attempts failed: no route"
