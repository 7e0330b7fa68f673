"""`trinco doctor` about the doors for reports: each part found well and found ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_doctor import asked
from tests.cli.test_readiness import against
from tests.edge.arrivals import TOKEN
from tests.support_panel import hosted, live, organisation

from trinco import config
from trinco.cli import examine_here, examine_reports
from trinco.cli.findings import Finding, Verdict, ok
from trinco.config import Config, Endpoint
from trinco.edge import maild
from trinco.edge.intake import Intake
from trinco.edge.spool import Spool
from trinco.playground.world import Record, World, Zone

HOST = "reports.trinco.example"
WORLD = World([Zone("trinco.example")], [Record(HOST, "MX", f"10 {HOST}."), Record(HOST, "A", "127.0.0.3")])


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there is waited for, however busy the machine is."""
    configured = examine_reports.configured
    monkeypatch.setattr(examine_reports, "SECONDS", 60.0)
    monkeypatch.setattr(examine_reports, "configured", lambda settings: replace(configured(settings), timeout=60.0))


@asynccontextmanager
async def mailbox(directory: Path, token: str) -> AsyncIterator[Endpoint]:
    """A real one, that takes reports under this token."""
    spool = Spool(directory)
    desk = Intake(lambda asked: asked == token, spool)
    async with maild.listen(desk, [("127.0.0.1", 0)], reports_host=HOST, tls=lambda: None) as (bound,):
        yield bound
    await spool.close()


def told(directory: Path, token: str, known: str) -> Finding:
    async def run() -> Finding:
        async with asyncio.timeout(60), mailbox(directory, known) as bound:
            return await examine_reports.mailbox(replace(config.load({}), smtp_listen=(bound,)), token)

    return asyncio.run(run())


class TestMailbox:
    """RELIABILITY row 25: "recipient list exact, no relay"."""

    def test_that_takes_what_is_ours_alone_is_well(self, tmp_path):
        finding = told(tmp_path, TOKEN, TOKEN)
        assert (finding.verdict, "takes reports for our domains alone" in finding.seen) == (Verdict.OK, True)
        assert told(tmp_path, "", TOKEN).verdict is Verdict.OK

    def test_that_does_not_know_a_domain_of_ours_is_an_error(self, tmp_path):
        finding = told(tmp_path, TOKEN, "another")
        assert (finding.verdict, finding.seen.partition(" says ")[2]) == (
            Verdict.ERROR,
            "550 to a stranger, 550 to a domain's token",
        )

    @pytest.mark.parametrize(
        "said", [b"", b"220 x\r\n250 x\r\n", b"SSH-2.0-OpenSSH\r\n", b"220 x\r\n250 x\r\n250 x\r\n250 relay\r\n"]
    )
    def test_that_is_another_server_is_an_error(self, said):
        def examined(bound: Endpoint) -> Awaitable[Finding]:
            return examine_reports.mailbox(replace(config.load({}), smtp_listen=(bound,)), "")

        assert against(said, examined).verdict is Verdict.ERROR

    def test_that_does_not_listen_is_an_error(self):
        closed = replace(config.load({}), smtp_listen=(("127.0.0.1", 9),))
        assert asyncio.run(examine_reports.mailbox(closed, "")).verdict is Verdict.ERROR

    def test_that_another_machine_has_is_well(self):
        elsewhere = config.load({"TRINCO_SMTP_LISTEN": ""})
        assert asyncio.run(examine_reports.mailbox(elsewhere, TOKEN)) == ok(
            "report mailbox", "not on this machine: TRINCO_SMTP_LISTEN is empty"
        )


class TestRecords:
    """What senders find in DNS is what the settings say."""

    @pytest.mark.parametrize(
        ("changes", "verdict", "seen"),
        [
            ({}, Verdict.OK, f"DNS and the settings say the same: MX 10 {HOST}, 127.0.0.3"),
            (
                {"reports_addresses": ("127.0.0.4", "::1")},
                Verdict.ERROR,
                f"DNS gives 127.0.0.3 for {HOST}, the settings 127.0.0.4, ::1",
            ),
            (
                {"reports_mx": ((5, "mx.example.net"),)},
                Verdict.ERROR,
                f"DNS gives 10 {HOST} as MX of {HOST}, the settings 5 mx.example.net",
            ),
            (
                {"reports_host": "nobody.trinco.example"},
                Verdict.ERROR,
                f"DNS gives none as MX of nobody.trinco.example, the settings 10 {HOST}",
            ),
        ],
    )
    def test_are_compared(self, changes: dict[str, Any], verdict: Verdict, seen: str) -> None:
        async def look(settings: Config) -> Finding:
            return await examine_reports.records(replace(settings, **{"reports_addresses": ("127.0.0.3",), **changes}))

        finding = asked(WORLD, look)
        assert (finding.verdict, finding.seen) == (verdict, seen)

    def test_without_dns_nothing_is_known(self) -> None:
        async def look(settings: Config) -> Finding:
            return await examine_reports.records(replace(settings, resolvers=(("127.0.0.1", 9),)))

        assert asked(WORLD, look).verdict is Verdict.UNTESTED


class TestReachable:
    """The ports where senders come."""

    def test_are_tried(self, tmp_path):
        async def run() -> tuple[Finding, Finding, Finding]:
            async with asyncio.timeout(60), mailbox(tmp_path, TOKEN) as (address, port):
                settings = replace(config.load({}), reports_addresses=(address,), policy_port=port, smtp_port=port)
                return (
                    await examine_reports.reachable(settings),
                    await examine_reports.reachable(replace(settings, smtp_port=9)),
                    await examine_reports.reachable(
                        replace(settings, smtp_port=9, reports_mx=((5, "mx.example.net"),))
                    ),
                )

        well, ill, elsewhere = asyncio.run(run())
        assert (well.verdict, elsewhere.verdict) == (Verdict.OK, Verdict.OK)
        assert (ill.verdict, ill.seen) == (Verdict.WARNING, "no connection to 127.0.0.1:9 from here")


@pytest.mark.django_db
class TestToken:
    """One that reports are taken under, to ask the mailbox about."""

    def test_is_that_of_a_domain_that_is_served(self) -> None:
        ours = organisation()
        hosted(ours, "waits.example")
        assert examine_here.token() == ""
        assert examine_here.token() != live(ours).label == examine_here.token()
