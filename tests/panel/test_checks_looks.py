"""Looks written down, and what follows from them by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests import support_dns as lab
from tests.support_checks import cnames, customers
from tests.support_panel import ANA, hosted, live, organisation, standing

from trinco.core.errors import DnsFailure
from trinco.panel.checks import looks, schedule, services
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, RecordSighting, Starttls, State
from trinco.panel.policies import services as policies

pytestmark = pytest.mark.django_db
NAME = "correio.example"
MX = "@ MX 10 mx1\n@ MX 20 mx2\n"


def findings(domain: HostedDomain) -> list[str]:
    return list(
        RecordSighting.objects.everywhere().filter(domain=domain).order_by("id").values_list("finding", flat=True)
    )


def mx_hosts(domain: HostedDomain) -> list[tuple[str, int, str]]:
    rows = MxSighting.objects.everywhere().filter(domain=domain)
    return list(rows.values_list("host", "preference", "starttls"))


class TestWritten:
    """What one look has shown stands in the tables afterwards, in one piece."""

    def test_a_domain_that_waits(self, settings):
        domain = hosted(organisation(), NAME)
        with customers(settings, {NAME: MX + 'mta-sts CNAME other.example.\n_mta-sts TXT "a\x7fb"\n'}):
            services.look(domain)
        rows = RecordSighting.objects.everywhere().filter(domain=domain).values_list("record", "finding", "seen")
        assert list(rows) == [
            ("mta-sts", Finding.ELSEWHERE, "other.example"),
            ("_mta-sts", Finding.TXT_IN_THE_WAY, "a\ufffdb"),
            ("_smtp._tls", Finding.MISSING, ""),
        ]
        assert mx_hosts(domain) == [("mx1.correio.example", 10, "untested"), ("mx2.correio.example", 20, "untested")]
        assert domain.mx_suggested == ["mx1.correio.example", "mx2.correio.example"]
        assert domain.checked_at == domain.mx_checked_at
        assert domain.check_due_at - domain.checked_at == timedelta(seconds=5)

    def test_whose_name_servers_the_zone_has_and_where_it_begins(self, settings):
        """A domain below its zone, and a silent DNS later: what was known stays known."""
        domain = hosted(organisation(), f"filial.{NAME}")
        with customers(settings, {NAME: "filial MX 10 mx1\n"}):
            services.look(domain)
        assert (domain.zone, domain.nameservers) == (NAME, [f"ns.{NAME}"])
        with customers(settings, {"outro.example": ""}):
            services.look(domain)
        assert findings(domain) == [Finding.UNKNOWN] * 3
        assert (domain.zone, domain.nameservers) == (NAME, [f"ns.{NAME}"])

    def test_a_second_look_replaces_the_first_one(self, settings):
        domain = hosted(organisation(), NAME)
        with customers(settings, {NAME: "@ MX 10 mx1\n"}) as world:
            services.look(domain)
            world.publish(NAME, cnames(domain) + "@ MX 5 mx1\n@ MX 5 mx3\n")
            services.look(domain)
        assert findings(domain) == [Finding.FOUND] * 3
        assert mx_hosts(domain) == [("mx1.correio.example", 5, "untested"), ("mx3.correio.example", 5, "untested")]

    def test_an_mx_that_no_policy_can_name_is_shown_and_not_suggested(self, settings):
        domain = hosted(organisation(), NAME)
        with customers(settings, {NAME: "@ MX 10 mx_1\n@ MX 20 192.0.2.1.\n@ MX 30 mx3\n"}):
            services.look(domain)
        assert [host for host, _, _ in mx_hosts(domain)] == ["mx_1.correio.example", "192.0.2.1", "mx3.correio.example"]
        assert domain.mx_suggested == ["mx3.correio.example"]

    def test_silence_keeps_the_mx_that_were_known(self, settings):
        domain = hosted(organisation(), NAME)
        zone = "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 127.0.0.2\n@ MX 10 mx1\n"
        with customers(settings, {NAME: zone}, {"127.0.0.2": lab.Host((NAME,))}) as world:
            services.look(domain)
            before = domain.mx_checked_at
            world.hosts["127.0.0.2"].habit = lab.says("SERVFAIL")
            services.look(domain)
        assert findings(domain) == [Finding.UNKNOWN] * 3
        assert (domain.mx_checked_at, mx_hosts(domain)) == (before, [("mx1.correio.example", 10, "untested")])

    def test_a_domain_that_is_gone_is_left_alone(self, settings):
        domain = hosted(organisation(), NAME)
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE)
        with customers(settings, {NAME: MX}):
            services.look(domain)
        assert (findings(domain), mx_hosts(domain), domain.checked_at) == ([], [], None)


class TestReadMx:
    """The MX as a command shows them at once."""

    def test_hosts(self, settings):
        with customers(settings, {NAME: MX}):
            assert services.read_mx(hosted(organisation(), NAME)) == ("mx1.correio.example", "mx2.correio.example")

    def test_a_domain_without_mail(self, settings):
        with customers(settings, {NAME: "@ MX 0 .\n"}):
            assert services.read_mx(hosted(organisation(), NAME)) == ()

    def test_silence(self, settings):
        with customers(settings, {}), pytest.raises(DnsFailure):
            services.read_mx(hosted(organisation(), NAME))


class TestGoingLive:
    """A domain is served once its three CNAMEs point to its own label and the person has confirmed the mail servers."""

    def test_all_three_and_a_policy(self, settings):
        domain = hosted(organisation(), NAME)
        policies.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        with customers(settings, {NAME: cnames(domain) + MX}):
            services.look(domain)
        assert domain.state == State.LIVE
        assert MxSighting.objects.everywhere().filter(probe_due_at__lte=timezone.now()).count() == 2

    def test_not_before_the_policy_is_started(self, settings):
        domain = hosted(organisation(), NAME)
        with customers(settings, {NAME: cnames(domain)}):
            services.look(domain)
            assert domain.state == State.SETUP
            policies.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
            services.look(domain)
        assert domain.state == State.LIVE

    def test_not_with_two_of_three(self, settings):
        domain = hosted(organisation(), NAME)
        policies.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        with customers(settings, {NAME: cnames(domain).replace("_smtp._tls", "x")}):
            services.look(domain)
        assert domain.state == State.SETUP

    def test_not_with_somebody_elses_label(self, settings):
        mine, theirs = hosted(organisation(), NAME), hosted(organisation("eva@example.com"), NAME)
        policies.start(domain=mine, mx=("mx1.correio.example",), actor=ANA)
        with customers(settings, {NAME: cnames(theirs)}):
            services.look(mine)
        assert (mine.state, findings(mine)) == (State.SETUP, [Finding.ELSEWHERE] * 3)

    def test_who_has_the_cnames_has_the_name(self, settings):
        owner, claimer = live(organisation(), NAME), hosted(organisation("eva@example.com"), NAME)
        policies.start(domain=claimer, mx=("mx1.correio.example",), actor=ANA)
        with customers(settings, {NAME: cnames(owner)}) as world:
            services.look(claimer)
            assert claimer.state == State.SETUP
            world.publish(NAME, cnames(claimer))
            services.look(claimer)
        owner.refresh_from_db()
        assert (owner.state, claimer.state) == (State.GONE, State.LIVE)


class TestServed:
    """A look never changes what is served: a lost CNAME is recorded, other MX are shown to a person."""

    def test_a_lost_cname_is_recorded_and_everything_stays_served(self, settings):
        domain = live(organisation(), NAME)
        revision = domain.revision
        with customers(settings, {NAME: MX}):
            services.look(domain)
        assert (domain.state, domain.revision, findings(domain)) == (State.LIVE, revision, [Finding.MISSING] * 3)

    def test_mx_drift_rewrites_no_policy_and_keeps_what_probes_found(self, settings):
        domain = live(organisation(), NAME)
        with customers(settings, {NAME: cnames(domain) + MX}) as world:
            services.look(domain)
            MxSighting.objects.everywhere().filter(host="mx1.correio.example").update(starttls=Starttls.OK)
            world.publish(NAME, cnames(domain) + "@ MX 10 mx1\n@ MX 20 evil.example.net.\n")
            services.look(domain)
        assert mx_hosts(domain) == [("mx1.correio.example", 10, "ok"), ("evil.example.net", 20, "untested")]
        assert standing(domain).current.mx == ["mx1.correio.example"]
        assert domain.mx_suggested == []


class TestDue:
    """Level-triggered: a due row is taken once, by one worker; a crash only delays it; one bad domain stops no other."""

    def test_only_what_is_due_is_looked_at(self, settings):
        owner = organisation()
        due, later, gone = (hosted(owner, name) for name in ("a.example", "b.example", "c.example"))
        HostedDomain.objects.everywhere().filter(pk=later.pk).update(check_due_at=timezone.now() + timedelta(hours=1))
        HostedDomain.objects.everywhere().filter(pk=gone.pk).update(state=State.GONE)
        with customers(settings, {"a.example": "", "b.example": "", "c.example": ""}):
            assert services.look_due(timezone.now()) == 1
        assert [bool(findings(domain)) for domain in (due, later, gone)] == [True, False, False]

    def test_a_row_is_taken_by_one_worker_and_due_again_after_the_lease(self):
        domain, now = hosted(organisation(), NAME), timezone.now()
        assert [row.pk for row in schedule.take(now, 10)] == [domain.pk]
        assert schedule.take(now, 10) == []
        assert schedule.take(now + schedule.LEASE - timedelta(seconds=1), 10) == []
        assert [row.pk for row in schedule.take(now + schedule.LEASE, 10)] == [domain.pk]

    def test_the_longest_overdue_comes_first(self):
        owner, now = organisation(), timezone.now()
        for number, name in enumerate(("a.example", "b.example", "c.example")):
            row = HostedDomain.objects.everywhere().filter(pk=hosted(owner, name).pk)
            row.update(check_due_at=now - timedelta(minutes=number))
        assert [row.name for row in schedule.take(now, 2)] == ["c.example", "b.example"]
        assert schedule.take(now, 0) == []

    def test_a_domain_with_dead_name_servers_stops_no_other(self, settings):
        owner = organisation()
        dead, well = hosted(owner, "dead.example"), hosted(owner, "well.example")
        zone = "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 127.0.0.2\n"
        hosts = {"127.0.0.2": lab.Host(("dead.example",), lab.says("REFUSED"))}
        with customers(settings, {"dead.example": zone, "well.example": cnames(well)}, hosts):
            assert services.look_due(timezone.now()) == 2
        assert (findings(dead), findings(well)) == ([Finding.UNKNOWN] * 3, [Finding.FOUND] * 3)

    @pytest.mark.parametrize("where", ["conversation", "note"])
    def test_a_fault_of_ours_in_one_domain_stops_no_other(self, settings, monkeypatch, where):
        owner = organisation()
        bad, well = hosted(owner, "bad.example"), hosted(owner, "well.example")
        view, note = looks.view, services.note

        async def faulty_view(dns, subject):
            return await view(dns, subject) if subject.domain != "bad.example" else {}["no such thing"]

        def faulty_note(domain, *rest):
            return note(domain, *rest) if domain.name != "bad.example" else {}["no such thing"]

        if where == "conversation":
            monkeypatch.setattr(looks, "view", faulty_view)
        else:
            monkeypatch.setattr(services, "note", faulty_note)
        with customers(settings, {"bad.example": "", "well.example": cnames(well)}):
            assert services.look_due(timezone.now()) == 2
        assert findings(bad) == ([Finding.UNKNOWN] * 3 if where == "conversation" else [])
        assert findings(well) == [Finding.FOUND] * 3


class TestPause:
    """Every five seconds while an owner waits, then slower; hourly once live; daily while leaving."""

    FOUND, OTHER = {"found"}, {"found", "missing"}

    @pytest.mark.parametrize(
        ("state", "age", "findings", "pause"),
        [
            (State.SETUP, timedelta(minutes=9), OTHER, timedelta(seconds=5)),
            (State.SETUP, timedelta(minutes=11), OTHER, timedelta(seconds=30)),
            (State.SETUP, timedelta(hours=25), OTHER, timedelta(minutes=10)),
            (State.SETUP, timedelta(hours=25), FOUND, timedelta(seconds=30)),
            (State.LIVE, timedelta(days=9), FOUND, timedelta(minutes=45)),
            (State.LIVE, timedelta(days=9), OTHER, timedelta(minutes=5)),
            (State.LEAVING, timedelta(days=9), OTHER, timedelta(days=1)),
        ],
    )
    def test_after_a_look(self, state, age, findings, pause):
        now = timezone.now()
        assert schedule.pause(HostedDomain(state=state, created_at=now - age), findings, now) == pause


class TestAsked:
    """People hasten a look; a domain is not looked at more than once in ten seconds for them."""

    def test_check_now(self):
        domain = live(organisation(), NAME)
        MxSighting.objects.everywhere().create(
            domain=domain, host="mx1.correio.example", preference=10, probe_due_at=timezone.now() + timedelta(hours=1)
        )
        schedule.take(timezone.now(), 10)
        assert services.check_now(domain) is True
        assert schedule.take(timezone.now(), 10) == [domain]
        assert schedule.take_hosts(timezone.now(), 10) == ["mx1.correio.example"]

    def test_not_twice_in_ten_seconds(self):
        domain = live(organisation(), NAME)
        later = timezone.now() + timedelta(hours=1)
        mine = HostedDomain.objects.everywhere().filter(pk=domain.pk)
        mine.update(checked_at=timezone.now() - timedelta(seconds=9), check_due_at=later)
        assert services.check_now(domain) is False
        mine.update(checked_at=timezone.now() - timedelta(seconds=10))
        assert services.check_now(domain) is True

    def test_an_open_page_keeps_an_old_domain_fresh(self):
        domain = hosted(organisation(), NAME)
        later = timezone.now() + timedelta(minutes=9)
        mine = HostedDomain.objects.everywhere().filter(pk=domain.pk)
        mine.update(checked_at=timezone.now() - timedelta(seconds=2), check_due_at=later)
        services.watch(domain)
        assert schedule.take(timezone.now(), 10) == []
        mine.update(checked_at=timezone.now() - timedelta(seconds=6))
        services.watch(domain)
        assert schedule.take(timezone.now(), 10) == [domain]

    def test_a_new_domain_whose_page_is_open_comes_before_those_that_were_imported(self):
        whose = organisation()
        imported = [hosted(whose, f"d{number}.example") for number in range(3)]
        HostedDomain.objects.everywhere().update(check_due_at=timezone.now() - timedelta(minutes=1))
        domain = hosted(whose, NAME)
        services.watch(domain)
        assert schedule.take(timezone.now(), 1) == [domain]
        services.watch(domain)
        assert schedule.take(timezone.now(), 10) == imported
