"""Single sign-on for the first time: an account is connected, made, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_oidc, support_panel, support_web
from tests.support_oidc import OpenIdProvider, begun, came, returned
from tests.support_sso import LOGIN, NOBODY, ODD, OTHERWISE, PAGE, inside, invited, lines, said

from trinco.core.names import Domain
from trinco.panel.accounts.models import Identity, Invitation, Membership, Role, User
from trinco.panel.accounts.services import create_account

pytestmark = pytest.mark.django_db


class TestFirstTime:
    """An address that the provider vouches for leads to an account; nothing else does."""

    def test_an_account_without_a_password_is_connected(self, there: OpenIdProvider) -> None:
        user = create_account(email="ana@example.com", password=None)
        client = Client()
        came(client, there, email="Ana@Example.COM")
        assert (inside(client), Identity.objects.get().user) == (user.email, user)
        assert lines(support_web.organisation_of(user)) == [("member.sso-bound", user.email)]

    def test_one_with_a_password_is_asked_for_it_once(self, there: OpenIdProvider) -> None:
        user = support_web.person("ana@example.com")
        client = Client()
        answer = came(client, there, "/activity/")
        assert (answer["Location"], inside(client)) == (f"{PAGE}bind/", "")
        assert "There is an account for ana@example.com already." in said(client, answer)
        wrong = client.post(f"{PAGE}bind/", {"password": "wrong"})
        assert ("This is not the password" in support_web.text_of(wrong), Identity.objects.exists()) == (True, False)
        done = client.post(f"{PAGE}bind/", {"password": support_panel.PASSWORD})
        assert (done["Location"], inside(client)) == ("/activity/", user.email)
        again = Client()
        assert (came(again, there)["Location"], inside(again)) == ("/", user.email)

    def test_guessing_it_is_counted(self, there: OpenIdProvider) -> None:
        support_web.person("ana@example.com")
        client = Client()
        came(client, there)
        texts = [support_web.text_of(client.post(f"{PAGE}bind/", {"password": "wrong"})) for _ in range(6)]
        assert ["Too many failed login attempts" in each for each in texts] == [False] * 5 + [True]

    def test_the_password_is_not_asked_of_anybody(self, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Client().get(f"{PAGE}bind/")["Location"] == LOGIN
        support_web.person("ana@example.com")
        client = Client()
        came(client, there)
        monkeypatch.setattr("trinco.panel.web.sso_flow.LIVES", 0.0)
        assert client.post(f"{PAGE}bind/", {"password": support_panel.PASSWORD})["Location"] == LOGIN

    def test_somebody_else_was_connected_meanwhile(self, there: OpenIdProvider) -> None:
        ana, rui = support_web.person("ana@example.com"), support_web.person("rui@example.net")
        client = Client()
        came(client, there)
        Identity.objects.create(user=rui, issuer=there.issuer, subject="u-1")
        assert OTHERWISE in said(client, client.post(f"{PAGE}bind/", {"password": support_panel.PASSWORD}))
        assert (inside(client), ana.identities.exists()) == ("", False)

    @pytest.mark.parametrize("word", [False, "true", None, 1])
    def test_an_address_that_nobody_vouches_for(self, there: OpenIdProvider, settings: Any, word: object) -> None:
        support_oidc.configure(settings, there, oidc_domains=(Domain("example.com"),))
        create_account(email="ana@example.com", password=None)
        client = Client()
        assert NOBODY in said(client, came(client, there, email_verified=word))
        assert (inside(client), Identity.objects.exists()) == ("", False)

    def test_an_address_that_only_looks_like_it(self, there: OpenIdProvider) -> None:
        create_account(email="na\u017fh@example.com", password=None)
        client = Client()
        assert NOBODY in said(client, came(client, there, email="nash@example.com"))
        assert NOBODY in said(client, came(client, there, email="na\u017fh@example.com"))
        assert (inside(client), Identity.objects.exists()) == ("", False)

    def test_an_address_that_came_to_somebody_else(self, ana: User, there: OpenIdProvider) -> None:
        client = Client()
        assert OTHERWISE in said(client, came(client, there, sub="u-2"))
        assert inside(client) == ""

    def test_an_invitation_at_whose_page_they_begin(self, there: OpenIdProvider) -> None:
        ours = support_panel.organisation("eva@example.com")
        page, client = invited(ours), Client()
        assert (
            f'<form action="{PAGE}"><input type="hidden" name="next" value="{page}">'
            in client.get(page).content.decode()
        )
        assert came(client, there, page)["Location"] == "/"
        row = Membership.objects.get(user__email="ana@example.com")
        assert (inside(client), row.organisation, row.role) == ("ana@example.com", ours, Role.VIEWER)
        assert not Invitation.objects.of(ours).exists()
        assert lines(ours) == [("member.joined", "ana@example.com"), ("member.sso-bound", "ana@example.com")]

    def test_who_has_an_account_is_asked_there(self, ana: User, there: OpenIdProvider) -> None:
        ours = support_panel.organisation("eva@example.com")
        page, client = invited(ours), Client()
        assert came(client, there, page)["Location"] == page
        assert "Join" in support_web.text_of(client.get(page))
        assert not Membership.objects.filter(user=ana, organisation=ours).exists()

    @pytest.mark.parametrize(
        "wrong", [{"email": "rui@example.com"}, {"invited_by": "gone@example.com"}, {"expires_at": timezone.now()}]
    )
    def test_an_invitation_that_is_none(self, there: OpenIdProvider, wrong: dict[str, Any]) -> None:
        ours, client = support_panel.organisation("eva@example.com"), Client()
        page = invited(ours, **wrong)
        assert NOBODY in said(client, came(client, there, page))
        assert not User.objects.filter(email="ana@example.com").exists()

    def test_a_domain_whose_people_may_come_in(self, there: OpenIdProvider, settings: Any) -> None:
        support_oidc.configure(settings, there, oidc_domains=(Domain("correio.example"),))
        client = Client()
        came(client, there, email="nova@correio.example")
        user = User.objects.get()
        row = Membership.objects.get()
        assert (inside(client), user.has_usable_password()) == ("nova@correio.example", False)
        assert (row.role, row.organisation.name) == (Role.OWNER, "nova@correio.example")

    @pytest.mark.parametrize(
        "email",
        [
            "a@sub.correio.example",
            "a@xcorreio.example",
            "a@correio.example.evil.example",
            "a@b@correio.example",
            "x",
            "@",
        ],
    )
    def test_another_domain(self, there: OpenIdProvider, settings: Any, email: str) -> None:
        support_oidc.configure(settings, there, oidc_domains=(Domain("correio.example"),))
        client = Client()
        assert NOBODY in said(client, came(client, there, email=email))
        assert not User.objects.exists()


class TestNobodyIsMadeAMember:
    """If you do not know what this is about, do nothing: an invitation that is not opened changes nothing."""

    def test_an_invitation_that_waits_opens_nothing(self, there: OpenIdProvider) -> None:
        ours, client = support_panel.organisation("eva@example.com"), Client()
        invited(ours)
        assert NOBODY in said(client, came(client, there))
        assert Invitation.objects.of(ours).count() == 1

    def test_strangers_who_have_asked_first(self, there: OpenIdProvider, settings: Any) -> None:
        support_oidc.configure(settings, there, oidc_domains=(Domain("example.com"),))
        theirs, client = support_panel.organisation("eva@example.net"), Client()
        invited(theirs, invited_by="eva@example.net", role=Role.OWNER)
        came(client, there)
        row = Membership.objects.get(user__email="ana@example.com")
        assert (row.organisation.name, row.role) == ("ana@example.com", Role.OWNER)

    def test_another_page_of_ours(self, there: OpenIdProvider) -> None:
        ours, client = support_panel.organisation("eva@example.com"), Client()
        page = invited(ours)
        for other in (f"/people{page}", f"{page}x/", f"{page}?x=1", "/invitations/x/"):
            assert NOBODY in said(client, came(client, there, other))


class TestTheSecurityPage:
    """Who is signed in, and has just proved it, connects their account, whatever the provider calls its address."""

    def test_connecting(self, there: OpenIdProvider) -> None:
        user = support_web.person("ana@example.com")
        client = support_web.signed_in(user)
        assert "Not connected" in support_web.text_of(client.get("/account/2fa/"))
        answer = came(client, there, path=f"{PAGE}connect/", email=None)
        assert "Connected: from now on" in said(client, answer)
        assert (Identity.objects.get().user, lines(support_web.organisation_of(user))) == (
            user,
            [("member.sso-bound", user.email)],
        )

    def test_a_session_alone_is_not_enough(self, there: OpenIdProvider) -> None:
        client = support_web.browser(support_web.person("ana@example.com"))
        for page in ("connect", "disconnect"):
            assert client.post(f"{PAGE}{page}/")["Location"].startswith("/account/reauthenticate/")
            assert Client().post(f"{PAGE}{page}/")["Location"].startswith(LOGIN)

    def test_somebody_elses(self, ana: User, there: OpenIdProvider) -> None:
        client = support_web.signed_in(support_web.person("rui@example.net"))
        assert OTHERWISE in said(client, came(client, there, path=f"{PAGE}connect/"))
        assert Identity.objects.get().user == ana

    def test_another_person_came_in_between(self, there: OpenIdProvider) -> None:
        client = support_web.signed_in(support_web.person("ana@example.com"))
        given = there.grant(begun(client, path=f"{PAGE}connect/"))
        kept = client.session["sso_questions"]
        client.force_login(support_web.person("rui@example.net"), backend=support_web.BACKEND)
        session = client.session
        session["sso_questions"] = kept
        session.save()
        assert ODD in said(client, returned(client, given))
        assert not Identity.objects.exists()

    def test_disconnecting(self, there: OpenIdProvider) -> None:
        user = support_web.person("ana@example.com")
        Identity.objects.create(user=user, issuer=there.issuer, subject="u-1")
        client = support_web.signed_in(user)
        client.post(f"{PAGE}disconnect/")
        assert not Identity.objects.exists()
        assert lines(support_web.organisation_of(user)) == [("member.sso-unbound", user.email)]
        assert "Single sign-on disconnected" in support_web.text_of(client.get("/activity/"))
