"""The playground's first day, on a database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from trinco.cli import prepare, seed
from trinco.cli.place import Login
from trinco.config import Config
from trinco.panel.accounts.models import AuditEntry, AuditHead, Membership, Organisation, Role, User
from trinco.panel.accounts.services import create_account
from trinco.panel.certificates.models import Certificate
from trinco.panel.certificates.services import development_root
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.services import horizon_of, retire_due
from trinco.playground import senders_keys, store
from trinco.playground.cast import CUSTOMERS, Story
from trinco.playground.senders import SENDERS

pytestmark = pytest.mark.django_db

STATES = {"waiting": "setup", "leaving": "leaving"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The settings of the tests with a data directory of its own; the CA's is that of the tests."""
    monkeypatch.setattr(senders_keys, "BITS", 1024)  # nobody verifies here, and longer ones take their time
    development_root(settings.DATA)
    return replace(settings.CONFIG, data=tmp_path, playground=True)


def states() -> dict[str, str]:
    return dict(HostedDomain.objects.everywhere().values_list("name", "state"))


class TestFirstDay:
    def test_makes_the_account_and_its_organisation(self, config: Config) -> None:
        assert seed.seed(config) == Login("ana@trinco.example", "abre-te-sesamo")
        member = Membership.objects.get()
        assert (member.organisation.name, member.role, member.user.name) == ("Atlântico", Role.OWNER, "Ana")
        assert member.user.check_password("abre-te-sesamo")

    def test_adds_every_customer_but_the_strangers_in_its_state(self, config: Config) -> None:
        seed.seed(config)
        assert states() == {
            str(customer.domain): STATES.get(customer.story, "live")
            for customer in CUSTOMERS
            if customer.story is not Story.STRANGER
        }

    def test_every_served_domain_has_its_certificate_and_its_announced_policy(self, config: Config) -> None:
        seed.seed(config)
        served = HostedDomain.objects.everywhere().exclude(state="setup")
        assert Certificate.objects.everywhere().values("domain").distinct().count() == served.count()
        modes = dict(Standing.objects.everywhere().values_list("domain__name", "announced__mode"))
        expected = {Story.LEAVING: "none"}
        assert modes == {
            str(customer.domain): expected.get(customer.story, customer.story.value)
            for customer in CUSTOMERS
            if customer.story not in (Story.STRANGER, Story.WAITING)
        }

    def test_the_zones_point_to_the_labels(self, config: Config) -> None:
        seed.seed(config)
        label = HostedDomain.objects.everywhere().get(name="correio.example").label
        found = store.load(config.data).look_up("_mta-sts.correio.example", "CNAME")
        assert [record.value for record in found.records] == [f"{label}.mta-sts.trinco.example."]


class TestSenders:
    """The made-up senders hold what was served on each day, and sign with keys that stand in their zones."""

    def test_know_the_policies_as_they_were_served(self, config: Config) -> None:
        seed.seed(config)
        held = store.policies(config.data)["correio.example"]
        ledger = PolicyVersion.objects.everywhere().filter(domain__name="correio.example").order_by("number")
        assert [(each.since, each.body) for each in held] == [
            (version.served_from, bytes(version.body).decode()) for version in ledger
        ]

    def test_have_zones_with_keys(self, config: Config) -> None:
        seed.seed(config)
        world = store.load(config.data)
        for sender in SENDERS:
            found = world.look_up(f"{sender.selector}._domainkey.{sender.domain}", "TXT").records
            assert [record.value.partition(";")[0] for record in found] == (["v=DKIM1"] if sender.selector else [])

    def test_one_customer_wants_reports_by_https_too(self, config: Config) -> None:
        seed.seed(config)
        wanting = HostedDomain.objects.everywhere().filter(tlsrpt_https=True, trust_https=True)
        assert list(wanting.values_list("name", flat=True)) == ["correio.example"]

    def test_begin_anew_with_a_new_database(self, config: Config) -> None:
        store.save_sent(config.data, {timezone.now().date()})
        seed.seed(config)
        assert store.sent(config.data) == set()
        store.save_sent(config.data, {timezone.now().date()})
        seed.seed(config)
        assert store.sent(config.data) == {timezone.now().date()}


