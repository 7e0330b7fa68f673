"""Texts written at the DNS provider after each change: by dns-lexicon and by dynamic update, with access that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_dns as lab
from tests import support_dnsapi, support_web
from tests.support_by_hand import NAME, announced_at, found, host, reports, txt, wanted
from tests.support_checks import LOOPBACK, configure, customers
from tests.support_dnsapi import TOKEN, Cloudflare
from tests.support_panel import ANA, edge, hosted, sight

from trinco.core.mtasts.policy import Mode, Policy
from trinco.net.dnsbooks import Access
from trinco.panel import keyring, resealing
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.checks.publishing import publish_due
from trinco.panel.checks.services import look
from trinco.panel.checks.status import status
from trinco.panel.domains.models import HostedDomain, KeptAccess, State
from trinco.panel.domains.reporting import report_text
from trinco.panel.domains.services import mark_live
from trinco.panel.policies import services as policies
from trinco.panel.policies.errors import NoAccess, NotHosted
from trinco.panel.policies.kept import access_of, forget_access, keep_access
from trinco.panel.policies.ways import set_ways, ways_of

NONE = Policy(Mode.NONE, (), 86_400)
CLOUDFLARE = Access("cloudflare", {"auth_token": TOKEN})
WRITTEN: Any = {"sts": "provider", "tlsrpt": "provider"}
PAGE = f"/domains/{NAME}/setup/access/"


@pytest.fixture
def domain(ours: Organisation, settings: Any) -> HostedDomain:
    """Live, one policy, nothing announced; its access is kept, and both texts are ours to write."""
    configure(settings, allow_networks=LOOPBACK)
    domain = hosted(ours, NAME)
    policies.start(domain=domain, mx=(f"mx1.{NAME}",), actor=ANA)
    sight(domain)
    mark_live(domain)
    keep_access(domain=domain, actor=ANA, access=CLOUDFLARE)
    set_ways(domain=domain, actor=ANA, **WRITTEN)
    domain.records.all().delete()
    return domain


@pytest.fixture
def fake(domain: HostedDomain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    with support_dnsapi.cloudflare_at(NAME, monkeypatch) as server:
        yield server


def released(domain: HostedDomain) -> None:
    edge()
    policies.announce_due(timezone.now())


def said(domain: HostedDomain) -> set[tuple[str, str, str]]:
    """The texts as they are wanted now."""
    both = {("TXT", f"_smtp._tls.{NAME}", report_text(domain))}
    text = wanted(domain)
    return both | ({("TXT", f"_mta-sts.{NAME}", text)} if text else set())


def kept(domain: HostedDomain) -> KeptAccess:
    return KeptAccess.objects.everywhere().get(domain=domain)


class TestWriting:
    """RFC 8461 section 8.1: the text is written once every edge serves the body, and counts once DNS was seen to say it."""

    def test_nothing_is_announced_before_the_edges_serve_it(self, domain: HostedDomain, fake: Cloudflare) -> None:
        assert publish_due(timezone.now()) == 1
        assert fake.held() == {("TXT", f"_smtp._tls.{NAME}", report_text(domain))}
        released(domain)
        assert publish_due(timezone.now()) == 1
        assert fake.held() == said(domain)
        assert announced_at(domain) is None

    def test_each_change_in_its_turn(self, domain: HostedDomain, fake: Cloudflare) -> None:
        fake.add("TXT", f"_mta-sts.{NAME}", "other")
        ids = []
        for change in range(3):
            if change:
                policies.publish(domain=domain, policy=NONE, actor=ANA) if change == 1 else policies.undo(
                    domain=domain, actor=ANA
                )
            released(domain)
            publish_due(timezone.now())
            ids.append(wanted(domain))
            assert fake.held() == said(domain) | {("TXT", f"_mta-sts.{NAME}", "other")}
        assert ids == sorted(set(ids))

    def test_seen_in_dns_it_counts_and_nothing_more_is_asked(
        self, domain: HostedDomain, fake: Cloudflare, settings: Any
    ) -> None:
        released(domain)
        publish_due(timezone.now())
        with customers(settings, {NAME: host(domain) + reports(domain) + txt(wanted(domain))}):
            look(domain)
        assert announced_at(domain) is not None
        fake.calls.clear()
        assert publish_due(timezone.now() + timedelta(minutes=30)) == 0
        assert fake.calls == []

    def test_one_that_somebody_changed_is_written_again(
        self, domain: HostedDomain, fake: Cloudflare, settings: Any
    ) -> None:
        released(domain)
        publish_due(timezone.now())
        fake.records[0]["content"] = "v=STSv1; id=1;"
        KeptAccess.objects.everywhere().update(tried_at=timezone.now() - timedelta(hours=1))
        with customers(settings, {NAME: host(domain) + reports(domain) + txt("v=STSv1; id=1;")}):
            look(domain)
        assert publish_due(timezone.now()) == 1
        assert fake.held() == said(domain)

    def test_a_later_id_of_ours_stays(self, domain: HostedDomain, fake: Cloudflare) -> None:
        """A worker that was stopped in the middle, or a database of before: no id goes back."""
        released(domain)
        fake.add("TXT", f"_mta-sts.{NAME}", "v=STSv1; id=20990101T000000Z00000000;")
        publish_due(timezone.now())
        assert ("TXT", f"_mta-sts.{NAME}", "v=STSv1; id=20990101T000000Z00000000;") in fake.held()
        assert (kept(domain).trouble, kept(domain).failures) == ("taken", 1)

    def test_trouble_is_told_and_tried_later_and_later(
        self, domain: HostedDomain, fake: Cloudflare, settings: Any
    ) -> None:
        keep_access(domain=domain, actor=ANA, access=Access("cloudflare", {"auth_token": "wrong"}))
        released(domain)
        now = timezone.now()
        pauses = []
        for _ in range(3):
            KeptAccess.objects.everywhere().update(due_at=now)
            publish_due(now)
            pauses.append(round((kept(domain).due_at - timezone.now()).total_seconds() / 60))
        assert pauses == [1, 2, 4]
        assert (kept(domain).trouble, "wrong" in kept(domain).said) == ("credentials", False)
        told = status(HostedDomain.objects.everywhere().get(pk=domain.pk), now)
        assert (told.problem, told.finding) == ("publish-refused", "credentials")

    def test_knot_with_a_key_from_end_to_end(
        self, domain: HostedDomain, settings: Any, tmp_path: Path, needs: Any
    ) -> None:
        needs("knotd")
        zone = host(domain) + "ns 300 IN A 127.0.0.1\n"
        with support_dnsapi.knot(NAME, tmp_path, zone) as server, lab.internet({NAME: ""}) as world:
            configure(settings, resolvers=world.resolvers, authority_port=server.port, allow_networks=LOOPBACK)
            keep_access(domain=domain, actor=ANA, access=Access("rfc2136", server.credentials))
            released(domain)
            assert publish_due(timezone.now()) == 1
            look(domain)
        assert found(domain) == dict.fromkeys(("mta-sts", "_mta-sts", "_smtp._tls"), "found")
        assert announced_at(domain) is not None


class TestKept:
    """Kept under seal, told of, and forgotten whenever that is wanted."""

    def test_sealed_and_bound_to_the_domain(self, domain: HostedDomain) -> None:
        row = kept(domain)
        assert TOKEN.encode() not in bytes(row.sealed_key)
        assert access_of(row) == CLOUDFLARE
        assert TOKEN not in repr(list(AuditEntry.objects.everywhere().values()))

    def test_the_keys_can_be_changed(self, domain: HostedDomain, data: Path) -> None:
        names = {value.name: value.sealed for value in resealing.values(data)}
        assert keyring.current().open(names[kept(domain).seal_name], kept(domain).seal_name)
        [value] = [each for each in resealing.values(data) if each.name == kept(domain).seal_name]
        plain = keyring.current().open(value.sealed, value.name)
        assert value.replace(keyring.current().seal(plain, value.name))
        assert access_of(kept(domain)) == CLOUDFLARE

    def test_forgotten_the_owner_publishes_by_hand(self, domain: HostedDomain, fake: Cloudflare) -> None:
        assert forget_access(domain=domain, actor=ANA)
        assert not forget_access(domain=domain, actor=ANA)
        assert ways_of(domain) == {"host": "cname", "sts": "txt", "tlsrpt": "txt"}
        released(domain)
        assert publish_due(timezone.now()) == 0
        assert fake.calls == []

    def test_gone_with_the_domain(self, domain: HostedDomain) -> None:
        HostedDomain.objects.everywhere().update(state=State.GONE)
        publish_due(timezone.now())
        assert not KeptAccess.objects.everywhere().exists()
        with pytest.raises(NotHosted):
            keep_access(domain=domain, actor=ANA, access=CLOUDFLARE)

    def test_without_access_nobody_can_write(self, theirs: Organisation) -> None:
        other = hosted(theirs, "outro.example")
        with pytest.raises(NoAccess):
            set_ways(domain=other, actor=ANA, sts="provider")


class TestPage:
    """The owner is told that credentials are kept, and sees what would be written before anything is."""

    @pytest.fixture
    def person(self, domain: HostedDomain) -> Client:
        forget_access(domain=domain, actor=ANA)
        return support_web.browser(support_web.owner_of(domain.organisation))

    def post(self, person: Client, token: str = TOKEN, **more: str) -> Any:
        return person.post(f"{PAGE}?provider=cloudflare", {"key-auth_token": token, **more})

    def test_a_look_keeps_and_writes_nothing(self, domain: HostedDomain, person: Client, fake: Cloudflare) -> None:
        released(domain)
        fake.add("TXT", f"_mta-sts.{NAME}", "v=STSv1; id=1;")
        text = support_web.text_of(self.post(person))
        assert f"TXT {wanted(domain)}" in text
        assert "Will be replaced" in text
        assert "Will be written" in text
        assert (fake.held(), KeptAccess.objects.everywhere().count()) == (
            {("TXT", f"_mta-sts.{NAME}", "v=STSv1; id=1;")},
            0,
        )

    def test_kept_chosen_and_forgotten(self, domain: HostedDomain, person: Client, fake: Cloudflare) -> None:
        released(domain)
        answer = self.post(person, keep="1")
        assert (answer.status_code, answer["Location"]) == (302, PAGE)
        page = person.get(PAGE)
        told = f"Kept. Nothing was written by this look. _mta-sts.{NAME}: Will be written. _smtp._tls.{NAME}: Will be"
        assert told in support_web.text_of(page)
        assert "Credentials for cloudflare, kept since" in support_web.text_of(page)
        assert TOKEN not in page.content.decode()
        person.post(f"/domains/{NAME}/setup/ways/", {"host": "cname", **WRITTEN})
        domain.refresh_from_db()
        assert ways_of(domain) == {"host": "cname", **WRITTEN}
        assert "Access to cloudflare is kept since" in support_web.text_of(person.get(f"/domains/{NAME}/setup/"))
        person.post(f"{PAGE}forget/")
        domain.refresh_from_db()
        assert ways_of(domain)["sts"] == "txt"

    def test_wrong_ones_are_not_kept(self, person: Client, fake: Cloudflare) -> None:
        text = support_web.text_of(self.post(person, "wrong", keep="1"))
        assert "does not accept these credentials for this zone" in text
        assert not KeptAccess.objects.everywhere().exists()

    def test_none_are_asked_for_first(self, person: Client) -> None:
        text = support_web.text_of(person.post(f"/domains/{NAME}/setup/ways/", {"host": "cname", **WRITTEN}))
        assert "Give access to your DNS provider first: no credentials are kept." in text
