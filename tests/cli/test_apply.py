"""`trinco apply` and `trinco export state`: the tables come in line with a file, and the file says what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from tests import support_panel
from tests.support_apply import FILE, RUNNER, apply, exported, lines, one, policy, row, run
from tests.support_panel import ANA, sight_mx

from trinco.cli.main import app
from trinco.core.errors import TrincoError
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts import people
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.declared import settling
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services as policies

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours() -> Organisation:
    return support_panel.organisation()


@pytest.fixture(autouse=True)
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[tuple[int, str], ...]]:
    """What DNS shows as MX, by name; others are silent."""
    shown: dict[str, tuple[tuple[int, str], ...]] = {"c.example": ((10, "mx.c.example"),)}

    def looked(names: Iterable[str]) -> dict[str, tuple[tuple[int, str], ...]]:
        return {name: shown[name] for name in names if name in shown}

    monkeypatch.setattr(settling, "looked", looked)
    return shown


class TestRoundTrip:
    """Issue: `apply` of the exported file on an empty instance recreates the same state; applied twice it changes
    nothing."""

    def test_what_is_declared_is_made(self) -> None:
        code, _, err = apply(FILE)
        assert (code, err) == (0, "")
        assert policy("a.example") == Policy(Mode.TESTING, ("mx1.a.example", "*.a.example"), 172_800)
        assert policy("b.example") == Policy(Mode.NONE, (), 86_400)
        assert policy("c.example") == Policy(Mode.ENFORCE, ("mx.c.example",), 604_800)
        assert policy("e.example") == Policy(Mode.TESTING, ("mx.e.example",), 86_400)
        assert (row("a.example").tlsrpt, row("a.example").tlsrpt_https) == (True, True)
        assert not hasattr(row("d.example"), "standing")
        client = Organisation.objects.get(name="Cliente")
        assert (client.parent, client.mfa_required) == (Organisation.objects.get(name="Provedor, Lda."), True)
        assert (row("e.example").organisation, row("e.example").tlsrpt) == (client, False)

    def test_twice_changes_nothing(self) -> None:
        apply(FILE)
        before = exported(), lines()
        assert apply(FILE) == (0, "0 changed, 0 refused, 5 as declared already.\n", "")
        assert apply(before[0], "--dry-run", "--prune") == (
            0,
            "0 would change, 0 refused, 5 as declared already.\n",
            "",
        )
        assert (exported(), lines()) == before

    def test_what_the_pages_made_is_exported(self, ours: Organisation) -> None:
        """A domain that leaves is on its way out of the file as well."""
        support_panel.announced(ours)
        policies.leave(domain=support_panel.live(ours, "fim.example"), actor=ANA)
        assert exported() == (
            "# What Trinco hosts, for whom and how: written by `trinco export state`, taken by `trinco apply`.\n"
            "version: 1\norganisations:\n"
            '  "ana@example.com":\n    second_factor: false\n    domains:\n'
            "      correio.example:\n        policy:\n          mode: testing\n          max_age: 86400\n"
            "          mx:\n            - mx1.correio.example\n"
            "        tls_reporting:\n          record: true\n          https: false\n          trust_https: false\n"
        )
        assert apply(exported(), "--prune")[:2] == (0, "0 changed, 0 refused, 1 as declared already.\n")


class TestChanges:
    def test_the_diff_and_the_deed(self, ours: Organisation) -> None:
        domain = support_panel.announced(ours)
        text = one("correio.example", "policy: {max_age: 172800, mx: [b.example, mx1.correio.example]}", ours.name)
        told = (
            "~ ana@example.com / correio.example\n    policy.max_age: 86400 -> 172800\n"
            "    policy.mx: mx1.correio.example -> b.example mx1.correio.example\n"
        )
        assert apply(text, "--dry-run") == (1, f"{told}1 would change, 0 refused, 0 as declared already.\n", "")
        assert len(support_panel.versions(domain)) == 1
        assert apply(text) == (0, f"{told}1 changed, 0 refused, 0 as declared already.\n", "")
        assert policy("correio.example") == Policy(Mode.TESTING, ("b.example", "mx1.correio.example"), 172_800)

    def test_body_first_and_the_id_when_every_edge_has_it(self, ours: Organisation) -> None:
        """RFC 8461 section 8.1."""
        domain = support_panel.announced(ours)
        apply(one("correio.example", "policy: {max_age: 172800}", ours.name))
        first, second = support_panel.versions(domain)
        standing = support_panel.standing(domain)
        assert (standing.current, standing.announced) == (second, first)
        support_panel.edge()
        policies.announce_due(timezone.now())
        assert support_panel.standing(domain).announced == second

    def test_the_order_of_mx_is_no_change(self, ours: Organisation) -> None:
        support_panel.announced(ours, mx=("a.example", "b.example"))
        assert apply(one("correio.example", "policy: {mx: [b.example, a.example]}", ours.name))[0] == 0
        assert policy("correio.example").mx == ("a.example", "b.example")

    def test_back_from_none_with_the_last_list(self, ours: Organisation) -> None:
        support_panel.announced(ours)
        apply(one("correio.example", "policy: {mode: none}", ours.name))
        assert policy("correio.example") == Policy(Mode.NONE, (), 86_400)
        apply(one("correio.example", "policy: {mode: testing}", ours.name))
        assert policy("correio.example").mx == ("mx1.correio.example",)

    def test_the_log_names_the_actor(self) -> None:
        apply(FILE)
        assert {actor for actor, _, _ in lines()} == {"apply"}
        assert ("apply", "organisation.added", "Provedor, Lda.") in lines()
        assert ("apply", "policy.started", "c.example") in lines()
        assert run("audit", "verify")[0] == 0

    def test_json(self) -> None:
        apply(one("a.example", ""))
        code, out, _ = apply(one("a.example", "tls_reporting: {record: false}"), "--dry-run", "--json")
        differences = {"tls_reporting.record": {"before": "true", "after": "false"}}
        told = {"organisation": ["A"], "domain": "a.example", "step": "change", "differences": differences}
        assert (code, json.loads(out)) == (1, [{**told, "refused": None}])


class TestDryRun:
    def test_it_changes_nothing(self) -> None:
        apply(one("velho.example", "", "Provedor, Lda."))
        before = exported(), lines()
        code, out, err = apply(FILE, "--dry-run", "--prune")
        assert (code, err, out.splitlines()[-1]) == (1, "", "8 would change, 0 refused, 0 as declared already.")
        assert "- Provedor, Lda. / velho.example is given up: it was never served\n" in out
        assert "    enforce is decided by its MX, which are read when this is applied\n" in out
        assert (exported(), lines()) == before

    def test_it_names_what_is_done(self) -> None:
        told = apply(FILE, "--dry-run")[1].replace("would change", "changed")
        told = told.replace("    enforce is decided by its MX, which are read when this is applied\n", "")
        assert apply(FILE)[1] == told

    def test_refusals_are_foreseen(self, ours: Organisation) -> None:
        sight_mx(support_panel.announced(ours), "mx2.correio.example")
        code, _, err = apply(one("correio.example", "policy: {mode: enforce}", ours.name), "--dry-run")
        assert (code, "enforce would stop mail to mx2.correio.example" in err) == (2, True)


class TestPrune:
    """Leaving is a state, not a delete; nothing leaves that the file does not speak about."""

    def test_without_it_what_is_not_named_stays(self, ours: Organisation) -> None:
        support_panel.announced(ours)
        assert apply(one("novo.example", "", ours.name))[0] == 0
        assert row("correio.example").state == State.LIVE

    def test_a_live_one_leaves_and_one_in_setup_is_given_up(self, ours: Organisation) -> None:
        domain = support_panel.announced(ours)
        waiting = support_panel.hosted(ours, "espera.example")
        code, out, _ = apply(f'version: 1\norganisations: {{"{ours.name}": {{domains: {{}}}}}}', "--prune")
        assert (code, out.splitlines()) == (
            0,
            [
                "- ana@example.com / correio.example leaves: `mode: none` until no sender holds an older policy",
                "- ana@example.com / espera.example is given up: it was never served",
                "2 changed, 0 refused, 0 as declared already.",
            ],
        )
        domain.refresh_from_db()
        waiting.refresh_from_db()
        assert (domain.state, policy("correio.example").mode, waiting.state) == (State.LEAVING, Mode.NONE, State.GONE)

    @pytest.mark.parametrize("said", ["second_factor: false", "clients: {}", ""])
    def test_who_says_nothing_about_domains_keeps_them(self, ours: Organisation, said: str) -> None:
        support_panel.announced(ours)
        assert apply(f'version: 1\norganisations: {{"{ours.name}": {{{said}}}}}', "--prune")[0] == 0
        assert row("correio.example").state == State.LIVE

    def test_others_are_not_touched(self, ours: Organisation) -> None:
        """Neither a stranger's domains nor those of a client that the file does not name."""
        stranger = support_panel.organisation("rui@example.net")
        client = people.add_client(provider=ours, name="Cliente", actor=ANA)
        support_panel.announced(stranger, "alheio.example")
        support_panel.announced(client, "cliente.example")
        apply(f'version: 1\norganisations: {{"{ours.name}": {{domains: {{}}}}}}', "--prune")
        assert [row(name).state for name in ("alheio.example", "cliente.example")] == [State.LIVE, State.LIVE]


