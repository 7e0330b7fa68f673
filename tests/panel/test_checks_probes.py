"""STARTTLS of the mail servers of live domains, against real ones on loopback."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.utils import timezone
from tests import support_dns as lab
from tests.support_certs import NOW, Authority
from tests.support_checks import LOOPBACK, configure, customers
from tests.support_panel import hosted, live, organisation, sight_mx
from tests.support_smtp import MailServer, mail_servers

from trinco.panel.checks import probes
from trinco.panel.domains.models import HostedDomain, MxSighting, Starttls

pytestmark = pytest.mark.django_db
NAME, HOST = "correio.example", "mx1.correio.example"
ZONE = "mx1 A 127.0.0.11\nmx2 A 127.0.0.12\nmx3 A 127.0.0.13\nmx4 A 127.0.0.14\nmx5 TXT x\n"


@pytest.fixture
def authority(settings, tmp_path) -> Authority:
    """The root that the panel trusts."""
    made = Authority(tmp_path)
    made.pem.rename(tmp_path / "roots.pem")
    settings.DATA = tmp_path
    configure(settings, playground=True)
    return made


def probe(settings, servers: dict[str, MailServer], zone: str = ZONE, allowed=LOOPBACK) -> int:
    with customers(settings, {NAME: zone}), mail_servers(servers) as port:
        configure(settings, smtp_port=port, allow_networks=allowed)
        return probes.probe_due(timezone.now())


def seen(host: str = HOST) -> MxSighting:
    return MxSighting.objects.everywhere().get(host=host)


class TestResults:
    """RFC 8461 section 4.2: STARTTLS, a trusted chain, the MX host among the certificate's DNS names."""

    def test_each_once(self, settings, authority):
        sight_mx(live(organisation(), NAME), *(f"mx{n}.{NAME}" for n in range(1, 6)))
        servers = {
            "127.0.0.11": MailServer(authority.server(HOST)),
            "127.0.0.12": MailServer(extensions=b"250 mx2\r\n"),
            "127.0.0.13": MailServer(authority.server("other.example")),
        }
        assert probe(settings, servers) == 5
        rows = MxSighting.objects.everywhere().values_list("starttls", "tls_version", "problem", "not_after")
        in_a_month = NOW + timedelta(days=30)
        *known, refused, _ = rows
        assert known == [
            (Starttls.OK, "TLSv1.3", "", in_a_month),
            (Starttls.NOT_OFFERED, "", "STARTTLS is not offered", None),
            (
                Starttls.BAD_CERTIFICATE,
                "TLSv1.3",
                "the certificate is for other.example, not for mx3.correio.example",
                in_a_month,
            ),
        ]
        assert refused[0] == Starttls.UNREACHABLE
        assert refused[2].startswith("the connection failed")
        assert (seen(f"mx5.{NAME}").starttls, seen(f"mx5.{NAME}").problem) == ("unreachable", "the host has no address")

    def test_the_name_in_ehlo_is_ours(self, settings, authority):
        sight_mx(live(organisation(), NAME), HOST)
        server = MailServer(authority.server(HOST))
        probe(settings, {"127.0.0.11": server})
        assert server.heard[0] == b"EHLO trinco.example"

    def test_the_next_address_is_tried_when_the_first_one_is_down(self, settings, authority):
        sight_mx(live(organisation(), NAME), HOST)
        zone = "mx1 A 127.0.0.10\nmx1 A 127.0.0.11\n"
        probe(settings, {"127.0.0.11": MailServer(authority.server(HOST))}, zone)
        assert seen().starttls == Starttls.OK

    def test_dns_that_does_not_answer(self, settings, authority):
        sight_mx(live(organisation(), NAME), "mx.elsewhere.example")
        probe(settings, {})
        problem = "nobody answered for the addresses of mx.elsewhere.example"
        assert (seen("mx.elsewhere.example").starttls, seen("mx.elsewhere.example").problem) == ("unreachable", problem)


