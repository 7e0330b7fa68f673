"""An owner's own text after a restore: no edge holds what was lost, and DNS still says its id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests.support_by_hand import NAME, announced_at, by_hand, host, reports, txt, wanted
from tests.support_checks import LOOPBACK, configure, customers
from tests.support_dnsapi import TOKEN, cloudflare_at
from tests.support_panel import ANA, edge, standing

from trinco.core.mtasts import ids
from trinco.net.dnsbooks import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks.publishing import publish_due
from trinco.panel.checks.services import look
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services as policies
from trinco.panel.policies.kept import keep_access
from trinco.panel.policies.ways import set_ways


def released() -> None:
    """Every edge serves what is current."""
    edge()
    policies.announce_due(timezone.now())


def lost_id(moment: datetime | None = None) -> str:
    """Given after the backup was made."""
    return ids.policy_id(b"lost", moment or timezone.now() + timedelta(minutes=10), "")


@pytest.fixture
def seen(ours: Organisation, settings: Any) -> Any:
    """A live domain with texts by hand, and what a look at its zone with this text at `_mta-sts` makes of it."""
    configure(settings, allow_networks=LOOPBACK)
    domain = by_hand(ours, sts="txt", tlsrpt="txt")

    def show(text: str) -> HostedDomain:
        with customers(settings, {NAME: host(domain) + reports(domain) + (txt(text) if text else "")}):
            look(domain)
        return domain

    show("")
    released()
    return show


class TestRestored:
    """RELIABILITY 3 and 5, 11: ids go on above everything that the world has seen."""

    def test_the_policy_comes_back_under_a_later_id(self, seen: Any) -> None:
        later = lost_id()
        domain = seen(f"v=STSv1; id={later};")
        assert (standing(domain).id_floor, wanted(domain)) == (later, "")
        assert policies.reissue_due(timezone.now()) == 1
        assert standing(domain).current.policy_id > later
        assert wanted(domain) == f"v=STSv1; id={later};"  # until every edge serves what comes after it
        released()
        assert wanted(domain) == f"v=STSv1; id={standing(domain).current.policy_id};"
        seen(wanted(domain))
        assert (announced_at(domain) is not None, policies.reissue_due(timezone.now())) == (True, 0)

    @pytest.mark.parametrize(
        "text",
        [
            "v=STSv1; id=20200101T000000Z01234567;",
            "v=STSv1; id=20990101T000000Z01234567;",
            "v=STSv1; id=99991231T235959Z01234567;",
            "v=STSv1; id=zzzz;",
            "v=STSv1; id=99991231T235959Z012345678;",
            "",
        ],
    )
    def test_what_is_no_later_id_of_ours(self, seen: Any, text: str) -> None:
        """An owner's mistake, or another tool's: nothing goes above it, and no other domain waits because of it."""
        domain = seen(text)
        assert (standing(domain).id_floor, policies.reissue_due(timezone.now())) == ("", 0)

    def test_what_we_write_at_a_provider_goes_on(self, seen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A later id is never replaced by an earlier one, so nothing would be written any more."""
        domain, later = seen(""), lost_id()
        keep_access(domain=domain, actor=ANA, access=Access("cloudflare", {"auth_token": TOKEN}))
        set_ways(domain=domain, actor=ANA, sts="provider")
        with cloudflare_at(NAME, monkeypatch) as fake:
            fake.add("TXT", f"_mta-sts.{NAME}", f"v=STSv1; id={later};")
            seen(f"v=STSv1; id={later};")
            policies.reissue_due(timezone.now())
            released()
            publish_due(timezone.now() + timedelta(seconds=1))
            assert {content for _, name, content in fake.held() if name.startswith("_mta-sts")} == {wanted(domain)}
        assert later < standing(domain).current.policy_id
