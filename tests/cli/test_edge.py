"""What `trinco edge` sets up around the node. What it does as a process is in tests/edge/test_edge_processes.py."""

from __future__ import annotations

import asyncio
import http.client
import resource
import smtplib
import ssl

import pytest
from tests import support_tls
from tests.edge import report_rig
from tests.edge.arrivals import Inbox
from tests.edge.node_rig import until
from tests.edge.publications import ZONE, publication
from tests.edge.report_senders import by_https, by_mail

from trinco import config
from trinco.cli import edge
from trinco.config import ConfigError
from trinco.core.errors import PolicyTlsError
from trinco.core.hosting import HostedDomain, Publication
from trinco.core.names import Domain
from trinco.edge import carrier, policy_host
from trinco.edge.intake import Allowance, Intake, IntakeLimits
from trinco.edge.serving import Serving
from trinco.edge.sni import Table


class TestName:
    """The name of an edge is the name of its directory."""

    def test_a_plain_name(self, tmp_path):
        assert edge._directory(tmp_path, "edge-1.lisboa_2") == tmp_path / "edge" / "edge-1.lisboa_2"

    @pytest.mark.parametrize("name", ["", ".", "..", "../edge", "a/b", "-x", "a" * 65, "é", "a\n"])
    def test_no_other(self, tmp_path, name):
        with pytest.raises(ConfigError, match="TRINCO_EDGE_NAME"):
            edge._directory(tmp_path, name)


class TestListeners:
    """DESIGN 2, flow 3: both doors hand in at one desk, and all of it is carried on."""

    @pytest.fixture
    def inbox(self, monkeypatch):
        made = Inbox()
        monkeypatch.setattr(edge, "DatabaseInbox", lambda: made)
        return made

    def opened(self, tmp_path, authority, smtp="127.0.0.1:0"):
        here = {f"TRINCO_{name}_LISTEN": "127.0.0.1:0" for name in ("POLICY", "DNS")}
        settings = config.load({**here, "TRINCO_SMTP_LISTEN": smtp, "TRINCO_BASE": str(ZONE.base)})
        serving = Serving(report_rig.served(authority))
        label = next(iter(serving.held.domains))
        return label, edge.Listeners(settings, tmp_path / "spool", support_tls.unseal)(serving, lambda: True)

    def test_take_reports_by_mail_and_by_https(self, tmp_path, inbox):
        authority = support_tls.Authority()
        context = ssl.create_default_context(cadata=authority.pem)

        async def scenario() -> None:
            label, doors = self.opened(tmp_path, authority)
            async with doors as told:
                ways = [by_mail(*told.mail[0]), by_https(*told.policy[0], context)]
                await asyncio.gather(*(asyncio.to_thread(way, label, b"{}") for way in ways))
                assert {each.suffix for each in (tmp_path / "spool").iterdir()} <= {".spool", ".numbers"}

        asyncio.run(scenario())
        assert sorted(each.channel for each in inbox.taken.values()) == ["https", "mail"]

    def test_tell_what_they_turn_away(self, tmp_path, inbox, monkeypatch):
        few = IntakeLimits(pair=Allowance(1, 0.001))
        monkeypatch.setattr(edge, "Intake", lambda known, spool, _: Intake(known, spool, few))
        monkeypatch.setattr(carrier, "POLL", 0.05)
        authority = support_tls.Authority()
        context = ssl.create_default_context(cadata=authority.pem)

        async def scenario() -> dict[str, int]:
            label, doors = self.opened(tmp_path, authority)
            async with doors as told:
                way = by_https(*told.policy[0], context)
                await asyncio.to_thread(way, label, b"{}")
                with pytest.raises(http.client.HTTPException, match="429"):
                    await asyncio.to_thread(way, label, b"{}")
                await until(lambda: inbox.told)
            return {label: 1}

        assert [asyncio.run(scenario())] == inbox.told

    def test_without_a_mailbox(self, tmp_path, inbox):
        async def scenario() -> None:
            _, doors = self.opened(tmp_path, support_tls.Authority(), smtp="")
            async with doors as told:
                assert (len(told.policy), len(told.dns), told.mail) == (1, 1, [])

        asyncio.run(scenario())

    def test_nobody_who_is_not_served_gets_reports(self, tmp_path, inbox):
        async def scenario() -> None:
            _, doors = self.opened(tmp_path, support_tls.Authority())
            async with doors as told:
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    await asyncio.to_thread(by_mail(*told.mail[0]), "nobody", b"{}")
                assert [code for code, _ in refused.value.recipients.values()] == [550]

        asyncio.run(scenario())
        assert inbox.taken == {}


class TestOwnFetch:
    """An edge fetches its policies as a sender would, and trusts the development root as soon as there is one."""

    def test_the_root_may_come_later(self, tmp_path):
        authority = support_tls.Authority()
        body = publication(1).domains["l" + "0" * 25].policy
        name = Domain.trusted("um.example")
        certificate = authority.certificate("mta-sts.um.example")
        hosted = HostedDomain(name, "label", 1, policy=body, certificate=certificate)
        table = Table(Publication(1, ZONE, {"label": hosted}, {support_tls.CHAIN: authority.issuers}))
        fetch = edge.OwnFetch(tmp_path / "ca.pem")

        async def scenario() -> bytes:
            async with policy_host.listen(table, [("0.0.0.0", 0)], unseal=support_tls.unseal) as bound:
                with pytest.raises(PolicyTlsError):
                    await fetch(name, bound[0])
                (tmp_path / "ca.pem").write_text(authority.pem)
                return await fetch(name, bound[0])

        assert asyncio.run(scenario()) == body

    def test_a_root_that_is_none_is_no_root(self, tmp_path):
        (tmp_path / "ca.pem").write_text("nothing")
        assert edge.OwnFetch(tmp_path / "ca.pem")._trusting().verify_mode is ssl.CERT_REQUIRED


class TestSetUp:
    """Small things that a process needs before it serves strangers."""

    def test_as_many_files_as_there_may_be(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        try:
            edge._take_files()
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(65_536, before[1])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def test_a_second_signal_does_not_disturb_the_end(self):
        ends = []
        end = edge._once(lambda: ends.append(1))
        end()
        end()
        assert ends == [1]

    @pytest.mark.parametrize(
        ("engine", "expected"),
        [("sqlite3", {"timeout": 3}), ("postgresql", {"connect_timeout": 3, "tcp_user_timeout": 3000})],
    )
    def test_a_database_that_does_not_answer_is_soon_away(self, monkeypatch, engine, expected):
        database = {"ENGINE": f"django.db.backends.{engine}", "OPTIONS": {"other": 1}}
        monkeypatch.setattr(edge.connections, "settings", {"default": database})
        edge._do_not_wait_long_for_the_database()
        assert database["OPTIONS"] == {"other": 1, **expected}
