"""Who may do what on every page of ours: the owner, a teammate who only looks, a stranger, nobody."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from tests import support_panel, support_web

from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web import urls

OF_A_DOMAIN = {
    "domain": "see",
    "domain_live": "see",
    "history": "see",
    "setup": "see",
    "setup_live": "see",
    "setup_mx": "change",
    "policy": "change",
    "mail_servers": "change",
    "undo": "change",
    "leave": "change",
    "check": "post",
    "tlsrpt": "post",
}
"""Pages below a domain's name: who sees it may `see`, only editors `change` (a page) and `post` (a button)."""
OF_NONE = {
    "overview": "see",
    "add": "change",
    "bulk": "post",
    "activity": "see",
    "theme": "anybody",
    "playground": "playground",
    "playground_change": "playground",
}


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    domain = support_web.ready(ours)
    support_panel.policies.publish(
        domain=domain,
        policy=support_panel.policies.proposed(domain, "enforce"),
        actor=support_panel.ANA,
    )
    return support_web.settled(domain)


def ask(client: Client, name: str, kind: str, *args: str) -> int:
    address = reverse(name, args=args)
    query = "?mode=testing" if name == "policy" else ""
    return (client.post(address) if kind == "post" else client.get(address + query)).status_code


def test_every_address_is_named_here() -> None:
    """A page that is added without these tests is noticed."""
    names = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}
    assert names == {*OF_A_DOMAIN, *OF_NONE}


@pytest.mark.parametrize(("name", "kind"), OF_A_DOMAIN.items())
class TestPagesOfADomain:
    """RELIABILITY 2, row 29: tenant in every query; each view has the owner's, the teammate's and the stranger's test."""

    def test_the_owner_may(self, domain: HostedDomain, name: str, kind: str) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        assert ask(client, name, kind, domain.name) in (200, 204, 286, 302)

    def test_a_viewer_sees_but_does_not_change(self, domain: HostedDomain, name: str, kind: str) -> None:
        viewer = support_web.person("eva@example.com", domain.organisation, Role.VIEWER)
        status = ask(support_web.browser(viewer), name, kind, domain.name)
        assert status in ((200, 286) if kind == "see" else (403,))

    def test_a_stranger_finds_nothing(self, domain: HostedDomain, theirs: Organisation, name: str, kind: str) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        assert ask(client, name, kind, domain.name) == 404

    def test_nobody_is_sent_to_sign_in(self, domain: HostedDomain, name: str, kind: str) -> None:
        address = reverse(name, args=[domain.name])
        response = Client().post(address) if kind == "post" else Client().get(address)
        assert response.status_code == 302
        assert response["Location"] == f"/account/login/?next={address.replace('.', '.')}"

    def test_a_name_that_is_no_name_is_no_page(self, domain: HostedDomain, name: str, kind: str) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        address = reverse(name, args=[domain.name]).replace(domain.name, "no_name")
        assert client.get(address).status_code == 404


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in OF_NONE.items() if kind in "see change post"])
class TestOtherPages:
    def test_nobody_is_sent_to_sign_in(self, db: None, name: str, kind: str) -> None:
        response = Client().post(reverse(name)) if kind == "post" else Client().get(reverse(name))
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/account/login/")

    def test_a_viewer_sees_but_does_not_change(self, domain: HostedDomain, name: str, kind: str) -> None:
        viewer = support_web.person("eva@example.com", domain.organisation, Role.VIEWER)
        assert ask(support_web.browser(viewer), name, kind) == (200 if kind == "see" else 403)

    def test_a_stranger_sees_nothing_of_ours(
        self, domain: HostedDomain, theirs: Organisation, name: str, kind: str
    ) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        response = client.post(reverse(name)) if kind == "post" else client.get(reverse(name))
        assert domain.name not in response.content.decode()


class TestChangesOfAStranger:
    """Nothing that a stranger posts reaches a domain of ours, whatever it names."""

    @pytest.mark.parametrize("mode", ["none", "testing", "enforce"])
    def test_a_bulk_change_ignores_foreign_names(
        self, domain: HostedDomain, theirs: Organisation, mode: str
    ) -> None:
        before = AuditEntry.objects.of(domain.organisation).count()
        client = support_web.browser(support_web.owner_of(theirs))
        client.post(reverse("bulk"), {"mode": mode, "domain": [domain.name], "confirm": "1"})
        client.post(reverse("bulk"), {"mode": mode, "names": domain.name, "confirm": "1"})
        assert AuditEntry.objects.of(domain.organisation).count() == before

    def test_a_person_without_an_organisation_gets_403(self, db: None) -> None:
        user = support_web.person("sem@example.com")
        user.memberships.all().delete()
        assert support_web.browser(user).get("/").status_code == 403


class TestPartsOfAPage:
    """A part that is asked for after the session has ended takes the whole page to the sign-in."""

    def test_htmx_is_told_where_to_go(self, domain: HostedDomain) -> None:
        response = Client().get(reverse("domain_live", args=[domain.name]), headers={"HX-Request": "true"})
        assert (response.status_code, response["HX-Redirect"]) == (204, "/account/login/")
