"""`trinco domain way`: how the records are published, by the rules of the page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from tests import support_by_hand
from tests.support_panel import ANA, announced, edge, organisation, standing
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.core.mtasts.policy import Mode, Policy
from trinco.net.dnsbooks import Access
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services as policies
from trinco.panel.policies.kept import keep_access

NAME = "correio.example"


@pytest.fixture
def domain(db: None) -> HostedDomain:
    return announced(organisation())


def run(*arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    result = CliRunner().invoke(app, ["domain", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def told(*arguments: str) -> Any:
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


class TestWay:
    def test_what_is_left_out_stays(self, domain: HostedDomain) -> None:
        assert told("way", NAME, "--sts", "txt")["ways"] == {"host": "cname", "sts": "txt", "tlsrpt": "cname"}
        assert told("way", NAME, "--tlsrpt", "txt")["ways"] == {"host": "cname", "sts": "txt", "tlsrpt": "txt"}
        lines = AuditEntry.objects.everywhere().filter(action="domain.ways").order_by("pk")
        assert list(lines.values_list("actor", "before", "after")) == [
            ("cli", {"sts": "cname"}, {"sts": "txt"}),
            ("cli", {"tlsrpt": "cname"}, {"tlsrpt": "txt"}),
        ]

    @pytest.mark.parametrize(
        ("option", "way", "words"),
        [
            ("--host", "txt", "host cannot be published so: cname, addresses"),
            ("--sts", "addresses", "sts cannot be published so: cname, txt, provider"),
            (
                "--tlsrpt",
                "provider",
                "no credentials of its DNS provider are kept; give them on its page",
            ),
        ],
    )
    def test_what_cannot_be(self, domain: HostedDomain, option: str, way: str, words: str) -> None:
        assert run("way", NAME, option, way) == (2, "", f"trinco: {words}\n")
        assert told("show", NAME)["ways"] == dict.fromkeys(("host", "sts", "tlsrpt"), "cname")

    def test_a_stranger(self, domain: HostedDomain) -> None:
        assert run("way", "outro.example", "--sts", "txt")[0] == 2


class TestShow:
    """What waits for the owner stands where a program reads it."""

    def test_the_text_to_publish(self, domain: HostedDomain) -> None:
        first = standing(domain).current.policy_id
        run("way", NAME, "--sts", "txt")
        policies.publish(domain=domain, policy=Policy(Mode.NONE, (), 86_400), actor=ANA)
        assert told("show", NAME)["to_publish"] is None
        edge()
        policies.announce_due(timezone.now())
        found = told("show", NAME)
        assert found["to_publish"] == support_by_hand.wanted(domain) == found["records"][f"_mta-sts.{NAME}"]["txt"]
        assert (found["announced"]["id"], found["kept_access"]) == (first, None)

    def test_kept_access_without_its_credentials(self, domain: HostedDomain) -> None:
        keep_access(domain=domain, actor=ANA, access=Access("cloudflare", {"auth_token": "s3cret"}))
        found = told("way", NAME, "--sts", "provider")
        assert (found["kept_access"]["provider"], found["kept_access"]["trouble"]) == ("cloudflare", "")
        code, out, _ = run("show", NAME)
        assert (code, "provider: cloudflare" in out, "s3cret" in out) == (0, True, False)
