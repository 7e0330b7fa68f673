"""What the pages, the files and the API say to an owner who publishes records of their own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_by_hand, support_panel, support_web
from tests.support_checks import configure

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import Organisation
from trinco.panel.api.domain_views import left
from trinco.panel.checks.status import Status
from trinco.panel.domains.models import Finding, HostedDomain, Level, RecordName, RecordSighting
from trinco.panel.policies import services as policies
from trinco.panel.policies.bundles import files
from trinco.panel.policies.ways import set_ways
from trinco.panel.web.presenters.status import status_view

PAGE = "/domains/correio.example/"
NONE = Policy(Mode.NONE, (), 86_400)


@pytest.fixture
def domain(ours: Organisation, settings: Any) -> HostedDomain:
    """Live, announced, and every record its owner's own."""
    configure(settings, policy_addresses=("192.0.2.10",))
    domain = support_panel.announced(ours)
    set_ways(domain=domain, actor=support_panel.ANA, **support_by_hand.ALL)
    support_panel.sight(domain)
    return domain


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def chosen(domain: HostedDomain, **ways: str) -> None:
    """As after a choice, without credentials."""
    HostedDomain.objects.everywhere().filter(pk=domain.pk).update(**ways)
    domain.refresh_from_db()


def read(person: Client, page: str = "") -> str:
    return support_web.text_of(person.get(PAGE + page))


class TestChanging:
    """A change takes effect here at once; who makes its id known is said before and after."""

    @pytest.mark.parametrize(
        ("way", "effect", "follows"),
        [
            ("cname", "No DNS change on your side.", "The file goes to every edge first, then DNS announces it."),
            (
                "txt",
                "Its id is then yours to publish, as a TXT record.",
                "The file goes to every edge first; then you publish its id, and senders learn of it.",
            ),
            (
                "provider",
                "Its id is then written at your DNS provider.",
                "The file goes to every edge first; then its id is written at your DNS provider.",
            ),
        ],
    )
    def test_by_the_way_of_the_text(
        self, domain: HostedDomain, person: Client, way: str, effect: str, follows: str
    ) -> None:
        chosen(domain, sts_way=way)
        assert f"Takes effect here at once. {effect}" in read(person)
        assert (follows in read(person, "policy/?mode=none")) == (way != "cname")
        given = {"mode": "none", "mx": "", "max_age": "86400", "version": "1", "confirm": "1"}
        person.post(f"{PAGE}policy/", given)
        assert f"Saved. {follows}" in read(person)
        assert (follows in read(person, "undo/")) == (way != "cname")

    def test_dns_is_said_to_say_what_was_seen_there(self, domain: HostedDomain, person: Client) -> None:
        """A second change while the first waits for its owner."""
        first = support_panel.standing(domain).current.policy_id
        for policy in (NONE, Policy(Mode.NONE, (), 172_800)):
            support_panel.edge()
            policies.announce_due(timezone.now())
            policies.publish(domain=domain, policy=policy, actor=support_panel.ANA)
        assert f"DNS still says {first}" in read(person)

    @pytest.mark.parametrize(
        ("ways", "told"),
        [
            ({"sts_way": "cname"}, "Three records, none of which changes with the policy."),
            ({}, "Three records. The one with the id changes with every change of the policy."),
            ({"sts_way": "provider"}, "The one with the id is changed at your DNS provider with every change"),
        ],
    )
    def test_which_record_changes(self, domain: HostedDomain, person: Client, ways: dict[str, str], told: str) -> None:
        chosen(domain, **ways)
        assert told in read(person, "setup/")

    def test_cnames_are_written_for_those_who_have_one(self, domain: HostedDomain, person: Client) -> None:
        assert "Or have them written" not in read(person, "setup/")
        chosen(domain, host_way="cname")
        assert "Or have them written" in read(person, "setup/")


class TestLost:
    """A record that is not as it should be is mended in the way in which it is published."""

    @pytest.mark.parametrize(
        ("record", "way", "finding", "advice"),
        [
            ("mta-sts", "cname", "missing", "others no longer find it. Publish the CNAME again."),
            ("mta-sts", "addresses", "missing", "Publish the addresses that the records page shows, and no others."),
            ("mta-sts", "addresses", "proxied", "Publish the addresses that the records page shows, and no others."),
            ("_mta-sts", "txt", "missing", "Publish the text again that the records page shows, and that one alone."),
            ("_mta-sts", "provider", "stale", "We write the text again at your DNS provider."),
            ("_smtp._tls", "provider", "elsewhere", "Publish the text again that the records page shows"),
        ],
    )
    def test_by_its_way(self, domain: HostedDomain, record: str, way: str, finding: str, advice: str) -> None:
        column = {"mta-sts": "host_way", "_mta-sts": "sts_way", "_smtp._tls": "tlsrpt_way"}[record]
        chosen(domain, **{column: way})
        told = status_view(domain, Status(Level.CRITICAL, "record-lost", record=record, finding=finding))
        assert advice in told.advice
        assert ("is not as it should be" in told.sentence) == (way != "cname")

    def test_addresses_that_are_not_ours(self, domain: HostedDomain, person: Client) -> None:
        mine = RecordSighting.objects.everywhere().filter(domain=domain, record=RecordName.MTA_STS)
        mine.update(finding=Finding.PROXIED, seen="192.0.2.10, 198.51.100.1")
        text = read(person, "setup/")
        assert "Other addresses" in text
        assert "and no others: senders must reach us. There are 192.0.2.10, 198.51.100.1" in text
        assert "proxy" not in text


class TestLeaving:
    """RFC 8461 section 8.3, whoever publishes the id of mode none."""

    @pytest.mark.parametrize(
        ("way", "told"),
        [("txt", "then you publish its id"), ("provider", "then its id is written at your DNS provider")],
    )
    def test_who_makes_it_known(self, domain: HostedDomain, person: Client, way: str, told: str) -> None:
        chosen(domain, sts_way=way)
        text = read(person, "leave/")
        assert (f"Now: mode none goes to every edge, {told}." in text, "CNAME" in text) == (True, False)

    def test_the_text_is_asked_for(self, domain: HostedDomain, person: Client) -> None:
        policies.leave(domain=domain, actor=support_panel.ANA)
        support_panel.edge()
        policies.announce_due(timezone.now())
        text = read(person)
        assert "Publish the TXT record with the new id: senders learn by it that they may forget the policy." in text
        assert f"is to say: {support_by_hand.wanted(domain)}" in text
        assert "3 of 3 records are still there." in text
        fresh = HostedDomain.objects.everywhere().get(pk=domain.pk)
        assert left(fresh)["left_to_do"][0].startswith("Publish the text of _mta-sts that stands here")


class TestFiles:
    """What is taken along says how to change the records that there are."""

    def test_by_hand(self, domain: HostedDomain) -> None:
        english, portuguese = (files(domain)[f"README.{code}.md"].decode() for code in ("en", "pt"))
        for text in (english, portuguese):
            assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3", "4", "5"]
        assert "do not publish the text that it then asks" in english
        assert "não publique o texto que ele então" in portuguese

    def test_with_kept_access(self, domain: HostedDomain) -> None:
        chosen(domain, sts_way="provider")
        english, portuguese = (files(domain)[f"README.{code}.md"].decode() for code in ("en", "pt"))
        assert '5. On the page "Kept access" in Trinco, have the credentials forgotten' in english
        assert '5. Na página "Acesso guardado" do Trinco' in portuguese
        assert "\n6. When the TTL of the old records has passed too" in english
