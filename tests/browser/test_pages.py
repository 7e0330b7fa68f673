"""Every page in every dress: no fault that axe finds, nothing clipped, no small target, no error in the console."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core import mail
from tests import support_panel, support_web
from tests.support_browser import Visitor

from trinco.core.mtasts.policy import Mode
from trinco.net.dnsbooks import Access
from trinco.panel.accounts import access, invitations, people
from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.domains.models import Finding, Starttls
from trinco.panel.policies import imports, services
from trinco.panel.policies.import_models import DomainImport
from trinco.panel.policies.kept import keep_access
from trinco.panel.policies.ways import set_ways
from trinco.panel.webhooks import services as webhooks
from trinco.panel.webhooks.models import Webhook
from trinco.panel.webhooks.services import Terms

SIGNED_OUT = {
    "login": "/account/login/",
    "reset": "/account/password/reset/",
    "reset-done": "/account/password/reset/done/",
    "sign-up": "/account/signup/",
}
SIGNED_IN = {
    "overview": "/",
    "overview-empty": "/?q=zulu",
    "add": "/domains/add/?name=novo.example",
    "imports": "/domains/import/",
    "tags": "/domains/tags/",
    "domain": "/domains/correio.example/",
    "domain-ready": "/domains/pronto.example/",
    "domain-leaving": "/domains/antigo.example/",
    "history": "/domains/correio.example/history/",
    "confirm": "/domains/pronto.example/policy/?mode=enforce",
    "undo": "/domains/correio.example/undo/",
    "mail-servers": "/domains/correio.example/mail-servers/",
    "leave": "/domains/correio.example/leave/",
    "own-certificate": "/domains/correio.example/certificate/",
    "setup": "/domains/novo.example/setup/",
    "setup-zone": "/domains/novo.example/setup/?as=zone",
    "setup-write": "/domains/novo.example/setup/write/?provider=cloudflare",
    "setup-done": "/domains/correio.example/setup/",
    "ways": "/domains/mao.example/setup/ways/",
    "kept-access": "/domains/mao.example/setup/access/?provider=rfc2136",
    "domain-by-hand": "/domains/mao.example/",
    "setup-by-hand": "/domains/mao.example/setup/",
    "activity": "/activity/",
    "certificates": "/certificates/",
    "takeout": "/takeout/",
    "edges": "/edges/",
    "certificates-waiting": "/certificates/?show=waiting&name=zulu",
    "security": "/account/2fa/",
    "password": "/account/password/change/",
    "email": "/account/email/",
    "sessions": "/account/sessions/",
    "webhooks": "/webhooks/",
}


OF_A_PROVIDER = {
    "people": "/people/",
    "label": "/label/",
    "organisations": "/organisations/",
    "clients": "/clients/",
    "clients-by-client": "/clients/by-client/",
    "takeout-of-all": "/takeout/",
}


@pytest.fixture
def world(ours: Organisation) -> Organisation:
    """A domain in each state."""
    for name in ("correio.example", "antigo.example"):
        domain = support_web.ready(ours, name)
        services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
        support_web.settled(domain)
    services.leave(domain=domain, actor=support_panel.ANA)
    support_web.settled(domain)
    support_web.ready(ours, "pronto.example")
    troubled = support_web.ready(ours, "hospital.example")
    support_panel.sight_mx(troubled, "mx1.hospital.example", "mx9.hospital.example")
    support_web.probed(troubled, "mx9.hospital.example", Starttls.NOT_OFFERED)
    support_web.settled(troubled)
    fresh = support_panel.hosted(ours, "novo.example")
    support_panel.sight(fresh, Finding.TXT_IN_THE_WAY)
    fresh.records.update(seen="v=STSv1; id=20240229T101500")
    by_hand = support_web.ready(ours, "mao.example")
    set_ways(domain=by_hand, actor=support_panel.ANA, host="addresses", sts="txt", tlsrpt="txt")
    keep_access(domain=by_hand, actor=support_panel.ANA, access=Access("rfc2136", {"server": "192.0.2.1"}))
    by_hand.versions.update(announced_at=None)
    by_hand.records.filter(record="_mta-sts").update(finding=Finding.STALE, seen="v=STSv1; id=1;")
    support_panel.sight_mx(fresh, "mx1.novo.example", "novo-example.mail.protection.outlook.com", "mail.protonmail.ch")
    fresh.zone, fresh.nameservers = "novo.example", ["a.ns.cloudflare.com", "dns104.ovh.net"]
    fresh.save(update_fields=["zone", "nameservers"])
    support_web.troubled(troubled)
    listed = "novo.example\nno_name\na.example,*.com\n" + "x" * 200
    imported = imports.start(organisation=ours, text=listed, actor=support_panel.ANA)
    imports.stop(job=imported, actor=support_panel.ANA)
    terms = Terms("tickets", "https://hook.example.com/t", ("domain.added",))
    hook = webhooks.create_webhook(organisation=ours, terms=terms, actor=support_panel.ANA)[0]
    webhooks.send_test(webhook=hook, actor=support_panel.ANA)
    return ours


def walk(visitor: Visitor, pages: dict[str, str], dress: str) -> dict[str, list[str]]:
    """The faults of each page that has some."""
    found = {}
    for name, path in pages.items():
        visitor.go(path)
        visitor.picture(f"{name}-{dress}")
        found[name] = visitor.faults()
    return {name: faults for name, faults in found.items() if faults}


@pytest.mark.parametrize(
    ("dress", "wishes"),
    [
        ("1360", {}),
        ("390-dark-pt", {"width": 390, "dark": True, "language": "pt"}),
    ],
)
class TestEveryPage:
    """Issue 2: axe finds no WCAG 2.2 AA violation, no console error, at 390 and 1360 px, light and dark, in both languages."""

    def test_signed_in(
        self, world: Organisation, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        imported = DomainImport.objects.of(world).get()
        hook = Webhook.objects.of(world).get()
        pages = {**SIGNED_IN, "import": f"/domains/import/{imported.pk}/", "webhook": f"/webhooks/{hook.pk}/"}
        assert walk(visit(**wishes).sign_in(), pages, dress) == {}

    def test_of_a_provider(
        self, ours: Organisation, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        """With a client, an invitation and a domain there; and what the invited person sees."""
        visitor = visit(**wishes).sign_in()
        client = people.add_client(provider=ours, name="Câmara de Évora", actor=support_panel.ANA)
        support_web.ready(client, "cliente.example")
        owner = access.first_access(support_web.owner_of(ours))
        wanted = invitations.Wanted("nova@example.com", Role.EDITOR)
        invitations.invite(access=owner, wanted=wanted, actor=support_panel.ANA)
        link = re.search(r"/invitations/[^/\s]+/", str(mail.outbox[-1].body))
        assert walk(visitor, OF_A_PROVIDER, dress) == {}
        assert walk(visit(**wishes), {"invitation": link[0] if link else ""}, dress) == {}

    def test_signed_out(
        self, transactional_db: None, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        assert walk(visit(**wishes), SIGNED_OUT, dress) == {}
