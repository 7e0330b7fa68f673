"""A change taken over in place."""

from __future__ import annotations

import pytest
from dnszone import BASE, LABEL, PUBLICATION, SOA, WAITING, ZONE, Said, ask, hosted, query, said

from trinco.core.hosting import Change, HostedDomain, Zone
from trinco.core.names import Domain
from trinco.edge.answers import Answers

NEW = "newnewnewnewnewnewnewnew22"


@pytest.fixture
def answers() -> Answers:
    return Answers(PUBLICATION)


def asked(answers: Answers, name: str, rdtype: str = "TXT") -> Said:
    return said(ask(answers, query(f"{name}.{BASE}", rdtype)))


def change(revision: int = 8, **more: object) -> Change:
    return Change(revision, more.pop("zone", ZONE), **more)  # type: ignore[arg-type]


def announced(label: str, policy_id: str) -> HostedDomain:
    return hosted(label, policy_id=policy_id)


class TestApply:
    """RFC 8461 8.1: the new id is seen once its policy is served; until then, and for all others, nothing changes."""

    def test_a_new_id_replaces_the_old(self, answers: Answers) -> None:
        answers.apply(change(changed=(announced(LABEL, "2"),)))
        name = f"{LABEL}.mta-sts.{BASE}"
        assert asked(answers, f"{LABEL}.mta-sts").answer == [f'{name}. 300 IN TXT "v=STSv1; id=2;"']

    def test_all_records_of_a_domain_change_together(self, answers: Answers) -> None:
        answers.apply(change(changed=(announced(LABEL, "2"),)))
        assert asked(answers, f"{LABEL}.tlsrpt").answer == []

    def test_a_domain_appears_with_all_its_names(self, answers: Answers) -> None:
        assert asked(answers, f"{NEW}.policy", "AAAA").rcode == "NXDOMAIN"
        answers.apply(change(changed=(hosted(NEW),)))
        assert [asked(answers, f"{NEW}.{service}", "AAAA").rcode for service in ("policy", "mta-sts", "tlsrpt")] == [
            "NOERROR"
        ] * 3

    def test_a_removed_domain_is_gone(self, answers: Answers) -> None:
        answers.apply(change(removed=(LABEL, "neverwas")))
        soa = SOA.replace(" 7 3600", " 8 3600")
        assert asked(answers, f"{LABEL}.mta-sts") == Said("NXDOMAIN", "QR AA", [], [soa])
        assert asked(answers, f"{WAITING}.mta-sts").rcode == "NOERROR"

    def test_the_serial_goes_along(self, answers: Answers) -> None:
        answers.apply(change(2**32 + 1))
        assert said(ask(answers, query(BASE, "SOA"))).answer == [SOA.replace(" 7 3600", " 1 3600")]

    def test_a_whole_change_forgets_everything_else(self, answers: Answers) -> None:
        answers.apply(change(whole=True, changed=(announced(NEW, "3"),)))
        assert asked(answers, f"{LABEL}.mta-sts").rcode == "NXDOMAIN"
        assert asked(answers, f"{NEW}.mta-sts").answer == [f'{NEW}.mta-sts.{BASE}. 300 IN TXT "v=STSv1; id=3;"']

    def test_the_zone_itself_may_change(self, answers: Answers) -> None:
        answers.apply(change(zone=Zone(Domain.trusted("other.example"), (), ("192.0.2.77",), ttl=60)))
        assert asked(answers, f"{LABEL}.mta-sts") == Said("REFUSED", "QR")
        name = f"{LABEL}.policy.other.example"
        assert said(ask(answers, query(name))) == Said("NOERROR", "QR AA", [f"{name}. 60 IN A 192.0.2.77"])

    def test_the_publication_it_was_built_from_stays(self, answers: Answers) -> None:
        before = dict(PUBLICATION.domains)
        answers.apply(change(removed=(LABEL,), changed=(hosted(NEW),)))
        assert PUBLICATION.domains == before
