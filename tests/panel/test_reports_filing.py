"""Whose each policy of a report is, and which policy of ours the sender says it applied."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.net import dkim_rig
from tests.support_panel import ANA, announced, hosted, sight_mx, standing
from tests.support_reports import arrival, detail, digested, mail, policy, report_json, reported, yesterday

from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services as policies
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports import services
from trinco.panel.reports.models import Applied, DailyTotal, PolicyRow, RawReport, Report, Trust


def filed():
    """(domain, policy domains) of each report."""
    reports = Report.objects.everywhere().order_by("pk")
    return [(one.domain.name, [row.policy_domain for row in one.policies.all()]) for one in reports]


def raw():
    return RawReport.objects.everywhere().order_by("pk").last()


class TestWhose:
    """RELIABILITY 21: filed by policy domain, where that is hosted; never by the address that it was sent to."""

    def test_another_tenants_domain(self, domain, theirs):
        """Sent with our token, about their domain: theirs is the report, and we are not shown the whole."""
        announced(theirs, "outro.example")
        digested(arrival(report_json(policy("outro.example")), domain))
        assert filed() == [("outro.example", ["outro.example"])]
        assert (raw().organisation, raw().mixed, raw().state) == (domain.organisation, True, "digested")

    def test_two_tenants_in_one_report_see_their_own_part(self, domain, theirs):
        other = announced(theirs, "outro.example")
        told = [
            policy("correio.example", successful=1, details=[detail("ours")]),
            policy("outro.example", successful=2, details=[detail("theirs")]),
            policy("stranger.example", successful=3),
        ]
        digested(arrival(report_json(*told), domain))
        assert filed() == [("correio.example", ["correio.example"]), ("outro.example", ["outro.example"])]
        for owner, word, count in ((domain, "ours", 1), (other, "theirs", 2)):
            report = Report.objects.of(owner.organisation).get()
            assert report.successful_session_count == count
            assert [row.result_type for row in report.failures.all()] == [word]
            own = services.own_part(report)
            assert [one.policy_domain for one in own.policies] == [owner.name]
            totals = DailyTotal.objects.of(owner.organisation).filter(policy_type="")
            assert [total.successful_session_count for total in totals] == [count]
        assert raw().mixed

    @pytest.mark.parametrize("state", [State.SETUP, State.GONE])
    def test_a_domain_that_is_not_served_is_foreign(self, domain, theirs, state):
        row = hosted(theirs, "outro.example")
        HostedDomain.objects.everywhere().filter(pk=row.pk).update(state=state)
        digested(arrival(report_json(policy("outro.example")), domain))
        assert (filed(), raw().state, raw().reason) == ([], "foreign", "about outro.example")
        assert HostedDomain.objects.everywhere().count() == 2

    def test_case_and_final_dot(self, domain):
        digested(arrival(report_json(policy("Correio.Example.")), domain))
        assert filed() == [("correio.example", ["Correio.Example."])]

    def test_without_a_domain_the_mails_header_says_it(self, domain):
        digested(arrival(mail(report_json(policy(None))), domain))
        assert filed() == [("correio.example", ["correio.example"])]
        assert PolicyRow.objects.everywhere().get().policy_domain_inferred

    def test_without_any_domain_the_token_is_no_answer(self, domain):
        digested(arrival(report_json(policy(None)), domain, channel=Channel.HTTPS))
        assert (filed(), raw().reason) == ([], "about no domain")

    def test_said_and_inferred_are_one_report(self, domain):
        """In either order: how the best copy says it stays."""
        for ways in ((Channel.HTTPS, Channel.MAIL), (Channel.MAIL, Channel.HTTPS)):
            Report.objects.everywhere().delete()
            RawReport.objects.everywhere().delete()
            DailyTotal.objects.everywhere().delete()
            for way in ways:
                told = policy(None if way is Channel.MAIL else "correio.example")
                digested(arrival(report_json(told, report_id="1"), domain, channel=way))
            assert Report.objects.everywhere().get().copies == 2
            assert not PolicyRow.objects.everywhere().get().policy_domain_inferred  # the mail is not signed

    def test_an_import_is_whose_it_is_about(self, domain, ours, theirs):
        announced(theirs, "outro.example")
        digested(arrival(report_json(policy("outro.example")), channel=Channel.IMPORT), organisation=ours)
        assert (raw().organisation, raw().mixed) == (theirs, False)

    def test_a_name_that_changed_hands(self, ours, theirs):
        """What arrived before the change is the former owner's, whenever it is digested."""
        first = announced(ours, "casa.example")
        early = arrival(report_json(policy("casa.example")), first, received_at=timezone.now())
        HostedDomain.objects.everywhere().filter(pk=first.pk).update(state=State.GONE, gone_at=timezone.now())
        second = announced(theirs, "casa.example")
        digested(early, arrival(report_json(policy("casa.example")), first))
        assert [report.domain_id for report in Report.objects.everywhere().order_by("pk")] == [first.pk, second.pk]