class TestEnforce:
    """Enforce is refused while a live MX is not in the policy, unless the person insists, on the record."""

    SAID = "policy: {mode: enforce, mx: [mx.c.example]}"

    def test_a_new_domain_is_judged_by_what_dns_shows(self, dns: dict[str, Any]) -> None:
        dns["c.example"] = ((10, "mx.c.example"), (20, "outro.example"))
        code, _, err = apply(one("c.example", self.SAID))
        told = "enforce would stop mail to outro.example: no mx of the policy covers it"
        assert (code, err) == (2, f"! A / c.example: {told} (`force: true` goes on, on the record)\n")
        assert not HostedDomain.objects.everywhere().exists()

    def test_a_silent_dns(self, dns: dict[str, Any]) -> None:
        dns.clear()
        code, _, err = apply(one("c.example", self.SAID))
        assert (code, "enforce wants MX that DNS shows now" in err) == (2, True)

    def test_a_look_that_is_old_is_taken_anew(self, ours: Organisation) -> None:
        sight_mx(support_panel.announced(ours, "c.example", ("mx.c.example",)), "velho.example", ago=timedelta(hours=2))
        assert apply(one("c.example", "policy: {mode: enforce}", ours.name))[0] == 0
        assert policy("c.example").mode is Mode.ENFORCE

    def test_force_goes_on_and_the_log_says_so(self, dns: dict[str, Any]) -> None:
        dns["c.example"] = ((10, "outro.example"),)
        forced = one("c.example", self.SAID.replace("}", ", force: true}"))
        assert apply(forced)[0] == 0
        line = AuditEntry.objects.everywhere().get(action="policy.started")
        assert (line.override, line.after["uncovered"]) == (True, ["outro.example"])
        assert "          force: true\n" in exported()
        assert apply(exported())[:2] == (0, "0 changed, 0 refused, 1 as declared already.\n")


