"""An organisation that wants single sign-on, and proving once more who one is where there is no password."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import reverse
from tests import support_oidc, support_panel, support_web
from tests.support_api import key_of, problem
from tests.support_oidc import OpenIdProvider, came

from trinco.panel.accounts import people
from trinco.panel.accounts.access import Access, access_to
from trinco.panel.accounts.errors import NoSingleSignOn
from trinco.panel.accounts.models import ApiToken, AuditEntry, Identity, Membership, Organisation, Role, User
from trinco.panel.accounts.services import create_account
from trinco.panel.policies.import_models import Ending
from trinco.panel.policies.import_places import places_of

pytestmark = pytest.mark.django_db
AGAIN = "/account/sso/again/"


def member(where: Organisation, role: Role, there: OpenIdProvider, email: str = "eva@example.com") -> User:
    user = support_web.person(email, where, role)
    Identity.objects.create(user=user, issuer=there.issuer, subject=email)
    return user


def demand(organisation: Organisation) -> None:
    Organisation.objects.filter(pk=organisation.pk).update(sso_required=True)


class TestTheDemand:
    """People of an organisation that wants single sign-on see nothing before they came by it; its owners are excepted."""

    def test_nothing_before_it(self, ours: Organisation, there: OpenIdProvider) -> None:
        demand(ours)
        client = support_web.signed_in(member(ours, Role.ADMIN, there))
        for path in ("/", "/activity/", f"/o/{ours.pk}/people/"):
            assert client.get(path)["Location"].partition("?next=")[::2] == (
                reverse("sso") if path[:3] != "/o/" else f"/o/{ours.pk}{reverse('sso')}",
                path,
            )
        assert client.get("/", headers={"hx-request": "true"})["HX-Redirect"] == reverse("sso")
        assert problem(client.get("/api/v1/domains")) == (403, "Single sign-on wanted", None)
        assert "Your organisation wants you to come by single sign-on" in support_web.text_of(
            client.get("/", follow=True)
        )

    def test_with_it_everything(self, ours: Organisation, there: OpenIdProvider) -> None:
        demand(ours)
        client = support_web.signed_in(member(ours, Role.ADMIN, there))
        assert came(client, there, "/activity/", sub="eva@example.com")["Location"] == "/activity/"
        answers = [client.get(path).status_code for path in ("/", "/activity/", "/people/", "/api/v1/domains")]
        assert answers == [200] * 4

    def test_it_ends_with_the_session(self, ours: Organisation, there: OpenIdProvider) -> None:
        demand(ours)
        user, client = member(ours, Role.EDITOR, there), Client()
        came(client, there, sub="eva@example.com")
        client.post("/account/logout/")
        client.post("/account/login/", {"login": user.email, "password": support_panel.PASSWORD})
        assert client.get("/").status_code == 302

    def test_another_provider_does_not_count(self, ours: Organisation, there: OpenIdProvider, settings: Any) -> None:
        demand(ours)
        client = Client()
        member(ours, Role.EDITOR, there)
        came(client, there, sub="eva@example.com")
        support_oidc.configure(settings, there, oidc_issuer="https://other.example.com")
        assert client.get("/").status_code == 302

    def test_an_owner_comes_in_with_a_password(self, ours: Organisation, there: OpenIdProvider) -> None:
        demand(ours)
        assert support_web.signed_in(support_web.owner_of(ours)).get("/").status_code == 200

    def test_a_token_goes_on(self, ours: Organisation, there: OpenIdProvider) -> None:
        headers = {"Authorization": f"Bearer {key_of(member(ours, Role.EDITOR, there))}"}
        demand(ours)
        assert Client().get("/api/v1/domains", headers=headers).status_code == 200

    def test_a_providers_demand_holds_in_its_clients(self, ours: Organisation, there: OpenIdProvider) -> None:
        beta = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        demand(ours)
        client = support_web.signed_in(member(ours, Role.EDITOR, there))
        assert client.get(f"/o/{beta.pk}/").status_code == 302
        came(client, there, sub="eva@example.com")
        assert client.get(f"/o/{beta.pk}/").status_code == 200
        assert Organisation.objects.filter(pk=beta.pk, sso_required=False).exists()

    def test_a_client_that_wants_it_is_left_out(self, ours: Organisation, there: OpenIdProvider) -> None:
        beta = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        support_panel.hosted(beta, "cliente.example")
        demand(beta)
        user = member(ours, Role.EDITOR, there)
        client = support_web.signed_in(user)
        page = client.get(f"/o/{ours.pk}/clients/")
        assert ([each.row.domain.name for each in page.context["rows"]], page.context["locked_sso"]) == ([], 1)
        assert "1 client wants single sign-on of you first" in support_web.text_of(page)
        assert client.get(f"/o/{beta.pk}/").status_code == 302
        assert "cliente.example" not in client.get(f"/o/{ours.pk}/takeout/state.yaml").content.decode()
        came(client, there, sub="eva@example.com")
        page = client.get(f"/o/{ours.pk}/clients/")
        assert [each.row.domain.name for each in page.context["rows"]] == ["cliente.example"]
        assert "cliente.example" in client.get(f"/o/{ours.pk}/takeout/state.yaml").content.decode()

    def test_a_list_adds_nothing_there(self, ours: Organisation, there: OpenIdProvider) -> None:
        beta = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        demand(beta)
        access = access_to(member(ours, Role.EDITOR, there), ours.pk)
        assert isinstance(access, Access)
        assert (places_of(access).find("Beta"), places_of(access).find("Gama")) == (Ending.SSO, Ending.CLIENT)
        assert places_of(replace(access, by_sso=True)).find("Beta") == beta

    def test_the_page_of_a_list_says_so(self, ours: Organisation, there: OpenIdProvider) -> None:
        demand(people.add_client(provider=ours, name="Beta", actor=support_panel.ANA))
        client = support_web.signed_in(member(ours, Role.EDITOR, there))
        text = "domain;organisation\na.example;Beta\nb.example;Gama"
        page = client.post(f"/o/{ours.pk}/domains/import/", {"text": text}, follow=True)
        told = support_web.text_of(page)
        assert "“Beta” wants single sign-on. Come in by it, then go on." in told
        assert "You and your clients have no organisation “Gama”." in told

    def test_to_those_of_elsewhere_it_is_not_there(
        self, ours: Organisation, theirs: Organisation, there: OpenIdProvider
    ) -> None:
        beta = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        sibling = people.add_client(provider=ours, name="Norte", actor=support_panel.ANA)
        demand(beta)
        for where in (theirs, sibling):
            access = access_to(support_web.person(f"x{where.pk}@example.com", where, Role.EDITOR), where.pk)
            assert isinstance(access, Access)
            assert places_of(access).find("Beta") is Ending.CLIENT

    def test_without_a_provider_owners_alone(self, ours: Organisation, there: OpenIdProvider, settings: Any) -> None:
        demand(ours)
        user = member(ours, Role.ADMIN, there)
        support_oidc.configure(settings, there, oidc_issuer="")
        assert support_web.signed_in(user).get("/").status_code == 403
        owner = support_web.signed_in(support_web.owner_of(ours))
        owner.post(reverse("organisation_settings"), {"name": ours.name})
        assert not Organisation.objects.get(pk=ours.pk).sso_required


class TestSayingSo:
    """The owner says so, on the page or by the API, and the log tells of it."""

    def test_on_the_page(self, ours: Organisation, there: OpenIdProvider) -> None:
        owner = support_web.signed_in(support_web.owner_of(ours))
        assert "except owners" in support_web.text_of(owner.get("/people/"))
        owner.post(reverse("organisation_settings"), {"name": ours.name, "sso_required": "on"})
        line = AuditEntry.objects.of(ours).order_by("-number")[0]
        assert (line.action, line.before, line.after) == (
            "organisation.changed",
            {"sso_required": False},
            {"sso_required": True},
        )
        assert "single sign-on demanded" in support_web.text_of(owner.get("/activity/"))

    def test_by_the_api(self, ours: Organisation, there: OpenIdProvider) -> None:
        headers = {"Authorization": f"Bearer {key_of(support_web.owner_of(ours))}"}
        ApiToken.objects.everywhere().update(scope="admin")
        told = Client().patch(
            "/api/v1/organisation", {"sso_required": True}, content_type="application/json", headers=headers
        )
        assert (told.status_code, told.json()["sso_required"], told.json()["name"]) == (200, True, ours.name)

    def test_not_where_there_is_no_provider(self, ours: Organisation) -> None:
        owner = support_web.signed_in(support_web.owner_of(ours))
        assert "except owners" not in support_web.text_of(owner.get("/people/"))
        owner.post(reverse("organisation_settings"), {"name": ours.name, "sso_required": "on"})
        assert not Organisation.objects.get(pk=ours.pk).sso_required
        with pytest.raises(NoSingleSignOn):
            people.set_organisation(organisation=ours, sso_required=True, actor=support_panel.ANA)
        told = owner.patch("/api/v1/organisation", {"sso_required": True}, content_type="application/json")
        assert told.status_code == 409

    def test_an_admin_may_not(self, ours: Organisation, there: OpenIdProvider) -> None:
        admin = support_web.signed_in(member(ours, Role.ADMIN, there))
        terms = {"name": ours.name, "sso_required": "on"}
        assert admin.post(reverse("organisation_settings"), terms).status_code == 403


class TestOnceMore:
    """Who has neither password nor factor is sent to the provider to prove it once more: never let through for nothing."""

    @pytest.fixture
    def nova(self, there: OpenIdProvider) -> User:
        user = create_account(email="nova@example.com", password=None)
        Identity.objects.create(user=user, issuer=there.issuer, subject="u-1")
        return user

    @pytest.fixture
    def client(self, nova: User, there: OpenIdProvider) -> Client:
        made = Client()
        came(made, there)
        return made

    @pytest.mark.parametrize(
        "path", ["tokens/", "2fa/totp/activate/", "2fa/webauthn/add/", "email/", "password/set/", "sso/connect/"]
    )
    def test_a_page_that_changes(self, client: Client, path: str) -> None:
        typed = {"email": "x@example.com", "action_add": "", "password1": "another horse battery"}
        answer = client.post(f"/account/{path}", {**typed, "password2": typed["password1"]})
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, AGAIN)

    def test_proving_it_goes_on_with_what_waited(self, nova: User, client: Client, there: OpenIdProvider) -> None:
        waits = client.post("/account/tokens/", {"name": "x", "scope": "read", "days": "30"})
        following = waits["Location"].partition("?next=")[2].replace("%2F", "/")
        assert "sign in at your provider once more" in support_web.text_of(client.get(waits["Location"]))
        done = came(client, there, following, AGAIN)
        assert (done.status_code, ApiToken.objects.everywhere().get().user) == (200, nova)
        assert client.post("/account/tokens/", {"name": "y", "scope": "read", "days": "30"}).status_code == 200

    def test_without_anything_that_waited(self, client: Client, there: OpenIdProvider) -> None:
        assert came(client, there, "", AGAIN)["Location"] == "/"
        assert came(client, there, "/activity/", AGAIN)["Location"] == "/activity/"

    @pytest.mark.parametrize("wrong", [{"auth_time": None}, {"auth_time": 1_700_000_000}, {"sub": "u-2"}], ids=str)
    def test_what_does_not_prove_it(self, client: Client, there: OpenIdProvider, wrong: dict[str, Any]) -> None:
        answer = came(client, there, "/account/tokens/", AGAIN, **wrong)
        assert answer["Location"] == "/account/2fa/"
        assert client.post("/account/tokens/", {"name": "x"})["Location"].startswith(AGAIN)

    def test_a_sign_in_proves_nothing_later(self, client: Client, there: OpenIdProvider) -> None:
        came(client, there)
        assert client.post("/account/tokens/", {"name": "x"})["Location"].startswith(AGAIN)

    def test_somebody_elses_identity(self, client: Client, there: OpenIdProvider) -> None:
        other = create_account(email="rui@example.net", password=None)
        Identity.objects.create(user=other, issuer=there.issuer, subject="u-3")
        came(client, there, "", AGAIN, sub="u-3")
        assert client.post("/account/tokens/", {"name": "x"})["Location"].startswith(AGAIN)

    def test_beside_a_password_it_is_one_way_of_several(self, nova: User, there: OpenIdProvider) -> None:
        nova.set_password(support_panel.PASSWORD)
        nova.save()
        page = support_web.browser(nova).get("/account/reauthenticate/").content.decode()
        assert f'href="{AGAIN}"' in page
        totp.TOTP.activate(nova, "A" * 32)
        assert Authenticator.objects.count() == 1
        page = support_web.browser(nova).get("/account/2fa/reauthenticate/").content.decode()
        assert f'href="{AGAIN}"' in page

    def test_no_way_at_all_leads_to_a_password(self, db: None) -> None:
        client = support_web.browser(create_account(email="eva@example.com", password=None))
        answer = client.post("/account/tokens/", {"name": "x"})
        assert answer["Location"].startswith("/account/password/reset/")

    def test_a_password_is_set_after_it(self, nova: User, client: Client, there: OpenIdProvider) -> None:
        came(client, there, "", AGAIN)
        words = {"password1": "another horse battery", "password2": "another horse battery"}
        client.post("/account/password/set/", words)
        nova.refresh_from_db()
        assert nova.check_password("another horse battery")

    def test_nobody_is_asked(self, there: OpenIdProvider) -> None:
        assert [Client().get(AGAIN)["Location"], Client().post(AGAIN)["Location"]] == ["/account/login/"] * 2

    def test_the_last_way_in_stays(self, client: Client, there: OpenIdProvider) -> None:
        came(client, there, "", AGAIN)
        answer = client.post("/account/sso/disconnect/")
        assert "there would be no way in" in support_web.text_of(client.get(answer["Location"]))
        assert Membership.objects.count() == Identity.objects.count() == 1
