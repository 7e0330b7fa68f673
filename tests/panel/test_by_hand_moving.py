"""A name that is served moves to somebody else by their label in its DNS, and by nothing less."""

from __future__ import annotations

from typing import Any

import pytest
from tests import support_web
from tests.support_by_hand import ALL, NAME, by_hand, found, host, reports, txt
from tests.support_checks import configure, customers

from trinco.panel.accounts.models import Organisation
from trinco.panel.checks.services import look
from trinco.panel.domains.models import HostedDomain, RecordSighting, State
from trinco.panel.domains.reporting import names_alone
from trinco.panel.web.presenters.records import record_rows

ADDRESS = "mta-sts A 192.0.2.10\n"
ANNOUNCED = txt("v=STSv1; id=20261124T000000Z;")
MINE, THEIRS = "a" * 26, "b" * 26


@pytest.fixture(autouse=True)
def addresses(settings: Any) -> None:
    configure(settings, policy_addresses=("192.0.2.10",))


@pytest.fixture
def owner(theirs: Organisation, settings: Any) -> HostedDomain:
    domain = by_hand(theirs, **ALL)
    with customers(settings, {NAME: ADDRESS + reports(domain)}):
        look(domain)
    return domain


@pytest.fixture
def second(ours: Organisation, owner: HostedDomain) -> HostedDomain:
    return by_hand(ours, **ALL)


def both(owner: HostedDomain, second: HostedDomain) -> str:
    """A text by which two of us are sent the reports."""
    return reports(owner).replace('"\n', f',mailto:{second.label}@reports.trinco.example"\n')


def states(*domains: HostedDomain) -> list[str]:
    return [HostedDomain.objects.everywhere().get(pk=each.pk).state for each in domains]


class TestServed:
    """Whoever is one of several that are sent the reports has not been given the name."""

    def test_one_of_several_takes_nothing(self, owner: HostedDomain, second: HostedDomain, settings: Any) -> None:
        with customers(settings, {NAME: ADDRESS + both(owner, second)}):
            look(second)
        assert found(second) == {"mta-sts": "found", "_mta-sts": "later", "_smtp._tls": "found"}
        assert states(owner, second) == [State.LIVE, State.SETUP]

    def test_nor_where_the_text_is_longer_than_what_is_kept(
        self, owner: HostedDomain, second: HostedDomain, settings: Any
    ) -> None:
        far = f"https://{'a.' * 100}example/"
        text = reports(second).replace('"\n', f',{far},mailto:{owner.label}@reports.trinco.example"\n')
        strings = text.replace(far, f'{far[:100]}" "{far[100:]}')
        with customers(settings, {NAME: ADDRESS + strings}):
            look(second)
        assert found(second)["_smtp._tls"] == "found"
        assert states(owner, second) == [State.LIVE, State.SETUP]

    def test_the_only_one_has_the_name(self, owner: HostedDomain, second: HostedDomain, settings: Any) -> None:
        with customers(settings, {NAME: ADDRESS + reports(second)}):
            look(second)
        assert states(owner, second) == [State.GONE, State.LIVE]

    def test_so_has_whom_the_policy_host_leads_to(
        self, owner: HostedDomain, second: HostedDomain, settings: Any
    ) -> None:
        with customers(settings, {NAME: host(second) + both(owner, second)}):
            look(second)
        assert states(owner, second) == [State.GONE, State.LIVE]

    def test_not_while_the_policy_of_somebody_else_is_announced(
        self, owner: HostedDomain, second: HostedDomain, settings: Any
    ) -> None:
        with customers(settings, {NAME: ADDRESS + reports(second) + ANNOUNCED}):
            look(second)
        assert (found(second)["_mta-sts"], states(owner, second)) == ("stale", [State.LIVE, State.SETUP])
        row = record_rows(second, RecordSighting.objects.everywhere().filter(domain=second))[1]
        advice = "Take this text away first: it announces a policy that is not the one started here. There is"
        assert (str(row.advice), row.seen) == (advice, "v=STSv1; id=20261124T000000Z;")
        page = support_web.browser(support_web.owner_of(second.organisation)).get(f"/domains/{NAME}/setup/")
        assert advice in support_web.text_of(page)

    def test_it_stays_where_the_name_is_nobodys(self, ours: Organisation, settings: Any) -> None:
        """The policy that an owner leaves to come here is announced until ours is."""
        domain = by_hand(ours, **ALL)
        with customers(settings, {NAME: ADDRESS + reports(domain) + ANNOUNCED}):
            look(domain)
        assert (found(domain)["_mta-sts"], states(domain)) == ("later", [State.LIVE])


class TestAlone:
    """Of the addresses at our reports host all have the one label, however they are written."""

    @pytest.mark.parametrize(
        ("rua", "alone"),
        [
            (f"mailto:{MINE}@reports.trinco.example", True),
            (f"mailto:{MINE}@reports.trinco.example,https://reports.trinco.example/v1/tlsrpt/{MINE}", True),
            (f"mailto:{MINE}@reports.trinco.example,mailto:tls@others.example", True),
            (f"mailto:{MINE}@reports.trinco.example,mailto:{THEIRS}@reports.trinco.example", False),
            (f"mailto:{MINE}@reports.trinco.example,MAILTO:{THEIRS.upper()}@REPORTS.TRINCO.EXAMPLE", False),
            (f"mailto:{MINE}@reports.trinco.example,mailto:{THEIRS}%40reports.trinco%2Eexample", False),
            (f"mailto:{MINE}@others.example", False),
            ("no address", False),
        ],
    )
    def test_it(self, rua: str, alone: bool) -> None:
        assert names_alone(f"v=TLSRPTv1; rua={rua}", MINE) is alone
        assert not names_alone(f"v=else; rua={rua}", MINE)
