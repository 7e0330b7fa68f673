"""May a domain go to enforce: each gate closed once for each of its reasons."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation
from tests.support_checks_rows import certified, ready_domain
from tests.support_panel import announced, edge, hosted, live, organisation, sight, sight_mx

from trinco.panel.checks.readiness import Gate, readiness
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, RecordSighting, Starttls
from trinco.panel.policies.models import EdgeNode

pytestmark = pytest.mark.django_db
NAME, HOST = "correio.example", "mx1.correio.example"


def gate(domain: HostedDomain, key: str) -> Gate:
    fresh = HostedDomain.objects.everywhere().get(pk=domain.pk)
    return next(each for each in readiness(fresh, timezone.now()) if each.key == key)


class TestReady:
    def test_all_five(self):
        assert readiness(ready_domain(), timezone.now()) == (
            Gate("records", True),
            Gate("policy", True),
            Gate("mx-covered", True, 1),
            Gate("mx-tls", True, 1),
            Gate("reports", True, 14),
        )

    def test_each_has_a_title_and_a_note_in_the_readers_language(self):
        with translation.override("en"):
            texts = [(str(each.title), each.note) for each in readiness(ready_domain(), timezone.now())]
        assert texts == [
            ("The three DNS records point here", ""),
            ("The policy is served over valid HTTPS", ""),
            ("Every mail server in DNS is in the policy", "1 mail server"),
            ("Every mail server passes STARTTLS with a matching certificate", "1 mail server"),
            ("14 days with failures below 0.5 %", "day 14 of 14"),
        ]


class TestRecords:
    def test_one_is_missing(self):
        domain = ready_domain()
        row = RecordSighting.objects.everywhere().filter(domain=domain, record="mta-sts")
        row.update(finding=Finding.ELSEWHERE)
        assert gate(domain, "records") == Gate("records", False, hosts=("mta-sts.correio.example",))

    def test_the_report_record_does_not_count_when_reports_are_off(self):
        domain = ready_domain()
        RecordSighting.objects.everywhere().filter(record="_smtp._tls").delete()
        HostedDomain.objects.everywhere().update(tlsrpt=False)
        assert gate(domain, "records").passed


class TestPolicy:
    """An id is announced only after every live edge has fetched the policy from itself over verified HTTPS."""

    def test_not_live(self):
        assert gate(hosted(organisation(), NAME), "policy") == Gate("policy", False, reason="not-live")

    def test_no_certificate(self):
        assert gate(announced(organisation(), NAME), "policy").reason == "no-certificate"

    def test_an_expired_certificate(self):
        domain = announced(organisation(), NAME)
        certified(domain, until=timezone.now() - timedelta(seconds=1))
        assert gate(domain, "policy").reason == "expired"

    def test_not_announced(self):
        domain = live(organisation(), NAME)
        certified(domain)
        edge(acknowledged=0)
        assert gate(domain, "policy").reason == "not-announced"

    def test_an_edge_that_cannot_fetch_it(self):
        domain = ready_domain()
        edge(failing=(domain.label,))
        assert gate(domain, "policy").reason == "failing"

    def test_no_edge(self):
        domain = ready_domain()
        EdgeNode.objects.all().delete()
        assert gate(domain, "policy").reason == "no-edge"


class TestMx:
    """RFC 8461 sections 4.1 and 4.2, for every MX that DNS shows."""

    def test_read_too_long_ago(self):
        domain = ready_domain()
        sight_mx(domain, HOST, ago=timedelta(minutes=61))
        assert gate(domain, "mx-covered").reason == "mx-stale"

    def test_none(self):
        domain = ready_domain()
        sight_mx(domain)
        assert [gate(domain, key).reason for key in ("mx-covered", "mx-tls")] == ["no-mx", "no-mx"]

    def test_one_that_the_policy_does_not_cover(self):
        domain = ready_domain()
        sight_mx(domain, HOST, "mx2.elsewhere.example")
        assert gate(domain, "mx-covered") == Gate("mx-covered", False, 2, ("mx2.elsewhere.example",))

    @pytest.mark.parametrize(
        "result", [Starttls.UNTESTED, Starttls.NOT_OFFERED, Starttls.BAD_CERTIFICATE, Starttls.UNREACHABLE]
    )
    def test_one_that_does_not_pass(self, result):
        domain = ready_domain()
        MxSighting.objects.everywhere().update(starttls=result)
        assert gate(domain, "mx-tls") == Gate("mx-tls", False, 1, (HOST,))

    def test_many_hosts_are_told_in_short(self):
        with translation.override("en"):
            note = Gate("mx-tls", False, 9, tuple(f"mx{n}" for n in range(8))).note
        assert note == "mx0, mx1, mx2, mx3, mx4 and 3 more"


def test_reading_costs_a_handful_of_queries(django_assert_max_num_queries):
    domain = HostedDomain.objects.everywhere().get(pk=ready_domain().pk)
    sight(domain)
    with django_assert_max_num_queries(9):
        readiness(domain, timezone.now())