class TestPast:
    """What is told of the past could have happened: in order, and long enough ago."""

    def test_versions_and_their_ids_go_forward(self, config: Config) -> None:
        seed.seed(config)
        for domain in HostedDomain.objects.everywhere():
            versions = list(PolicyVersion.objects.everywhere().filter(domain=domain).order_by("number"))
            assert [version.policy_id for version in versions] == sorted(version.policy_id for version in versions)
            ends = [version.served_until for version in versions]
            assert all(end is not None for end in ends[:-1])
            assert ends[-1:] in ([], [None])
            assert all(version.created_at < timezone.now() for version in versions)

    def test_the_log_is_older_than_today(self, config: Config) -> None:
        seed.seed(config)
        days = AuditEntry.objects.everywhere().filter(subject="correio.example").order_by("at").values_list("action")
        assert [action for (action,) in days] == [
            "domain.added",
            "policy.started",
            "domain.verified",
            "policy.published",
        ]

    def test_the_log_names_the_ids_of_the_history(self, config: Config) -> None:
        seed.seed(config)
        lines = AuditEntry.objects.everywhere().filter(subject="antigo.example", after__has_key="id").order_by("id")
        history = PolicyVersion.objects.everywhere().filter(domain__name="antigo.example").order_by("number")
        ids = list(history.values_list("policy_id", flat=True))
        assert [(line.before.get("id"), line.after["id"]) for line in lines] == list(
            zip([None, *ids], ids, strict=False)
        )

    def test_who_is_leaving_has_days_to_go(self, config: Config) -> None:
        seed.seed(config)
        leaving = HostedDomain.objects.everywhere().get(state="leaving")
        now = timezone.now()
        until = horizon_of(leaving, now)
        assert until is not None
        assert 4 <= (until - now).days <= 6
        assert retire_due(now) == 0


class TestAgain:
    def test_changes_nothing(self, config: Config) -> None:
        seed.seed(config)
        before = (states(), store.path(config.data).read_bytes(), PolicyVersion.objects.everywhere().count())
        seed.seed(config)
        assert (states(), store.path(config.data).read_bytes(), PolicyVersion.objects.everywhere().count()) == before

    def test_keeps_what_was_published(self, config: Config) -> None:
        seed.seed(config)
        world = store.load(config.data)
        assert world.remove("correio.example", "MX") == 2
        store.save(config.data, world)
        seed.seed(config)
        assert store.load(config.data).look_up("correio.example", "MX").records == ()

    def test_lays_the_zones_out_anew_when_they_are_lost(self, config: Config) -> None:
        seed.seed(config)
        before = store.path(config.data).read_bytes()
        store.path(config.data).unlink()
        seed.seed(config)
        assert store.path(config.data).read_bytes() == before

    def test_new_labels_have_new_zones(self, config: Config) -> None:
        """The database was thrown away and the zones were not."""
        seed.seed(config)
        for model in (Standing, PolicyVersion, HostedDomain):
            model.objects.everywhere().all().delete()
        QuerySet(AuditEntry).delete()
        AuditHead.objects.all().delete()
        Organisation.objects.all().delete()
        User.objects.all().delete()
        seed.seed(config)
        label = HostedDomain.objects.everywhere().get(name="correio.example").label
        found = store.load(config.data).look_up("mta-sts.correio.example", "CNAME")
        assert found.records[0].value == f"{label}.policy.trinco.example."


class TestFirstAccount:
    """Outside the playground: an owner with a password that is told once."""

    def test_is_made_with_a_password_of_its_own(self, config: Config) -> None:
        login = prepare.bring_up(replace(config, playground=False))
        assert login.email == "admin@trinco.example"
        assert len(login.password) >= 16
        assert User.objects.get().check_password(login.password)

    def test_is_not_made_where_somebody_is(self, config: Config) -> None:
        create_account(email="somebody@correio.example", password="a long one of theirs")
        assert prepare.bring_up(replace(config, playground=False)) == Login("somebody@correio.example")
        assert User.objects.count() == 1


class TestRoots:
    def test_of_the_playground_hold_both_authorities(self, config: Config) -> None:
        prepare.bring_up(config)
        bundle = (config.data / "roots.pem").read_text()
        assert bundle.count("BEGIN CERTIFICATE") == 2
        assert (config.data / "ca.pem").read_text() in bundle
        assert (config.data / "playground" / "ca.pem").read_text() in bundle
