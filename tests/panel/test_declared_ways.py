"""How records are published, in the file of `apply`."""

from __future__ import annotations

import pytest
from tests.support_by_hand import by_hand
from tests.support_dnsapi import TOKEN
from tests.support_panel import ANA

from trinco.net.dnsbooks import Access
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.declared import present
from trinco.panel.declared.comparing import Difference, compare
from trinco.panel.declared.errors import DeclarationSyntaxError
from trinco.panel.declared.reading import read
from trinco.panel.declared.settling import Place, settled
from trinco.panel.declared.steps import Terms
from trinco.panel.declared.values import DeclaredDomain
from trinco.panel.declared.writing import written
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.kept import keep_access
from trinco.panel.policies.ways import set_ways, ways_of

OWN = {"host": "addresses", "sts": "txt", "tlsrpt": "cname"}


def file(ways: str) -> bytes:
    return f"version: 1\norganisations:\n  x:\n    domains:\n      a.example:\n        records: {ways}\n".encode()


class TestWays:
    """What is declared is so afterwards; what is not said stays; applied twice it changes nothing."""

    def test_said_and_done(self, ours: Organisation) -> None:
        declared = DeclaredDomain("novo.example", ways=OWN)
        place = Place(("x",), Terms(ANA), ours)
        [step] = settled(place, [declared])
        domain = HostedDomain.objects.of(ours).get()
        assert step.differences == (
            Difference("records.mta-sts", None, "addresses"),
            Difference("records._mta-sts", None, "txt"),
        )
        assert ways_of(domain) == OWN
        lines = AuditEntry.objects.of(ours).count()
        assert [step.differences for step in settled(place, [declared])] == [()]
        assert [step.differences for step in settled(place, [DeclaredDomain("novo.example")])] == [()]
        assert (AuditEntry.objects.of(ours).count(), ways_of(domain)) == (lines, OWN)

    def test_exported_and_read_back(self, ours: Organisation) -> None:
        by_hand(ours, **OWN)
        declaration, _left_out = present.declaration([ours])
        text = written(declaration)
        assert b"records:\n          mta-sts: addresses\n          _mta-sts: txt\n          _smtp._tls: cname\n" in text
        assert read(text).organisations[0].domains[0].ways == OWN  # type: ignore[index]

    def test_kept_access_is_in_no_file(self, ours: Organisation) -> None:
        """The text is the owner's; who writes it is not said, and not changed."""
        domain = by_hand(ours)
        keep_access(domain=domain, actor=ANA, access=Access("cloudflare", {"auth_token": TOKEN}))
        set_ways(domain=domain, actor=ANA, sts="provider")
        declaration, _left_out = present.declaration([ours])
        assert b"_mta-sts: txt" in written(declaration)
        held = present.held(ours)[domain.name]
        assert compare(DeclaredDomain(domain.name, ways={"sts": "txt"}), held).ways == {}

    @pytest.mark.parametrize("ways", ["{mta-sts: txt}", "{_mta-sts: provider}", "{x: cname}", "[]", "{_smtp._tls: }"])
    def test_what_is_no_way(self, ways: str) -> None:
        with pytest.raises(DeclarationSyntaxError):
            read(file(ways))