class TestRefusals:
    """Each domain is one transaction: what is refused is named, nothing of it is done, and the rest goes on."""

    def test_the_rest_goes_on(self) -> None:
        said = {
            "sem.example": "policy: {mode: testing}",
            "x.trinco.example": "",
            "largo.example": 'policy: {mx: ["*.com"]}, tls_reporting: {record: false}',
            "bom.example": "policy: {mx: [mx.bom.example]}",
        }
        text = "version: 1\norganisations: {A: {domains: {"
        text += ", ".join(f"{name}: {{{each}}}" for name, each in said.items()) + "}}}"
        code, out, err = apply(text)
        assert (code, out.splitlines()[-1]) == (2, "2 changed, 3 refused, 0 as declared already.")
        assert err.splitlines() == [
            "! A / sem.example: the policy wants an mx list, and the domain never had one",
            "! A / x.trinco.example: x.trinco.example is part of the zone that Trinco itself serves",
            "! A / largo.example: *.com stands for hosts of other owners; name the hosts of the MX records",
        ]
        assert [each.name for each in HostedDomain.objects.everywhere()] == ["bom.example"]

    def test_a_domain_that_leaves(self, ours: Organisation) -> None:
        policies.leave(domain=support_panel.announced(ours), actor=ANA)
        code, _, err = apply(one("correio.example", "policy: {mode: testing}", ours.name))
        assert (code, err) == (2, "! ana@example.com / correio.example: not while the domain is leaving\n")

    def test_a_step_that_fails_late_is_taken_back_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**_: Any) -> None:
            raise TrincoError("not today")

        monkeypatch.setattr(settling.policies, "settle", refuse)
        code, _, err = apply(FILE)
        assert (code, err.count("not today")) == (2, 4)
        assert [each.name for each in HostedDomain.objects.everywhere()] == ["d.example"]
        monkeypatch.undo()

    def test_a_run_that_was_cut_off_is_gone_on_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            real, count = domains.add, iter(range(2))

            def killed(**arguments: Any) -> HostedDomain:
                if next(count, None) is None:
                    raise KeyboardInterrupt
                return real(**arguments)

            patched.setattr(settling.domains, "add", killed)
            assert RUNNER.invoke(app, ["apply", "-"], input=FILE).exit_code == 130
        assert HostedDomain.objects.everywhere().count() == 2
        assert apply(FILE.replace("mode: enforce", "mode: testing"))[0] == 0
        assert apply(FILE.replace("mode: enforce", "mode: testing"))[1].startswith("0 changed")
        assert HostedDomain.objects.everywhere().count() == 5

    @pytest.mark.parametrize("text", ["", "version: 1", one("a.example", "polcy: {}"), "a: &a [*a]"])
    def test_a_bad_file_does_nothing(self, text: str) -> None:
        code, out, err = apply(text)
        assert (code, out, "trinco: -: " in err) == (2, "", True)
        assert not Organisation.objects.exists()

    def test_no_file(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", tmp_path):
            code, _, err = run("apply", path)
            assert (code, "cannot be read" in err) == (2, True)
