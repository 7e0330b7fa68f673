"""`trinco records`: each form is read by somebody else's reader, and says the same three CNAMEs."""

from __future__ import annotations

import json
import re

import dns.zone
import pytest
import yaml
from tests import support_panel
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.panel.domains.models import HostedDomain

pytestmark = pytest.mark.django_db

BLOCK = re.compile(r'resource "dns_cname_record" "[a-z][a-z0-9_]*" \{\n((?:  [a-z]+ += (?:"[^"]*"|[0-9]+)\n)+)\}\n')
FIELD = re.compile(r'  ([a-z]+) += (?:"([^"]*)"|([0-9]+))\n')


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(app, ["records", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def domain() -> HostedDomain:
    return support_panel.hosted(support_panel.organisation())


@pytest.fixture
def expected(domain: HostedDomain) -> dict[str, str]:
    """Target by name, both absolute with the final dot."""
    parts = {"mta-sts": "policy", "_mta-sts": "mta-sts", "_smtp._tls": "tlsrpt"}
    return {f"{name}.{domain.name}.": f"{domain.label}.{part}.trinco.example." for name, part in parts.items()}


class TestForms:
    """DESIGN 4: three CNAMEs into our zone, the same in whatever form they are written."""

    def test_a_zone_file_is_the_usual_form(self, expected: dict[str, str]) -> None:
        code, text, _ = run("correio.example")
        zone = dns.zone.from_text(text, origin="correio.example.", relativize=False, check_origin=False)
        assert (code, {str(name): str(rdata) for name, _, rdata in zone.iterate_rdatas("CNAME")}) == (0, expected)

    def test_terraform(self, expected: dict[str, str]) -> None:
        _, text, _ = run("correio.example", "--format", "terraform")
        assert re.sub(r"\n\n", "\n", BLOCK.sub("", text)).strip() == ""
        blocks = [{key: word or number for key, word, number in FIELD.findall(body)} for body in BLOCK.findall(text)]
        assert {f"{block['name']}.{block['zone']}": block["cname"] for block in blocks} == expected
        assert {(block["ttl"], *sorted(block)) for block in blocks} == {("3600", "cname", "name", "ttl", "zone")}

    def test_octodns(self, expected: dict[str, str]) -> None:
        _, text, _ = run("correio.example", "--format", "octodns")
        entries = yaml.safe_load(text)
        assert {f"{name}.correio.example.": entry["value"] for name, entry in entries.items()} == expected
        assert {(entry["type"], entry["ttl"]) for entry in entries.values()} == {("CNAME", 3600)}
        assert list(entries) == sorted(entries)  # octoDNS refuses a file that is out of order

    def test_json(self, expected: dict[str, str]) -> None:
        told = json.loads(run("correio.example", "--json")[1])
        assert told["domain"] == "correio.example"
        assert {f"{row['name']}.": f"{row['value']}." for row in told["records"]} == expected

    def test_a_form_that_nobody_knows(self, domain: HostedDomain) -> None:
        code, _, told = run("correio.example", "--format", "bind9")
        assert (code, "bind9" in told) == (2, True)


class TestWhose:
    def test_a_domain_that_is_not_here(self, domain: HostedDomain) -> None:
        assert run("outro.example") == (
            2,
            "",
            "trinco: there is no domain outro.example here; `trinco domain list` lists them\n",
        )

    def test_one_name_of_several_organisations(self, domain: HostedDomain) -> None:
        other = support_panel.hosted(support_panel.organisation("rui@example.net"))
        assert run("correio.example")[0] == 2
        assert other.label in run("correio.example", "--owner", "rui@example.net")[1]
