"""Keys to the API: their life, and their page."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from django.urls import reverse
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts import roles, tokens
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import ScopeTooWide, TooManyTokens
from trinco.panel.accounts.models import ApiToken, AuditEntry, Membership, Organisation, Role, User
from trinco.panel.accounts.roles import Deed

ANA = Actor("ana@example.com", "192.0.2.7")
FORM = {"name": "monitoring", "scope": "read", "days": "90"}


@pytest.fixture
def ana(ours: Organisation) -> Membership:
    return Membership.objects.get(organisation=ours)


def made(membership: Membership, name: str = "monitoring") -> tuple[ApiToken, str]:
    return tokens.create_token(membership=membership, name=name, days=365, actor=ANA)


def acts(member: Membership | Access | None) -> tuple[User, Organisation, str] | None:
    """Who acts, where, as what."""
    return member and (member.user, member.organisation, member.role)


def key_on(page: object) -> str:
    found = re.search(r'<pre class="code" id="key">(trinco_[a-z2-7]{40})</pre>', page.content.decode())  # type: ignore[attr-defined]
    assert found
    return found[1]


class TestKeys:
    """RELIABILITY 2, row 30: at least 128 bits, stored hashed, a prefix for scanners, expiry."""

    def test_the_key_is_not_kept(self, ana: Membership) -> None:
        token, key = made(ana)
        assert re.fullmatch(r"trinco_[a-z2-7]{40}", key)
        assert (token.prefix, token.digest) == (key[:15], hashlib.sha256(key.encode()).hexdigest())
        assert key[15:] not in str(ApiToken.objects.everywhere().values().get())

    def test_no_two_are_alike(self, ana: Membership) -> None:
        keys = {made(ana)[1] for _ in range(20)}
        assert (len(keys), len({key[:15] for key in keys})) == (20, 20)

    def test_it_ends_after_its_days(self, ana: Membership) -> None:
        token, key = made(ana)
        assert token.expires_at - token.created_at == timedelta(days=365)
        assert acts(tokens.member_by(key, token.expires_at - timedelta(seconds=1))) == acts(ana)
        assert tokens.member_by(key, token.expires_at) is None

    def test_revoked_it_opens_nothing(self, ana: Membership) -> None:
        token, key = made(ana)
        tokens.revoke_token(token=token, actor=ANA)
        assert tokens.member_by(key, timezone.now()) is None

    def test_it_goes_with_its_person(self, ours: Organisation) -> None:
        user = support_web.person("eva@example.com", ours, Role.VIEWER)
        _token, key = made(Membership.objects.get(user=user))
        user.is_active = False
        user.save()
        assert tokens.member_by(key, timezone.now()) is None

    def test_it_goes_with_the_membership(self, ours: Organisation) -> None:
        user = support_web.person("eva@example.com", ours, Role.VIEWER)
        _token, key = made(Membership.objects.get(user=user))
        user.memberships.all().delete()
        assert tokens.member_by(key, timezone.now()) is None

    @pytest.mark.parametrize("change", [str.upper, lambda key: key[:-1], lambda key: f"{key}a", lambda key: key[:15], lambda key: f"{key[:-1]}\u0131", lambda _key: "", lambda key: f"{key[:15]}{'a' * 32}"])  # fmt: skip
    def test_what_is_near_it_opens_nothing(self, ana: Membership, change: object) -> None:
        _token, key = made(ana)
        assert tokens.member_by(change(key), timezone.now()) is None  # type: ignore[operator]

    def test_one_has_an_end_of_them(self, ana: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
        first, _key = made(ana)
        made(ana)
        with pytest.raises(TooManyTokens):
            made(ana)
        tokens.revoke_token(token=first, actor=ANA)
        made(ana)


class TestUse:
    def test_it_is_noted_to_the_minute(self, ana: Membership) -> None:
        _token, key = made(ana)
        now = timezone.now()

        def noted(after: timedelta) -> datetime | None:
            tokens.member_by(key, now + after)
            return ApiToken.objects.everywhere().get().last_used_at

        assert noted(timedelta()) == now
        assert noted(timedelta(seconds=59)) == now
        assert noted(timedelta(seconds=60)) == now + timedelta(seconds=60)


class TestAudit:
    def test_both_deeds_are_written_down(self, ana: Membership) -> None:
        token, _key = made(ana)
        tokens.revoke_token(token=token, actor=ANA)
        tokens.revoke_token(token=token, actor=ANA)
        told = {"token": "monitoring", "prefix": token.prefix, "scope": "read"}
        told["expires"] = token.expires_at.date().isoformat()
        lines = AuditEntry.objects.of(ana.organisation).filter(action__startswith="token.").order_by("pk")
        assert list(lines.values_list("action", "actor", "subject", "before", "after")) == [
            ("token.created", "ana@example.com", "ana@example.com", {}, told),
            ("token.revoked", "ana@example.com", "ana@example.com", told, {}),
        ]


class TestPage:
    """UX 8: API tokens: prefix shown, hash kept, scope, expiry, last use."""

    def test_the_key_is_shown_once(self, ana: Membership) -> None:
        client = support_web.signed_in(ana.user)
        page = client.post(reverse("tokens"), FORM)
        key = key_on(page)
        assert acts(tokens.member_by(key, timezone.now())) == acts(ana)
        assert "no-store" in page["Cache-Control"]
        again = client.get(reverse("tokens")).content.decode()
        assert (key in again, key[:15] in again, "monitoring" in again) == (False, True, True)

    def test_a_fresh_password_is_wanted_and_then_the_form_goes_on(self, ana: Membership) -> None:
        client = support_web.browser(ana.user)
        answer = client.post(reverse("tokens"), FORM)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("account_reauthenticate"))
        assert not ApiToken.objects.everywhere().exists()
        typed = {"password": support_panel.PASSWORD, "next": reverse("tokens")}
        page = client.post(reverse("account_reauthenticate"), typed)
        assert acts(tokens.member_by(key_on(page), timezone.now())) == acts(ana)

    def test_it_goes_on_in_the_organisation_that_the_address_names(self, ana: Membership) -> None:
        """Whoever has several is at `/o/<key>/…`, where the form goes on too."""
        there = Organisation.objects.create(name="Norte", parent=ana.organisation)
        client, page = support_web.browser(ana.user), f"/o/{there.pk}/account/tokens/"
        answer = client.post(page, FORM)
        again = f"/o/{there.pk}/account/reauthenticate/"
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, again)
        key = key_on(client.post(again, {"password": support_panel.PASSWORD, "next": page}))
        assert acts(tokens.member_by(key, timezone.now())) == (ana.user, there, Role.OWNER)

    @pytest.mark.parametrize("path", ["/o/1/o/1/", "/o/1/o/2/account/tokens/"])
    def test_one_prefix_is_all(self, ana: Membership, path: str) -> None:
        assert support_web.browser(ana.user).get(path.replace("/1/", f"/{ana.organisation_id}/")).status_code == 404

    @pytest.mark.parametrize("form", [{**FORM, "days": "36500"}, {**FORM, "name": ""}, {**FORM, "name": "a\u202eb"}])
    def test_a_form_that_is_wrong_makes_nothing(self, ana: Membership, form: dict[str, str]) -> None:
        page = support_web.signed_in(ana.user).post(reverse("tokens"), form)
        assert (page.status_code, ApiToken.objects.everywhere().count()) == (200, 0)

    def test_too_many_is_said(self, ana: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "MAX_TOKENS", 0)
        page = support_web.signed_in(ana.user).post(reverse("tokens"), FORM)
        assert "You have 0 tokens that work." in support_web.text_of(page)

    def test_revoked_from_the_page(self, ana: Membership) -> None:
        token, key = made(ana)
        client = support_web.browser(ana.user)
        assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 302
        assert tokens.member_by(key, timezone.now()) is None
        assert "revoked" in support_web.text_of(client.get(reverse("tokens")))

    def test_a_viewer_has_tokens_and_sees_nobody_elses(self, ana: Membership) -> None:
        token, _key = made(ana, "of ana")
        viewer = support_web.person("eva@example.com", ana.organisation, Role.VIEWER)
        client = support_web.signed_in(viewer)
        member = tokens.member_by(key_on(client.post(reverse("tokens"), FORM)), timezone.now())
        assert member is not None
        assert member.user == viewer
        assert "of ana" not in support_web.text_of(client.get(reverse("tokens")))
        assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 404

    def test_the_owner_sees_and_revokes_a_teammates(self, ana: Membership) -> None:
        editor = support_web.person("edu@example.com", ana.organisation, Role.EDITOR)
        token, key = made(Membership.objects.get(user=editor), "of edu")
        client = support_web.browser(ana.user)
        assert "of edu" in support_web.text_of(client.get(reverse("tokens")))
        client.post(reverse("token_revoke", args=[token.pk]))
        assert tokens.member_by(key, timezone.now()) is None

    def test_a_strangers_token_is_no_page(self, ana: Membership, theirs: Organisation) -> None:
        token, key = made(ana)
        client = support_web.browser(support_web.owner_of(theirs))
        assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 404
        assert acts(tokens.member_by(key, timezone.now())) == acts(ana)


class TestScopes:
    """Issue 5: scopes read, policy:write, admin. A scope takes away from the role, and never adds."""

    EXPECTED: ClassVar = {
        ("read", Role.VIEWER): {"read"},
        ("read", Role.OWNER): {"read"},
        ("policy:write", Role.EDITOR): {"read", "policy:write", "domains:write"},
        ("policy:write", Role.OWNER): {"read", "policy:write", "domains:write"},
        ("admin", Role.ADMIN): {str(deed) for deed in roles.deeds_of(Role.ADMIN)},
        ("admin", Role.OWNER): {str(deed) for deed in roles.deeds_of(Role.OWNER)},
    }

    @pytest.mark.parametrize(("scope", "role"), list(EXPECTED))
    def test_what_it_leaves(self, ours: Organisation, scope: str, role: Role) -> None:
        membership = Membership.objects.get(user=support_web.person("eva@example.com", ours, role))
        _token, key = tokens.create_token(membership=membership, name="x", days=30, actor=ANA, scope=scope)
        access = tokens.member_by(key, timezone.now())
        assert access is not None
        assert {deed for deed in Deed if access.may(deed)} == self.EXPECTED[scope, role]

    def test_a_role_that_shrinks_takes_the_token_with_it(self, ours: Organisation) -> None:
        membership = Membership.objects.get(user=support_web.person("eva@example.com", ours, Role.ADMIN))
        _token, key = tokens.create_token(membership=membership, name="x", days=30, actor=ANA, scope="admin")
        Membership.objects.filter(pk=membership.pk).update(role=Role.VIEWER)
        access = tokens.member_by(key, timezone.now())
        assert access is not None
        assert {deed for deed in Deed if access.may(deed)} == roles.deeds_of(Role.VIEWER)

    @pytest.mark.parametrize(
        ("role", "offered"),
        [
            (Role.VIEWER, ["read"]),
            (Role.EDITOR, ["read", "policy:write"]),
            (Role.ADMIN, ["read", "policy:write", "admin"]),
        ],
    )
    def test_nobody_makes_one_that_opens_more(self, ours: Organisation, role: Role, offered: list[str]) -> None:
        membership = Membership.objects.get(user=support_web.person("eva@example.com", ours, role))
        assert tokens.scopes_of(membership) == offered
        for scope in {"read", "policy:write", "admin", "root"} - set(offered):
            with pytest.raises(ScopeTooWide):
                tokens.create_token(membership=membership, name="x", days=30, actor=ANA, scope=scope)

    def test_a_token_of_little_makes_none_of_much(self, ours: Organisation, ana: Membership) -> None:
        _token, key = tokens.create_token(membership=ana, name="x", days=30, actor=ANA, scope="policy:write")
        access = tokens.member_by(key, timezone.now())
        assert access is not None
        assert tokens.scopes_of(access) == ["read", "policy:write"]

    def test_one_of_a_later_version_opens_nothing(self, ana: Membership) -> None:
        token, key = made(ana)
        ApiToken.objects.everywhere().filter(pk=token.pk).update(scope="later")
        access = tokens.member_by(key, timezone.now())
        assert access is not None
        assert [deed for deed in Deed if access.may(deed)] == []

    def test_the_page_offers_and_shows_it(self, ours: Organisation) -> None:
        client = support_web.signed_in(support_web.owner_of(ours))
        client.post(reverse("tokens"), {**FORM, "scope": "policy:write"})
        assert "Read, and change domains and policies" in support_web.text_of(client.get(reverse("tokens")))
        assert ApiToken.objects.everywhere().get().scope == "policy:write"
