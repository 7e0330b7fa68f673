"""`trinco doctor`: each part found well and found ill, and the exit code that follows."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.message
import pytest
from django.utils import timezone

from trinco import config
from trinco.cli import examine_here, examine_world
from trinco.cli.findings import Finding, Verdict, error, exit_code, ok, untested, warning
from trinco.core.hosting import NameServer
from trinco.edge.snapshot import sole_user
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.checks import schedule
from trinco.panel.domains.models import HostedDomain, MxSighting, Starttls
from trinco.panel.policies.import_models import DomainImport
from trinco.playground.nameserver import Responder, listen
from trinco.playground.world import Record, World, Zone


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there is waited for, however busy the machine is."""
    configured = examine_world.configured
    monkeypatch.setattr(examine_world, "SECONDS", 60.0)
    monkeypatch.setattr(examine_world, "configured", lambda settings: replace(configured(settings), timeout=60.0))


class TestExitCode:
    """0 clean, 1 a finding, 3 could not test."""

    @pytest.mark.parametrize(
        ("findings", "code"),
        [
            ([], 0),
            ([ok("a", "b")], 0),
            ([ok("a", "b"), warning("a", "b", "c")], 1),
            ([error("a", "b", "c"), untested("a", "b")], 1),
            ([ok("a", "b"), untested("a", "b")], 3),
        ],
    )
    def test_follows_from_the_worst(self, findings: list[Finding], code: int) -> None:
        assert exit_code(findings) == code


