"""`trinco apply` and `trinco export state`: which organisation is meant, and that no other is touched."""

from __future__ import annotations

import pytest
from tests import support_panel
from tests.support_apply import apply, exported, one, row, run
from tests.support_panel import ANA

from trinco.panel.accounts import people
from trinco.panel.accounts.models import Membership, Organisation, User
from trinco.panel.domains.models import HostedDomain, State

pytestmark = pytest.mark.django_db


class TestOrganisations:
    def test_a_name_that_several_have_is_not_touched(self) -> None:
        for _ in range(2):
            Organisation.objects.create(name="Gémeos")
        text = one("a.example", "", "Gémeos").replace("}}}\n", "}}, B: {}}\n")
        code, out, err = apply(text)
        assert (code, err) == (2, "! Gémeos: several organisations have this name; rename all but one\n")
        assert out == "+ B\n1 changed, 1 refused, 0 as declared already.\n"
        assert not HostedDomain.objects.everywhere().exists()

    def test_the_export_leaves_out_what_it_cannot_name(self) -> None:
        """And what is below it; whoever chooses such a name keeps nobody else out of the file."""
        for name in ("Gémeos", "Gémeos", "a\x1bb", "Só"):
            Organisation.objects.create(name=name)
        Organisation.objects.create(name="C", parent=Organisation.objects.get(name="a\x1bb"))
        code, out, err = run("export", "state")
        assert (code, out.splitlines()[2:]) == (
            1,
            ["organisations:", '  "Só":', "    second_factor: false", "    domains: {}"],
        )
        assert err.count("left out: ") == 4
        assert "\x1b" not in err

    def test_the_same_name_under_two_providers(self) -> None:
        text = "version: 1\norganisations: {A: {clients: {C: {domains: {a.example: }}}}, B: {clients: {C: {}}}}"
        assert apply(text)[0] == 0
        assert sorted(Organisation.objects.filter(name="C").values_list("parent__name", flat=True)) == ["A", "B"]
        assert row("a.example").organisation.parent == Organisation.objects.get(name="A")

    def test_one_of_them_alone(self, ours: Organisation) -> None:
        """--owner: this person's organisation and its clients, and nobody else's."""
        people.add_client(provider=ours, name="Cliente", actor=ANA)
        support_panel.hosted(support_panel.organisation("rui@example.net"), "alheio.example")
        code, out, _ = run("export", "state", "--owner", "ana@example.com")
        assert (code, "alheio" in out, "rui@" in out, '"Cliente":' in out) == (0, False, False, True)

    def test_a_client_is_shown_below_its_provider(self, ours: Organisation) -> None:
        client = people.add_client(provider=ours, name="Cliente", actor=ANA)
        user = User.objects.create_user("eva@example.org")
        Membership.objects.create(organisation=client, user=user)
        assert run("export", "state", "--owner", "eva@example.org")[1].splitlines()[3:] == [
            '  "ana@example.com":',
            "    clients:",
            '      "Cliente":',
            "        second_factor: false",
            "        domains: {}",
        ]


class TestOrder:
    """Databases sort text each in their own way; the file is the same from all."""

    def test_the_export_is_sorted_whatever_came_first(self) -> None:
        for name in ("b.example", "a-b.example", "a.example"):
            apply(one(name, "", "Z"))
        apply(one("x.example", "", "Ábaco"))
        apply(one("y.example", "", "B"))
        text = exported()
        order = ['"B":', "y.example", '"Z":', "a-b.example", "a.example", "b.example", '"Ábaco":', "x.example"]
        assert [
            each for each in text.replace("\n", " ").split() if each.rstrip(":") in {o.rstrip(":") for o in order}
        ] == [each if each.endswith(":") else f"{each}:" for each in order]


class TestTenants:
    """One tenant never sees another: a file that names one organisation changes nothing of another."""

    def test_the_same_domain_waits_with_both(self, ours: Organisation) -> None:
        """Who has the name is decided by its CNAMEs and by nothing that a file says."""
        domain = support_panel.announced(ours)
        assert apply(one("correio.example", "policy: {mx: [mx.mau.example]}", "Outro"))[0] == 0
        assert support_panel.standing(domain).current.mx == ["mx1.correio.example"]
        states = HostedDomain.objects.everywhere().filter(name="correio.example").order_by("pk")
        assert [each.state for each in states] == [State.LIVE, State.SETUP]

    def test_a_client_of_another_provider(self, ours: Organisation) -> None:
        people.add_client(provider=ours, name="Cliente", actor=ANA)
        apply("version: 1\norganisations: {Outro: {clients: {Cliente: {second_factor: true}}}}")
        assert list(
            Organisation.objects.filter(name="Cliente").order_by("pk").values_list("mfa_required", flat=True)
        ) == [
            False,
            True,
        ]

    def test_a_client_is_nobodys_provider(self, ours: Organisation) -> None:
        """A name at the top of the file is never taken for somebody's client."""
        people.add_client(provider=ours, name="Cliente", actor=ANA)
        apply(one("a.example", "", "Cliente"))
        assert row("a.example").organisation.parent is None
