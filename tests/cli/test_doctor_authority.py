"""`trinco doctor` about the certificate authority."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings

from trinco.cli.examine_here import authority
from trinco.cli.findings import Verdict
from trinco.panel.certificates.models import Account

pytestmark = pytest.mark.django_db
DIRECTORY = "https://ca.example/dir"


def seen(**values: Any) -> list[tuple[Verdict, str]]:
    given = {"acme_directory": DIRECTORY, "acme_terms_agreed": True, "http_listen": (("127.0.0.1", 80),), **values}
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