class TestTlsa:
    """RFC 8460 section 4.4: the policy domain of `tlsa` is the TLSA base domain, which is the name of an MX."""

    def told(self, *told, domain):
        digested(arrival(report_json(*told), domain))
        return filed()

    def test_beside_a_policy_of_the_domain(self, domain):
        told = [policy(), policy("mx1.provider.example", "tlsa")]
        assert self.told(*told, domain=domain) == [("correio.example", ["correio.example", "mx1.provider.example"])]
        assert not raw().mixed

    def test_alone_with_the_tokens_domain_that_has_this_mx(self, domain):
        sight_mx(domain, "mx1.provider.example")
        assert self.told(policy("mx1.provider.example", "tlsa"), domain=domain) == [
            ("correio.example", ["mx1.provider.example"])
        ]

    def test_another_tenants_mail_sent_on_is_not_ours(self, domain):
        """Both have their mail at one provider, and the token stands in DNS."""
        sight_mx(domain, "mx1.provider.example")
        told = report_json(policy("mx1.provider.example", "tlsa"))
        digested(arrival(mail(told, domain="attacker.example"), domain))
        assert filed() == []

    def test_nor_is_one_whose_unsigned_header_was_changed(self, domain):
        sight_mx(domain, "mx1.provider.example")
        sent = mail(report_json(policy("mx1.provider.example", "tlsa")))
        field = b"DKIM-Signature: v=1; a=rsa-sha256; d=google.com; s=x; h=from:subject; bh=YQ==; b=YQ==\r\n"
        digested(arrival(field + sent, domain))
        assert filed() == []

    def test_alone_with_a_domain_that_has_it_not(self, domain):
        sight_mx(domain, "mx2.provider.example")
        assert self.told(policy("mx1.provider.example", "tlsa"), domain=domain) == []

    def test_among_several_domains_it_is_whose_mx_it_is(self, domain, theirs):
        other = announced(theirs, "outro.example")
        sight_mx(other, "mx.outro.example")
        told = [
            policy(),
            policy("outro.example"),
            policy("mx.outro.example", "tlsa"),
            policy("mx.what.example", "tlsa"),
        ]
        assert self.told(*told, domain=domain) == [
            ("correio.example", ["correio.example"]),
            ("outro.example", ["outro.example", "mx.outro.example"]),
        ]

    def test_beside_a_foreign_domain_it_may_be_theirs(self, domain):
        told = [policy(), policy("stranger.example"), policy("mx.stranger.example", "tlsa")]
        assert self.told(*told, domain=domain) == [("correio.example", ["correio.example"])]

    def test_a_hosted_name_is_its_owners(self, domain, theirs):
        announced(theirs, "mx.outro.example")
        sight_mx(domain, "mx.outro.example")
        told = [policy(), policy("mx.outro.example", "tlsa")]
        assert self.told(*told, domain=domain)[1] == ("mx.outro.example", ["mx.outro.example"])