class TestGuarded:
    """Whoever owns the domain chooses where its MX leads: a private address is never dialled, whatever the name says."""

    @pytest.mark.parametrize(
        "record", ["A 127.0.0.11", "A 10.0.0.1", "A 169.254.169.254", "AAAA ::ffff:127.0.0.11", "AAAA ::1"]
    )
    def test_refused(self, settings, authority, record):
        sight_mx(live(organisation(), NAME), HOST)
        server = MailServer(authority.server(HOST))
        probe(settings, {"127.0.0.11": server}, f"mx1 {record}\n", allowed=())
        assert (seen().starttls, server.heard) == (Starttls.UNREACHABLE, [])
        assert seen().problem.startswith(("none of its addresses may be dialled", "nobody answered"))

    def test_a_name_that_changes_its_address_gains_nothing(self, settings, authority):
        """Rebinding: the literal that was judged is the one that is dialled; the name is resolved once."""
        sight_mx(live(organisation(), NAME), HOST)
        allowed, inner = MailServer(extensions=b"250 mx\r\n"), MailServer(authority.server(HOST))
        with customers(settings, {NAME: "mx1 A 127.0.0.11\n"}) as world:
            world.hosts[lab.RESOLVER] = lab.Host((NAME,), rebinding(world))
            with mail_servers({"127.0.0.11": allowed, "127.0.0.12": inner}) as port:
                configure(settings, smtp_port=port, allow_networks=(ip_network("127.0.0.11/32"),))
                probes.probe_due(timezone.now())
        assert [name for _, name, kind, _ in world.asked if kind == "A"] == [HOST]
        assert (allowed.heard[0], inner.heard) == (b"EHLO trinco.example", [])


def rebinding(world: lab.Internet) -> lab.Habit:
    """A resolver that answers truly once, and then with an inner address."""

    def habit(reply, tcp):
        world.publish(NAME, "mx1 A 127.0.0.12\n")
        return reply.to_wire()

    return habit


class TestDue:
    """Live domains hourly; a host that serves many of them is talked to once."""

    def test_setup_is_not_probed(self, settings, authority):
        sight_mx(hosted(organisation(), NAME), HOST)
        assert probe(settings, {}) == 0

    def test_due_again_after_an_hour(self, settings, authority):
        sight_mx(live(organisation(), NAME), HOST)
        probe(settings, {"127.0.0.11": MailServer(authority.server(HOST))})
        row = seen()
        assert row.probe_due_at - row.probed_at == timedelta(hours=1)
        assert probe(settings, {}) == 0

    def test_a_host_of_many_domains_is_talked_to_once(self, settings, authority):
        owner = organisation()
        for name in (NAME, "outro.example", "mais.example"):
            sight_mx(live(owner, name), HOST)
        server = MailServer(authority.server(HOST))
        assert probe(settings, {"127.0.0.11": server}) == 1
        assert server.heard.count(b"QUIT") == 1
        results = MxSighting.objects.everywhere().filter(host=HOST).values_list("starttls", flat=True)
        assert list(results) == [Starttls.OK] * 3

    def test_a_fault_of_ours_stops_no_other(self, settings, authority, monkeypatch):
        sight_mx(live(organisation(), NAME), HOST, f"mx2.{NAME}")
        right = probes.probe_host

        async def faulty(dns, host, context):
            return await right(dns, host, context) if host == HOST else {}["no such thing"]

        monkeypatch.setattr(probes, "probe_host", faulty)
        probe(settings, {"127.0.0.11": MailServer(authority.server(HOST))})
        assert (seen().starttls, seen(f"mx2.{NAME}").problem) == (Starttls.OK, "the probe itself failed")

    def test_the_level_of_the_domain_follows(self, settings, authority):
        domain = live(organisation(), NAME)
        sight_mx(domain, HOST)
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(level=0, level_revision=0)
        probe(settings, {"127.0.0.11": MailServer(extensions=b"250 mx\r\n")})
        domain.refresh_from_db()
        assert (domain.level, domain.level_revision) == (1, domain.revision)
