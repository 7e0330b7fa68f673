"""Single sign-on and the host of a label: the provider sends people back to the panel's own host."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from tests import support_panel, support_web
from tests.support_oidc import OpenIdProvider

from trinco.panel.accounts.models import Label, Membership, Organisation, Role

pytestmark = pytest.mark.django_db
HOST = "correio.provedor.example"


@pytest.fixture
def at_label(ours: Organisation, there: OpenIdProvider) -> Client:
    """A browser at the host of the provider's label."""
    Label.objects.create(organisation=ours, product="Correio", host=HOST)
    return Client(headers={"host": f"{HOST}:8080"})


class TestAtALabelsHost:
    """There is no button; whoever has to come by single sign-on is led to the panel's own host."""

    def test_no_button(self, at_label: Client) -> None:
        assert "single sign-on" not in at_label.get("/account/login/").content.decode()
        assert "Sign in with single sign-on" in Client().get("/account/login/").content.decode()

    @pytest.mark.parametrize("path", ["/account/sso/", "/account/sso/again/"])
    def test_nothing_is_asked_from_there(self, at_label: Client, there: OpenIdProvider, path: str) -> None:
        answer = at_label.post(path)
        assert answer.status_code in (302, 404)
        assert at_label.get("/account/sso/callback/?state=x").status_code == 404
        assert there.asked == []

    def test_the_way_from_there(self, at_label: Client, ours: Organisation, settings: Any) -> None:
        Organisation.objects.filter(pk=ours.pk).update(sso_required=True)
        user = support_web.person("eva@example.com", ours, Role.VIEWER)
        assert Membership.objects.filter(user=user).count() == 1
        typed = {"login": user.email, "password": support_panel.PASSWORD}
        assert at_label.post("/account/login/", typed).status_code == 302
        page = at_label.get("/activity/", follow=True).content.decode()
        panel = settings.CONFIG.panel_url.rstrip("/")
        assert f'href="{panel}/account/sso/?next=%2Factivity%2F"' in page