class TestApplied:
    """The policy-string is held against the ledger of what was served under the name."""

    @pytest.fixture
    def ledger(self, domain):
        """Version 1 (testing) was served until the evening before yesterday, version 2 (enforce) since."""
        sight_mx(domain, "mx1.correio.example")
        policies.publish(
            domain=domain, policy=Policy(Mode.ENFORCE, ("mx1.correio.example", "*.correio.example"), 604_800), actor=ANA
        )
        first, second = PolicyVersion.objects.everywhere().filter(domain=domain).order_by("number")
        change = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1, hours=3)
        PolicyVersion.objects.everywhere().filter(pk=first.pk).update(
            served_from=change - timedelta(days=9), served_until=change
        )
        PolicyVersion.objects.everywhere().filter(pk=second.pk).update(served_from=change, served_until=None)
        return first, second

    def applied(self, domain, strings, day=None, **more):
        reported(domain, policy(strings=strings, **more), day=day)
        row = PolicyRow.objects.everywhere().order_by("pk").last()
        return row.applied, row.version

    def lines(self, mode, max_age, *hosts):
        return ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), f"max_age: {max_age}"]

    def test_current_older_never_untold(self, domain, ledger):
        first, second = ledger
        mine = ("mx1.correio.example", "*.correio.example")
        assert self.applied(domain, self.lines("enforce", 604800, *mine)) == (Applied.CURRENT, second)
        assert self.applied(domain, self.lines("enforce", 604800, *mine[::-1])) == (Applied.CURRENT, second)
        old = self.lines("testing", first.max_age, "MX1.correio.example")
        assert self.applied(domain, old) == (Applied.OLDER, first)
        assert self.applied(domain, self.lines("testing", 1, "mx1.correio.example")) == (Applied.NEVER, None)
        assert self.applied(domain, ()) == (Applied.UNTOLD, None)
        reported(domain, policy(policy_type="tlsa", strings=["3 1 1 00"]))
        assert PolicyRow.objects.everywhere().order_by("pk").last().applied == Applied.UNTOLD

    def test_what_counts_is_the_reports_own_day(self, domain, ledger):
        first, _ = ledger
        day = yesterday() - timedelta(days=5)
        old = self.lines("testing", first.max_age, "mx1.correio.example")
        assert self.applied(domain, old, day) == (Applied.CURRENT, first)
        late = self.lines("enforce", 604800, "mx1.correio.example", "*.correio.example")
        assert self.applied(domain, late, day) == (Applied.NEVER, None)

    def test_lines_that_are_no_policy(self, domain, ledger):
        assert self.applied(domain, ["mode: what"]) == (Applied.NEVER, None)

    def test_somebody_elses_policy_of_the_name_is_not_named(self, domain, ledger, theirs):
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE, gone_at=timezone.now())
        PolicyVersion.objects.everywhere().filter(served_until=None).update(
            served_until=timezone.now() - timedelta(days=1, hours=2)
        )
        later = announced(theirs, "correio.example")
        theirs_now = standing(later).current
        assert theirs_now.mode == "testing"
        strings = self.lines("enforce", 604800, "mx1.correio.example", "*.correio.example")
        day = timezone.now().date()
        assert self.applied(later, strings, day) == (Applied.OLDER, None)


class TestSignatures:
    """RELIABILITY 19: a forged signature vouches for nothing, and a real one for its own domain's report alone."""

    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch):
        """Its key is in DNS."""
        monkeypatch.setattr("trinco.panel.reports.trust.configured", lambda config: dkim_rig.books())

    def signed(self, submitter):
        """The report of a submitter in a mail that sender.example signed."""
        return dkim_rig.signed(mail(report_json(submitter=submitter), submitter=dkim_rig.SENDER))

    def digest(self, octets, domain):
        services.take([arrival(octets, domain)])
        services.digest_due(timezone.now())
        return Report.objects.everywhere().get()

    def test_a_real_one(self, domain):
        octets = self.signed(dkim_rig.SENDER)
        report = self.digest(octets, domain)
        assert (report.trust, report.signer) == (Trust.DKIM, dkim_rig.SENDER)

    def test_a_mail_that_was_changed(self, domain):
        octets = self.signed(dkim_rig.SENDER)
        report = self.digest(octets.replace(b"A TLS report.", b"A TLS deport."), domain)
        assert (report.trust, raw().reason) == (Trust.NONE, "the body is not what was signed")

    def test_in_somebody_elses_name(self, domain):
        octets = self.signed("google.com")
        report = self.digest(octets, domain)
        assert (report.trust, report.submitter) == (Trust.NONE, "google.com")
        assert raw().reason == "signed by sender.example, not by the domain of its contact (google.com)"
