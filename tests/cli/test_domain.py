"""`trinco domain`, by the rules of the pages."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError
from tests import support_panel
from tests.support_panel import ANA, announced, hosted, live, organisation, sight_mx, standing
from typer.testing import CliRunner

from trinco.cli import domain as commands
from trinco.cli.main import app
from trinco.core.errors import DnsFailure
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services

pytestmark = pytest.mark.django_db


def run(*arguments):
    """(exit code, standard output, standard error)."""
    result = CliRunner().invoke(app, ["domain", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def as_json(*arguments):
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def row(name="correio.example"):
    return HostedDomain.objects.everywhere().exclude(state=State.GONE).get(name=name)


@pytest.fixture
def ours():
    return organisation()


@pytest.fixture
def dns(monkeypatch):
    """What DNS shows as MX: set `dns.mx`, or `dns.silent`."""

    class Dns:
        mx = ("mx1.correio.example", "mx2.correio.example")
        silent = False

        def read(self, _domain):
            if self.silent:
                raise DnsFailure("no name server answered")
            return self.mx

    fake = Dns()
    monkeypatch.setattr(commands, "read_mx", fake.read)
    return fake


class TestAdd:
    """The person confirms the MX: those in DNS are never taken by themselves."""

    def test_it_tells_the_three_cnames_and_the_mx(self, ours, dns):
        told = as_json("add", "Correio.Example")
        label, base = row().label, "trinco.example"
        assert told == {
            "domain": "correio.example",
            "state": "setup",
            "records": {
                "mta-sts.correio.example": f"CNAME {label}.policy.{base}.",
                "_mta-sts.correio.example": f"CNAME {label}.mta-sts.{base}.",
                "_smtp._tls.correio.example": f"CNAME {label}.tlsrpt.{base}.",
            },
            "mx_seen": ["mx1.correio.example", "mx2.correio.example"],
            "next": "confirm the mail servers: repeat with --accept-mx, or with --mx for each",
        }
        assert not hasattr(row(), "standing")

    def test_accepting_them_starts_the_policy(self, ours, dns):
        code, out, _ = run("add", "correio.example", "--accept-mx")
        assert code == 0
        assert "publish the three records" in out
        assert standing(row()).current.mx == ["mx1.correio.example", "mx2.correio.example"]

    def test_repeated_with_the_patterns(self, ours, dns):
        run("add", "correio.example")
        assert run("add", "correio.example", "--mx", "*.correio.example", "--mx", "mx.example.net")[0] == 0
        assert standing(row()).current.mx == ["*.correio.example", "mx.example.net"]

    def test_a_third_time_it_is_there(self, ours, dns):
        run("add", "correio.example", "--accept-mx")
        assert run("add", "correio.example", "--accept-mx") == (1, "", "trinco: correio.example is here already\n")

    @pytest.mark.parametrize("name", ["", "correio", "a b.example", "-x.example", "192.0.2.1", "x.trinco.example"])
    def test_a_bad_name_is_wrong_use(self, ours, dns, name):
        code, out, err = run("add", "--", name)
        assert (code, out, err.count("\n"), HostedDomain.objects.everywhere().count()) == (2, "", 1, 0)

    def test_a_bad_pattern_is_wrong_use(self, ours, dns):
        assert run("add", "correio.example", "--mx", "mx\nmode: none")[0] == 2
        assert not hasattr(row(), "standing")

    def test_a_silent_dns_does_not_matter_when_the_mx_are_named(self, ours, dns):
        dns.silent = True
        code, out, err = run("add", "correio.example", "--mx", "mx.example")
        assert (code, err) == (0, "trinco: no name server answered\n")
        assert "CNAME" in out

    def test_a_silent_dns_cannot_be_accepted(self, ours, dns):
        dns.silent = True
        assert run("add", "correio.example", "--accept-mx")[0] == 3

    def test_no_mx_cannot_be_accepted(self, ours, dns):
        dns.mx = ()
        assert run("add", "correio.example", "--accept-mx")[0] == 1

    def test_several_organisations_need_an_owner(self, ours, dns):
        organisation("rui@example.net")
        code, _, err = run("add", "correio.example")
        assert (code, err) == (2, "trinco: several organisations; say whose with --owner\n")
        assert run("add", "correio.example", "--owner", "rui@example.net")[0] == 0
        assert row().organisation.name == "rui@example.net"

    def test_none_needs_an_account(self, dns):
        assert run("add", "correio.example")[0] == 2

    def test_an_unknown_owner(self, ours, dns):
        assert run("add", "correio.example", "--owner", "x@example.net")[0] == 2


class TestList:
    def test_empty(self):
        assert run("list") == (0, "No domains yet: trinco domain add DOMAIN\n", "")
        assert as_json("list") == []

    def test_each_that_is_not_gone(self, ours):
        domain = announced(ours)
        hosted(ours, "outro.example")
        gone = hosted(ours, "gone.example")
        gone.state = State.GONE
        gone.save()
        identifier = standing(domain).announced.policy_id
        assert as_json("list") == [
            {"domain": "correio.example", "state": "live", "mode": "testing", "announced": identifier},
            {"domain": "outro.example", "state": "setup", "mode": None, "announced": None},
        ]
        assert run("list")[1] == f"correio.example  live   testing  {identifier}\noutro.example    setup  -        -\n"

    def test_a_long_name_pushes_nothing_away(self, ours):
        long = ".".join(["a" * 60] * 3) + ".example"
        for name in (long, "b.example"):
            hosted(ours, name)
        assert run("list")[1] == f"{long}  setup  -  -\n{'b.example':40}  setup  -  -\n"

    def test_of_one_owner(self, ours):
        hosted(ours)
        hosted(organisation("rui@example.net"), "caixa.example")
        assert [each["domain"] for each in as_json("list", "--owner", "rui@example.net")] == ["caixa.example"]


class TestShow:
    def test_all_of_it(self, ours):
        domain = announced(ours)
        sight_mx(domain, "mx1.correio.example")
        told = as_json("show", "correio.example")
        current = standing(domain).current
        assert told["served"] == told["announced"]
        assert (told["served"]["id"], told["served"]["by"]) == (current.policy_id, "ana@example.com")
        assert {each["finding"] for each in told["records"].values()} == {"found"}
        assert (told["mx"], told["certificate"]) == ({"mx1.correio.example": "untested"}, None)
        assert told["horizon"] > "2026"

    def test_as_lines(self, ours):
        announced(ours)
        code, out, _ = run("show", "correio.example")
        assert code == 0
        assert "state: live\n" in out
        assert "certificate: -\n" in out

    def test_a_stranger(self, ours):
        code, out, err = run("show", "outro.example")
        assert (code, out) == (2, "")
        assert "there is no domain outro.example here" in err

    def test_two_that_wait_for_the_same_name(self, ours):
        hosted(ours)
        hosted(organisation("rui@example.net"))
        assert run("show", "correio.example")[0] == 2
        assert run("show", "correio.example", "--owner", "rui@example.net")[0] == 0

    def test_the_one_that_has_it_comes_before_those_that_wait(self, ours):
        live(ours)
        hosted(organisation("rui@example.net"))
        assert as_json("show", "correio.example")["state"] == "live"


class TestMode:
    """`enforce` is refused like on the page."""

    def test_none(self, ours):
        announced(ours)
        assert as_json("mode", "correio.example", "none")["served"]["mode"] == "none"
        line = AuditEntry.objects.of(ours).get(action="policy.published")
        assert (line.actor, line.after["mode"]) == ("cli", "none")

    def test_enforce_with_a_max_age(self, ours):
        sight_mx(announced(ours), "mx1.correio.example")
        told = as_json("mode", "correio.example", "enforce", "--max-age", "1209600")
        assert (told["served"]["mode"], told["served"]["max_age"]) == ("enforce", 1_209_600)

    def test_refused_while_an_mx_is_not_covered(self, ours):
        domain = announced(ours)
        sight_mx(domain, "mx1.correio.example", "mx9.example")
        code, out, err = run("mode", "correio.example", "enforce")
        assert (code, out) == (1, "")
        assert "mx9.example" in err
        assert standing(domain).current.mode == "testing"

    def test_refused_while_the_mx_are_not_known(self, ours):
        announced(ours)
        assert run("mode", "correio.example", "enforce")[0] == 1

    def test_the_override_is_written_down(self, ours):
        sight_mx(announced(ours), "mx9.example")
        assert run("mode", "correio.example", "enforce", "--override")[0] == 0
        assert AuditEntry.objects.of(ours).get(action="policy.published").override is True

    def test_nothing_to_do_is_no_failure(self, ours):
        announced(ours)
        code, out, err = run("mode", "correio.example", "testing")
        assert (code, err) == (0, "Nothing to do: the policy is this one already.\n")
        assert "mode: testing" in out

    @pytest.mark.parametrize("wrong", ["ENFORCED", ""])
    def test_an_unknown_mode(self, ours, wrong):
        announced(ours)
        assert run("mode", "correio.example", wrong)[0] == 2

    def test_a_max_age_beyond_the_standard(self, ours):
        announced(ours)
        assert run("mode", "correio.example", "none", "--max-age", "31557601")[0] == 2

    def test_before_there_is_a_policy(self, ours):
        hosted(ours)
        assert run("mode", "correio.example", "none")[0] == 2

    def test_while_it_leaves(self, ours):
        services.leave(domain=announced(ours), actor=ANA)
        code, _, err = run("mode", "correio.example", "testing")
        assert (code, err) == (2, "trinco: not while the domain is leaving\n")


class TestRemove:
    def test_a_live_one_leaves(self, ours):
        announced(ours)
        assert as_json("remove", "correio.example")["state"] == "leaving"

    def test_one_that_leaves_goes_on_leaving(self, ours):
        domain = announced(ours)
        run("remove", "correio.example")
        assert as_json("remove", "correio.example")["state"] == "leaving"
        assert len(support_panel.versions(domain)) == 2

    def test_one_that_was_never_served_is_gone(self, ours):
        domain = hosted(ours)
        assert as_json("remove", "correio.example")["state"] == "gone"
        domain.refresh_from_db()
        assert domain.state == State.GONE


def test_a_database_that_is_away_is_no_verdict(monkeypatch):
    def away():
        raise OperationalError("unable to open database file")

    monkeypatch.setattr(HostedDomain.objects, "everywhere", away)
    code, out, err = run("list")
    assert (code, out) == (3, "")
    assert "unable to open database file" in err