class TestFiles:
    def test_a_directory_of_the_owners_is_well(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert examine_here.files(tmp_path).verdict is Verdict.OK
        assert list(tmp_path.iterdir()) == []

    def test_an_open_directory_is_a_warning(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        finding = examine_here.files(tmp_path)
        assert (finding.verdict, finding.advice) == (Verdict.WARNING, f"chmod 700 {tmp_path}")

    def test_a_missing_directory_is_an_error(self, tmp_path: Path) -> None:
        assert examine_here.files(tmp_path / "nowhere").verdict is Verdict.ERROR

    def test_a_key_that_others_may_read_is_an_error(self, tmp_path: Path) -> None:
        key = tmp_path / "secrets" / "seal_key"
        key.parent.mkdir()
        key.write_text("x")
        key.chmod(0o644)
        assert [finding.advice for finding in examine_here.secrets(tmp_path)] == [f"chmod 600 {key}"]
        key.chmod(0o600)
        assert [finding.verdict for finding in examine_here.secrets(tmp_path)] == [Verdict.OK]

    def test_keys_from_the_environment_are_well(self, tmp_path: Path) -> None:
        assert [finding.seen for finding in examine_here.secrets(tmp_path)] == ["none in the data directory"]


class TestOrphanedSpool:
    """DESIGN 3: "Accepted is durable": the spool of an edge's old name is not forgotten."""

    def waiting(self, data: Path, name: str) -> Path:
        spool = data / "edge" / name / "spool"
        spool.mkdir(parents=True)
        (spool / "000000000001.spool").write_bytes(b"reports")
        return spool.parent

    def test_that_of_another_name_is_an_error_that_says_how(self, tmp_path: Path) -> None:
        old = self.waiting(tmp_path, "old")
        self.waiting(tmp_path, "edge1")
        (found,) = examine_here.orphaned(replace(config.load({}), data=tmp_path, edge_name="edge1"))
        assert (found.verdict, found.part) == ("error", "spool")
        assert found.seen == f"1 files with accepted reports wait in {old / 'spool'}, and no edge of this name runs"
        assert "TRINCO_EDGE_NAME=old trinco edge" in found.advice

    def test_that_of_one_that_runs_is_well(self, tmp_path: Path) -> None:
        with sole_user(self.waiting(tmp_path, "other")):
            assert list(examine_here.orphaned(replace(config.load({}), data=tmp_path, edge_name="edge1"))) == []


@pytest.mark.django_db
class TestTables:
    @pytest.fixture
    def organisation(self) -> Organisation:
        return Organisation.objects.create(name="Atlântico")

    def test_the_database_with_every_table_is_well(self) -> None:
        assert examine_here.database() == ok("database", "sqlite answers, with every table")

    def test_a_clock_behind_the_log_is_an_error(self, organisation: Organisation) -> None:
        assert examine_here.clock().verdict is Verdict.OK
        AuditEntry.objects.everywhere().create(
            organisation=organisation, actor="a", action="b", subject="c", at=timezone.now() + timedelta(hours=1)
        )
        assert examine_here.clock().verdict is Verdict.ERROR

    @pytest.mark.parametrize(("hours", "verdict"), [(1, Verdict.OK), (3, Verdict.ERROR)])
    def test_looks_that_are_overdue_tell_of_a_worker_that_stands_still(
        self, organisation: Organisation, hours: int, verdict: Verdict
    ) -> None:
        looked = timezone.now() - timedelta(hours=hours)
        HostedDomain.objects.everywhere().create(
            organisation=organisation, name="a.example", label="l", state="live", checked_at=looked
        )
        assert examine_here.looks().verdict is verdict

    @pytest.mark.parametrize(("minutes", "many"), [(1, 0), (3, 2)])
    def test_what_somebody_waits_for_in_vain(self, organisation: Organisation, minutes: int, many: int) -> None:
        asked = timezone.now() - timedelta(minutes=minutes)
        HostedDomain.objects.everywhere().create(
            organisation=organisation, name="a.example", label="l", check_due_at=asked - schedule.AHEAD
        )
        DomainImport.objects.everywhere().create(organisation=organisation, actor="ana", turn_at=asked)
        said = [(each.part, each.seen) for each in examine_here.waited_for()]
        assert said == [("worker", f"{many} looks or imports have waited for more than two minutes")] * (many > 0)

    @pytest.mark.parametrize(
        ("results", "verdict"),
        [
            ([], Verdict.UNTESTED),
            ([Starttls.UNREACHABLE, Starttls.UNREACHABLE], Verdict.WARNING),
            ([Starttls.UNREACHABLE, Starttls.BAD_CERTIFICATE], Verdict.OK),
        ],
    )
    def test_port_25_is_judged_by_the_probes(
        self, organisation: Organisation, results: list[Starttls], verdict: Verdict
    ) -> None:
        domain = HostedDomain.objects.everywhere().create(organisation=organisation, name="a.example", label="l")
        for number, result in enumerate(results):
            MxSighting.objects.everywhere().create(
                domain=domain, host=f"mx{number}", preference=1, starttls=result, probed_at=timezone.now()
            )
        assert examine_here.outward_smtp().verdict is verdict


NS = Record("trinco.example", "NS", "ns1.trinco.example.")
PARENT = (
    Record("example", "NS", "ns.example."),
    Record("ns.example", "A", "127.0.0.1"),
    NS,
    Record("ns1.trinco.example", "A", "127.0.0.2"),
)


def parent(*records: Record) -> World:
    return World([Zone("example")], records)


def ours() -> World:
    return World([Zone("trinco.example")], [NS])


async def nobody(_name: str, _rtype: str) -> dns.message.Message:
    raise OSError


@asynccontextmanager
async def internet(world: World) -> AsyncIterator[config.Config]:
    """A name server for everything, and settings that ask it."""
    async with listen(Responder(world, nobody), "127.0.0.1", 0) as (host, port):
        settings = config.load(
            {
                "TRINCO_RESOLVERS": f"{host}:{port}",
                "TRINCO_AUTHORITY_PORT": str(port),
                "TRINCO_ALLOW_NETWORKS": "127.0.0.0/8",
            }
        )
        yield replace(settings, nameservers=(NameServer("ns1.trinco.example", ("127.0.0.2",)),))


def asked(world: World, examine: Callable[[config.Config], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(60), internet(world) as settings:
            return await examine(settings)

    return asyncio.run(run())


class TestDelegation:
    """RFC 1034 4.2.2: the NS and the glue at the parent are to be the same as those of the zone."""

    def test_the_same_at_the_parent_and_in_the_settings_is_well(self) -> None:
        assert asked(parent(*PARENT), examine_world.delegation).verdict is Verdict.OK

    def test_glue_of_another_address_is_an_error(self) -> None:
        other = Record("ns1.trinco.example", "A", "127.0.0.3")
        finding = asked(parent(*PARENT[:3], other), examine_world.delegation)
        assert (finding.verdict, finding.seen) == (
            Verdict.ERROR,
            "glue at the parent ns1.trinco.example 127.0.0.3, in the settings ns1.trinco.example 127.0.0.2",
        )

    def test_other_name_servers_are_an_error(self) -> None:
        other = Record("trinco.example", "NS", "ns9.rival.example.")
        finding = asked(parent(*PARENT, other), examine_world.delegation)
        assert (finding.verdict, finding.seen) == (
            Verdict.ERROR,
            "the parent names ns1.trinco.example, ns9.rival.example, the settings ns1.trinco.example",
        )

    def test_no_delegation_is_an_error(self) -> None:
        assert (
            asked(parent(*PARENT[:2]), examine_world.delegation).seen == "the parent does not delegate trinco.example"
        )

    def test_a_parent_that_is_not_found_is_untested(self) -> None:
        assert asked(World([], []), examine_world.delegation).verdict is Verdict.UNTESTED


class TestNameServer:
    def test_authority_is_well(self) -> None:
        finding = asked(ours(), lambda settings: examine_world.name_server(settings, "ns1", "127.0.0.1"))
        assert finding == ok("name server ns1", "127.0.0.1 answers for trinco.example with authority")

    def test_no_authority_is_an_error(self) -> None:
        finding = asked(parent(*PARENT), lambda settings: examine_world.name_server(settings, "ns1", "127.0.0.1"))
        assert (finding.verdict, finding.seen) == (Verdict.ERROR, "127.0.0.1 has no authority for trinco.example")

    def test_silence_is_an_error(self) -> None:
        finding = asked(ours(), lambda settings: examine_world.name_server(settings, "ns1", "127.0.0.9"))
        assert finding.verdict is Verdict.ERROR

    def test_one_without_an_address_is_a_warning(self) -> None:
        """RELIABILITY 5.3: an edge cut off from the database compares what it serves with the others."""
        settings = config.load({"TRINCO_NAMESERVERS": "ns1.trinco.example=127.0.0.9 ns.other.example"})
        found = examine_world.unaddressed(settings)
        assert [(each.part, each.verdict, each.advice) for each in found] == [
            ("name server ns.other.example", Verdict.WARNING, "write ns.other.example=ADDRESS in TRINCO_NAMESERVERS")
        ]


class TestListeners:
    def test_what_does_not_listen_is_named(self) -> None:
        async def nothing_listens(settings: config.Config) -> Finding:
            nobody = ("127.0.0.1", 9)
            return await examine_world.listeners(
                replace(
                    settings, panel_listen=nobody, policy_listen=(nobody,), dns_listen=(nobody,), smtp_listen=(nobody,)
                )
            )

        assert asked(ours(), nothing_listens).seen == "no answer from: panel, policy host, name server, report mailbox"

    def test_policy_addresses_without_a_listener_are_an_error(self) -> None:
        finding = asked(ours(), lambda settings: examine_world.policy_addresses(replace(settings, policy_port=9)))
        assert (finding.verdict, finding.seen) == (
            Verdict.ERROR,
            "no connection to 127.0.0.1, ::1 at port 9 from here",
        )

    def test_policy_addresses_with_a_listener_are_well(self) -> None:
        async def listening(settings: config.Config) -> Finding:
            async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.close()

            async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                only = replace(settings, policy_port=port, policy_addresses=("127.0.0.1",))
                return await examine_world.policy_addresses(only)

        assert asked(ours(), listening).verdict is Verdict.OK


class TestIssuers:
    def test_nobody_may_issue_is_a_warning(self) -> None:
        assert examine_world.issuers(config.load({})).verdict is Verdict.WARNING
        assert examine_world.issuers(config.load({"TRINCO_CAA": "ca.example"})).verdict is Verdict.OK

    def test_the_playground_has_a_ca_of_its_own(self) -> None:
        assert examine_world.issuers(config.load({"TRINCO_PLAYGROUND": "on"})).verdict is Verdict.OK


class TestCommand:
    """The whole command, in a process of its own and a directory where nothing runs."""

    @staticmethod
    def run(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith("TRINCO_")}
        command = [sys.executable, "-m", "trinco", "doctor", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=known | settings, capture_output=True, text=True, timeout=300, check=False
        )

    def test_says_what_is_wrong_and_ends_with_one(self, tmp_path: Path) -> None:
        closed = {"TRINCO_RESOLVERS": "127.0.0.1:9", "TRINCO_AUTHORITY_PORT": "9", "TRINCO_POLICY_PORT": "9"}
        listen = {"TRINCO_PANEL_LISTEN": "127.0.0.1:9", "TRINCO_SMTP_LISTEN": "127.0.0.1:9"}
        done = self.run(tmp_path, "--json", **listen, **closed)
        found = {finding["part"]: finding["verdict"] for finding in json.loads(done.stdout)["findings"]}
        assert done.returncode == 1, done.stderr
        assert found == {
            "data directory": "ok",
            "keys": "ok",
            "database": "error",
            "listeners": "error",
            "name server ns1.trinco.example": "error",
            "delegation": "untested",
            "policy addresses": "error",
            "CAA": "warning",
            "report mailbox": "error",
            "reports host": "untested",
            "report doors": "warning",
        }

    def test_a_setting_that_does_not_exist_is_wrong_use(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, TRINCO_NONSENSE="1")
        assert (done.returncode, done.stdout) == (2, "")
        assert "TRINCO_NONSENSE: there is no such setting" in done.stderr
