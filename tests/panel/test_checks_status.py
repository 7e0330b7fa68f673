"""How urgent a domain is, and for which one reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_checks_rows import NAME, certified, ready_domain
from tests.support_panel import ANA, announced, edge, hosted, live, organisation, sight, sight_mx

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.checks import status as statuses
from trinco.panel.checks.status import Status
from trinco.panel.domains.models import Finding, HostedDomain, Level, MxSighting, RecordSighting, Starttls, State
from trinco.panel.policies import services as policies
from trinco.panel.policies.models import EdgeNode, PolicyVersion

pytestmark = pytest.mark.django_db
HOST = f"mx1.{NAME}"


def status(domain: HostedDomain) -> Status:
    return statuses.status(HostedDomain.objects.everywhere().get(pk=domain.pk), timezone.now())


def enforced() -> HostedDomain:
    domain = ready_domain()
    policies.publish(domain=domain, policy=Policy(Mode.ENFORCE, (HOST,), 604_800), actor=ANA)
    edge()
    policies.announce_due(timezone.now())
    return domain


def spoiled(mode: str) -> HostedDomain:
    return enforced() if mode == "enforce" else ready_domain()


class TestWell:
    def test_testing_and_ready(self):
        assert status(ready_domain()) == Status(Level.READY, "ready")

    def test_testing_and_not_ready(self):
        domain = ready_domain()
        MxSighting.objects.everywhere().update(starttls=Starttls.UNTESTED)
        assert status(domain) == Status(Level.OK, "testing")

    def test_enforce(self):
        assert status(enforced()) == Status(Level.OK, "enforce")

    def test_none(self):
        domain = ready_domain()
        policies.publish(domain=domain, policy=Policy(Mode.NONE, (), 86_400), actor=ANA)
        sight_mx(domain, "anything.example")
        edge()
        policies.announce_due(timezone.now())
        assert status(domain) == Status(Level.OK, "none")

    def test_leaving_and_gone(self):
        domain = ready_domain()
        policies.leave(domain=domain, actor=ANA)
        assert status(domain) == Status(Level.LEAVING, "leaving")
        HostedDomain.objects.everywhere().update(state=State.GONE)
        assert status(domain) == Status(Level.LEAVING, "gone")


@pytest.mark.parametrize(("mode", "level"), [("enforce", Level.CRITICAL), ("testing", Level.ATTENTION)])
class TestTrouble:
    """What makes senders defer mail in enforce is critical there; in testing it wants attention before anything else."""

    def test_an_mx_outside_the_policy(self, mode, level):
        domain = spoiled(mode)
        sight_mx(domain, HOST, "mx2.elsewhere.example")
        assert status(domain) == Status(level, "mx-uncovered", hosts=("mx2.elsewhere.example",))

    @pytest.mark.parametrize("result", [Starttls.NOT_OFFERED, Starttls.BAD_CERTIFICATE])
    def test_an_mx_that_fails(self, mode, level, result):
        domain = spoiled(mode)
        MxSighting.objects.everywhere().update(starttls=result)
        assert status(domain) == Status(level, "mx-tls", hosts=(HOST,))

    def test_a_lost_record(self, mode, level):
        domain = spoiled(mode)
        row = RecordSighting.objects.everywhere().filter(record="mta-sts")
        row.update(finding=Finding.ELSEWHERE, seen="rival.example")
        expected = Status(level, "record-lost", record="mta-sts", finding="elsewhere", seen="rival.example")
        assert status(domain) == expected

    def test_no_certificate(self, mode, level):
        domain = spoiled(mode)
        domain.certificates.all().delete()
        HostedDomain.objects.everywhere().update(verified_at=timezone.now() - timedelta(minutes=6))
        assert status(domain) == Status(level, "certificate-missing")

    def test_an_expired_certificate(self, mode, level):
        domain, until = spoiled(mode), timezone.now() - timedelta(minutes=1)
        certified(domain, until=until)
        assert status(domain) == Status(level, "certificate-expired", until=until)

    def test_an_edge_that_does_not_serve_it(self, mode, level):
        domain = spoiled(mode)
        edge(failing=(domain.label,))
        assert status(domain) == Status(level, "policy-unserved")


class TestAttention:
    """What is not urgent, in enforce as well."""

    def test_an_mx_that_does_not_answer(self):
        domain = enforced()
        MxSighting.objects.everywhere().update(starttls=Starttls.UNREACHABLE)
        assert status(domain) == Status(Level.ATTENTION, "mx-unreachable", hosts=(HOST,))

    def test_an_mx_whose_certificate_ends_soon(self):
        domain, until = enforced(), timezone.now() + timedelta(days=13)
        MxSighting.objects.everywhere().update(not_after=until)
        assert status(domain) == Status(Level.ATTENTION, "mx-certificate", hosts=(HOST,), until=until)

    def test_a_renewal_that_is_late(self):
        domain, until = enforced(), timezone.now() + timedelta(days=20)
        certified(domain, until=until, renew=timezone.now() - timedelta(days=2))
        assert status(domain) == Status(Level.ATTENTION, "certificate-renewal", until=until)

    def test_the_report_record_is_gone(self):
        domain = enforced()
        RecordSighting.objects.everywhere().filter(record="_smtp._tls").update(finding=Finding.MISSING)
        expected = Status(Level.ATTENTION, "record-lost", record="_smtp._tls", finding="missing")
        assert status(domain) == expected
        HostedDomain.objects.everywhere().update(tlsrpt=False)
        assert status(domain) == Status(Level.OK, "enforce")

    def test_silent_name_servers(self):
        domain = enforced()
        RecordSighting.objects.everywhere().filter(record="_mta-sts").update(finding=Finding.UNKNOWN, seen="SERVFAIL")
        expected = Status(Level.ATTENTION, "dns-silent", record="_mta-sts", finding="unknown", seen="SERVFAIL")
        assert status(domain) == expected

    def test_caa(self):
        domain = enforced()
        row = RecordSighting.objects.everywhere().filter(record="mta-sts")
        row.update(finding=Finding.CAA_FORBIDS, seen='a.example CAA 0 issue ";"')
        expected = Status(
            Level.ATTENTION, "caa-forbids", record="mta-sts", finding="caa", seen='a.example CAA 0 issue ";"'
        )
        assert status(domain) == expected

    def test_an_announcement_that_waits(self):
        domain = ready_domain()
        edge(acknowledged=0)
        policies.publish(domain=domain, policy=Policy(Mode.NONE, (), 86_400), actor=ANA)
        assert status(domain) == Status(Level.OK, "none")
        long_ago = timezone.now() - timedelta(minutes=6)
        PolicyVersion.objects.everywhere().update(created_at=long_ago)
        HostedDomain.objects.everywhere().update(verified_at=long_ago)
        assert status(domain) == Status(Level.ATTENTION, "announcement-waits")

    def test_the_worst_comes_first(self):
        domain = enforced()
        sight_mx(domain, HOST, "mx2.elsewhere.example")
        RecordSighting.objects.everywhere().update(finding=Finding.UNKNOWN)
        assert status(domain).problem == "mx-uncovered"


class TestSetup:
    """What the owner has to do next."""

    def test_nothing_was_looked_at(self):
        domain = hosted(organisation(), NAME)
        missing = tuple(f"{name}.{NAME}" for name in ("mta-sts", "_mta-sts", "_smtp._tls"))
        assert status(domain) == Status(Level.SETUP, "records-missing", hosts=missing)

    def test_one_is_missing(self):
        domain = hosted(organisation(), NAME)
        sight(domain)
        RecordSighting.objects.everywhere().filter(record="mta-sts").update(finding=Finding.MISSING)
        assert status(domain) == Status(Level.SETUP, "records-missing", hosts=(f"mta-sts.{NAME}",))

    def test_one_is_wrong(self):
        domain = hosted(organisation(), NAME)
        sight(domain, Finding.MISSING)
        RecordSighting.objects.everywhere().filter(record="_mta-sts").update(finding=Finding.TXT_IN_THE_WAY, seen="x")
        assert status(domain) == Status(Level.SETUP, "record-wrong", record="_mta-sts", finding="txt", seen="x")

    def test_silence(self):
        domain = hosted(organisation(), NAME)
        sight(domain, Finding.UNKNOWN)
        assert status(domain) == Status(Level.SETUP, "dns-silent", record="mta-sts", finding="unknown")

    def test_all_found(self):
        domain = hosted(organisation(), NAME)
        sight(domain)
        assert status(domain) == Status(Level.SETUP, "mx-unconfirmed")
        policies.start(domain=domain, mx=(HOST,), actor=ANA)
        assert status(domain) == Status(Level.SETUP, "going-live")

    def test_live_and_not_yet_announced(self):
        domain = live(organisation(), NAME)
        assert status(domain) == Status(Level.SETUP, "certificate-pending")
        certified(domain)
        assert status(domain) == Status(Level.SETUP, "announcing")


class TestLevels:
    """The column by which ten thousand domains are sorted follows what happens to them."""

    def levels(self) -> dict[str, tuple[int, bool]]:
        rows = HostedDomain.objects.everywhere().order_by("name")
        return {row.name: (row.level, row.level_revision == row.revision) for row in rows}

    def test_what_changed_is_worked_out_anew(self):
        domain = ready_domain()
        assert self.levels() == {NAME: (Level.SETUP, False)}
        assert statuses.refresh_changed(timezone.now()) == 1
        assert self.levels() == {NAME: (Level.READY, True)}
        assert statuses.refresh_changed(timezone.now()) == 0
        policies.publish(domain=domain, policy=Policy(Mode.ENFORCE, (HOST,), 604_800), actor=ANA)
        statuses.refresh_changed(timezone.now())
        assert self.levels() == {NAME: (Level.OK, True)}

    def test_what_the_edges_report_is_followed(self):
        domain = ready_domain()
        other = ready_domain(domain.organisation, "outro.example")
        statuses.refresh_changed(timezone.now())
        edge(failing=(domain.label,))
        assert statuses.refresh_changed(timezone.now()) == 1
        assert self.levels() == {NAME: (Level.ATTENTION, True), other.name: (Level.READY, True)}
        EdgeNode.objects.all().delete()
        assert statuses.refresh_changed(timezone.now()) == 2
        assert self.levels() == {NAME: (Level.OK, True), other.name: (Level.OK, True)}

    def test_a_domain_that_changes_meanwhile_is_left_for_the_next_time(self):
        domain = ready_domain()
        HostedDomain.objects.everywhere().update(revision=domain.revision + 1)
        assert statuses.refresh([domain], timezone.now()) == 0
        assert self.levels() == {NAME: (Level.SETUP, False)}

    def test_by_key(self):
        keys = [ready_domain().pk]
        assert statuses.refresh_by_key(keys, timezone.now()) == 1

    def test_a_page_of_domains_costs_a_handful_of_queries(self, django_assert_max_num_queries):
        owner = organisation()
        for number in range(5):
            announced(owner, f"d{number}.example")
        rows = HostedDomain.objects.of(owner)
        with django_assert_max_num_queries(10):
            found = statuses.statuses(rows, timezone.now())
        assert {each.problem for each in found.values()} == {"certificate-pending"}
