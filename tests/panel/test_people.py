"""People of an organisation: roles, invitations, second factors, providers and their clients."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from tests import support_panel, support_web
from tests.support_api import Program, key_of, problem

from trinco.panel.accounts import access, audit, people
from trinco.panel.accounts.models import AuditEntry, Invitation, Membership, Organisation, Role, User

NEW = "correct horse battery staple"


@pytest.fixture
def owner(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def member(ours: Organisation, role: Role, email: str = "eva@example.com") -> Membership:
    return Membership.objects.get(user=support_web.person(email, ours, role), organisation=ours)


def said(answer: object) -> str:
    return support_web.text_of(answer)


def invited(client: Client, email: str = "nova@example.com", role: str = "editor") -> str:
    """The path of the link in the mail."""
    client.post(reverse("people"), {"email": email, "role": role})
    found = re.search(r"https?://[^/]+(/invitations/[^/\s]+/)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def last(ours: Organisation) -> tuple[str, str, dict[str, object], dict[str, object]]:
    line = AuditEntry.objects.of(ours).order_by("-number")[0]
    return line.action, line.subject, line.before, line.after


class TestRoles:
    def test_another_role_and_what_the_log_says(self, ours: Organisation, owner: Client) -> None:
        row = member(ours, Role.VIEWER)
        owner.post(reverse("member_role", args=[row.pk]), {"role": "editor"})
        row.refresh_from_db()
        assert (row.role, last(ours)) == (
            "editor",
            ("member.role", "eva@example.com", {"role": "viewer"}, {"role": "editor"}),
        )
        assert "Viewer → Editor" in said(owner.get("/activity/"))

    @pytest.mark.parametrize("deed", ["member_role", "member_remove"])
    def test_the_last_owner_stays(self, ours: Organisation, owner: Client, deed: str) -> None:
        row = Membership.objects.get(organisation=ours)
        page = owner.post(reverse(deed, args=[row.pk]), {"role": "viewer"}, follow=True)
        assert "The organisation needs another owner first." in said(page)
        assert Membership.objects.get(organisation=ours).role == Role.OWNER

    def test_the_last_owner_is_told_in_place(self, ours: Organisation, owner: Client) -> None:
        row, reason = (
            Membership.objects.get(organisation=ours),
            "Owner The only owner: make somebody else an owner first.",
        )
        deeds = [reverse(name, args=[row.pk]) for name in ("member_role", "member_remove")]
        page = owner.get(reverse("people"))
        assert (reason in said(page), [each in page.content.decode() for each in deeds]) == (True, [False, False])
        admin = support_web.browser(member(ours, Role.ADMIN).user)
        assert "The only owner" not in said(admin.get(reverse("people")))
        member(ours, Role.OWNER, "rui@example.com")
        page = owner.get(reverse("people"))
        assert (reason in said(page), [each in page.content.decode() for each in deeds]) == (False, [True, True])

    def test_one_of_two_owners_may_go(self, ours: Organisation, owner: Client) -> None:
        row = member(ours, Role.OWNER)
        owner.post(reverse("member_remove", args=[row.pk]))
        assert list(Membership.objects.filter(organisation=ours).values_list("user__email", flat=True)) == [
            "ana@example.com"
        ]

    def test_an_admin_makes_and_unmakes_no_owner(self, ours: Organisation) -> None:
        admin = support_web.browser(member(ours, Role.ADMIN).user)
        top, low = Membership.objects.get(organisation=ours, role=Role.OWNER), member(ours, Role.VIEWER, "vi@e.example")
        for row, role in ((top, "viewer"), (low, "owner")):
            page = admin.post(reverse("member_role", args=[row.pk]), {"role": role}, follow=True)
            assert "That role is higher than yours." in said(page)
        admin.post(reverse("member_remove", args=[top.pk]))
        page = admin.post(reverse("people"), {"email": "x@example.com", "role": "owner"})
        assert (mail.outbox, Membership.objects.filter(organisation=ours).count()) == ([], 3)

    def test_whoever_is_removed_sees_nothing_any_more(self, ours: Organisation, owner: Client) -> None:
        row = member(ours, Role.EDITOR)
        program, browser = Program(key_of(row.user)), support_web.browser(row.user)
        owner.post(reverse("member_remove", args=[row.pk]))
        assert (browser.get("/").status_code, program.get("/domains").status_code) == (403, 401)
        Membership.objects.create(organisation=ours, user=row.user, role=Role.EDITOR)
        assert program.get("/domains").status_code == 401  # revoked, and not only without a member

    def test_nobody_elses_members(self, ours: Organisation, theirs: Organisation, owner: Client) -> None:
        row = member(theirs, Role.VIEWER)
        answers = [owner.post(reverse(name, args=[row.pk])) for name in ("member_role", "member_remove")]
        assert [answer.status_code for answer in answers] == [404, 404]


class TestInvitations:
    """RELIABILITY 2: a token of at least 128 bits, kept as a digest, for once, with an end."""

    def test_a_new_person(self, ours: Organisation, owner: Client) -> None:
        path, guest = invited(owner), Client()
        token = path.split("/")[2]
        assert token not in str(Invitation.objects.everywhere().values().get())
        assert "ana@example.com invites nova@example.com to ana@example.com" in said(guest.get(path))
        answer = guest.post(path, {"password": NEW})
        assert (answer.status_code, answer["Location"]) == (302, f"/o/{ours.pk}/")
        assert guest.get("/").status_code == 200
        row = Membership.objects.get(user__email="nova@example.com")
        assert (row.organisation, row.role, row.user.check_password(NEW)) == (ours, "editor", True)
        link = hashlib.sha256(token.encode()).hexdigest()[:16]
        assert last(ours) == ("member.joined", "nova@example.com", {}, {"role": "editor", "link": link})
        assert (Client().get(path).status_code, Organisation.objects.count()) == (404, 1)

    def test_a_weak_password_makes_no_account(self, owner: Client) -> None:
        path = invited(owner)
        for password in ("short", "nova@example.com", "password1234"):
            assert Client().post(path, {"password": password}).status_code == 200
        assert not User.objects.filter(email="nova@example.com").exists()

    def test_a_person_with_an_account(self, ours: Organisation, theirs: Organisation, owner: Client) -> None:
        path = invited(owner, "rui@example.net", "viewer")
        assert f"/account/login/?next={path}" in Client().get(path).content.decode()
        assert Client().post(path, {"password": NEW}).status_code == 200
        rui = support_web.owner_of(theirs)
        assert rui.check_password(support_panel.PASSWORD)
        browser = support_web.browser(rui)
        assert browser.post(path)["Location"] == f"/o/{ours.pk}/"
        assert [browser.get(f"/o/{each.pk}/").status_code for each in (ours, theirs)] == [200, 200]
        assert access.access_to(rui, ours.pk).role == Role.VIEWER  # type: ignore[union-attr]

    def test_the_link_that_was_used_leads_in_whoever_joined_by_it(
        self, ours: Organisation, theirs: Organisation, owner: Client
    ) -> None:
        path, rui = invited(owner, "rui@example.net", "viewer"), support_web.owner_of(theirs)
        browser, there = support_web.browser(rui), f"/o/{ours.pk}/"
        assert [browser.post(path)["Location"] for _ in range(2)] == [there, there]
        assert browser.get(path)["Location"] == there
        assert AuditEntry.objects.of(ours).filter(action="member.joined").count() == 1
        others = (Client(), owner, support_web.browser(member(theirs, Role.VIEWER).user))
        assert [each.get(path).status_code for each in others] == [404] * 3
        assert browser.get(f"{path[:-2]}x/").status_code == 404
        Membership.objects.filter(user=rui, organisation=ours).delete()
        assert (browser.get(path).status_code, browser.post(path).status_code) == (404, 404)

    def test_somebody_else_who_has_the_link(self, ours: Organisation, theirs: Organisation, owner: Client) -> None:
        path, browser = invited(owner), support_web.browser(support_web.owner_of(theirs))
        assert "You are signed in as rui@example.net." in said(browser.get(path))
        browser.post(path)
        assert Membership.objects.filter(organisation=ours).count() == 1

    def test_whoever_invites_is_not_told_who_has_an_account(self, theirs: Organisation, owner: Client) -> None:
        pages = [
            owner.post(reverse("people"), {"email": email, "role": "viewer"}, follow=True)
            for email in ("rui@example.net", "nobody@example.net")
        ]
        texts = [said(page).replace("rui@", "x@").replace("nobody@", "x@") for page in pages]
        assert "The invitation is on its way." in texts[0]
        assert texts[1].count("x@example.net") >= 1
        assert len(mail.outbox) == 2

    def test_a_member_is_not_asked(self, ours: Organisation, owner: Client) -> None:
        page = owner.post(reverse("people"), {"email": "ANA@example.com", "role": "viewer"}, follow=True)
        assert ("This address belongs to a member already." in said(page), mail.outbox) == (True, [])

    def test_it_ends(self, owner: Client) -> None:
        path = invited(owner)
        Invitation.objects.everywhere().update(expires_at=timezone.now())
        assert (Client().get(path).status_code, Client().post(path, {"password": NEW}).status_code) == (404, 404)

    def test_taken_back(self, ours: Organisation, owner: Client) -> None:
        path = invited(owner)
        owner.post(reverse("invitation_revoke", args=[Invitation.objects.everywhere().get().pk]))
        assert Client().get(path).status_code == 404
        assert last(ours)[:2] == ("member.invitation-revoked", "nova@example.com")

    def test_taken_back_it_is_asked_again_no_sooner(
        self, ours: Organisation, owner: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invited(owner)
        owner.post(reverse("invitation_revoke", args=[Invitation.objects.everywhere().get().pk]))
        wanted = {"email": "NOVA@example.com", "role": "viewer"}
        assert "asked a moment ago" in said(owner.post(reverse("people"), wanted, follow=True))
        program = Program(key_of(support_web.owner_of(ours), "admin"))
        assert problem(program.send("POST", "/invitations", wanted))[:2] == (409, "Conflict")
        assert (len(mail.outbox), Invitation.objects.everywhere().count()) == (1, 0)
        monkeypatch.setattr("trinco.panel.accounts.invitations.AGAIN", timedelta(0))
        assert program.send("POST", "/invitations", wanted).status_code == 201

    def test_sent_again_the_link_of_before_is_dead(self, owner: Client) -> None:
        path, key = invited(owner), Invitation.objects.everywhere().get().pk
        again = reverse("invitation_resend", args=[key])
        assert "asked a moment ago" in said(owner.post(again, follow=True))
        Invitation.objects.everywhere().update(sent_at=timezone.now() - timedelta(minutes=2))
        owner.post(again)
        assert (len(mail.outbox), Client().get(path).status_code) == (2, 404)

    def test_a_mail_server_that_is_away(self, owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object) -> None:
            raise SMTPServerDisconnected

        monkeypatch.setattr(EmailBackend, "send_messages", away)
        page = owner.post(reverse("people"), {"email": "nova@example.com", "role": "viewer"}, follow=True)
        assert "The mail could not be sent." in said(page)
        assert Invitation.objects.everywhere().count() == 1

    def test_an_admin_is_offered_no_deed_on_an_owner(self, ours: Organisation) -> None:
        admin = member(ours, Role.ADMIN, "eva@example.org")
        owner = Membership.objects.exclude(pk=admin.pk).get(organisation=ours)
        page = support_web.browser(admin.user).get(f"/o/{ours.pk}/people/").content.decode()
        offered = [f"/people/{each.pk}/{deed}/" in page for each in (admin, owner) for deed in ("role", "remove")]
        assert offered == [True, True, False, False]

    def test_in_portuguese(self, owner: Client) -> None:
        owner.cookies["trinco_language"] = "pt-pt"
        with translation.override("en"):  # the request changes the language of this thread
            invited(owner)
        assert mail.outbox[-1].subject.startswith("Convite")

    def test_many_at_once_are_slowed_down(self, owner: Client) -> None:
        for number in range(25):
            owner.post(reverse("people"), {"email": f"n{number}@example.com", "role": "viewer"})
        assert len(mail.outbox) == 20


class TestSecondFactor:
    """Enforced MFA per organisation: a member without a second factor sets one up before anything else."""

    def demand(self, owner: Client, ours: Organisation) -> None:
        owner.post(reverse("organisation_settings"), {"name": ours.name, "mfa_required": "on"})

    def test_nothing_before_it(self, ours: Organisation, owner: Client) -> None:
        self.demand(owner, ours)
        assert last(ours)[2:] == ({"mfa_required": False}, {"mfa_required": True})
        for path in ("/", "/activity/", f"/o/{ours.pk}/people/"):
            assert owner.get(path)["Location"].endswith("/account/2fa/")
        assert "wants a second factor" in said(owner.get("/account/2fa/"))
        assert problem(owner.get("/api/v1/domains")) == (403, "Second factor wanted", None)

    def test_with_it_everything(self, ours: Organisation, owner: Client) -> None:
        user = support_web.owner_of(ours)
        self.demand(owner, ours)
        Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data={})
        assert owner.get("/").status_code == 302
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
        assert owner.get("/").status_code == 200
        assert "set up" in said(owner.get("/people/"))

    def test_a_providers_demand_holds_in_its_clients(self, ours: Organisation, owner: Client) -> None:
        client = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        Organisation.objects.filter(pk=ours.pk).update(mfa_required=True)
        assert owner.get(f"/o/{client.pk}/")["Location"].endswith("/account/2fa/")

    def test_an_admin_may_not_say_so(self, ours: Organisation) -> None:
        admin = support_web.browser(member(ours, Role.ADMIN).user)
        assert admin.post(reverse("organisation_settings"), {"name": "x"}).status_code == 403


class TestClients:
    """A provider sees all of its clients at once; a client sees itself alone."""

    @pytest.fixture
    def beta(self, ours: Organisation, owner: Client) -> Organisation:
        owner.post(reverse("client_add"), {"name": "Beta"})
        return Organisation.objects.get(name="Beta")

    def test_a_client_is_made(self, ours: Organisation, beta: Organisation) -> None:
        assert (beta.parent, last(ours)[:2], last(beta)[:2]) == (ours, *[("client.added", "Beta")] * 2)
        assert audit.verify(beta).broken is None

    def test_all_domains_with_their_client(self, ours: Organisation, beta: Organisation, owner: Client) -> None:
        support_panel.hosted(ours, "nosso.example")
        support_panel.hosted(beta, "cliente.example")
        root = f"/o/{ours.pk}/clients/"
        rows = owner.get(root).context["rows"]
        assert [(each.row.domain.name, each.row.domain.organisation.name, each.href) for each in rows] == [
            ("cliente.example", "Beta", f"/o/{beta.pk}/domains/cliente.example/"),
            ("nosso.example", "ana@example.com", f"/o/{ours.pk}/domains/nosso.example/"),
        ]
        found = [
            owner.get(root + query).context["rows"] for query in (f"?client={beta.pk}", "?q=nosso", "?client=99999999")
        ]
        assert [[each.row.domain.name for each in some] for some in found] == [
            ["cliente.example"],
            ["nosso.example"],
            [],
        ]

    def test_a_client_of_somebody_else_is_no_filter(
        self, owner: Client, beta: Organisation, theirs: Organisation
    ) -> None:
        support_panel.hosted(theirs, "alheio.example")
        page = owner.get(f"/clients/?client={theirs.pk}", follow=True)
        assert (page.context["rows"], b"alheio" in page.content) == ([], False)

    def test_the_way_to_each_by_name(self, ours: Organisation, beta: Organisation, owner: Client) -> None:
        page = owner.get(f"/o/{ours.pk}/organisations/?q=bet")
        assert [each.organisation.name for each in page.context["rows"]] == ["Beta"]
        assert f'href="/o/{beta.pk}/"' in page.content.decode()

    def test_a_clients_people_see_no_trace_of_others(self, ours: Organisation, beta: Organisation) -> None:
        people.add_client(provider=ours, name="Gamma", actor=support_panel.ANA)
        browser = support_web.browser(member(beta, Role.OWNER, "bia@example.org").user)
        texts = [browser.get(path).content.decode() for path in ("/", "/people/", "/organisations/")]
        assert [word for word in ("Gamma", "All clients", "Switch") for text in texts if word in text] == []
        assert browser.get("/clients/").status_code == 404

    @pytest.mark.parametrize("role", Role)
    def test_the_way_to_clients_is_there_for_all_of_the_provider(
        self, ours: Organisation, beta: Organisation, role: Role
    ) -> None:
        browser = support_web.browser(member(ours, role, "eva@example.org").user)
        page = browser.get(f"/o/{ours.pk}/").content.decode()
        assert [word in page for word in ("All clients", "Switch")] == [True, True]
        assert "Switch" in browser.get(f"/o/{beta.pk}/").content.decode()

    def test_who_has_two_memberships_can_go_from_either_to_the_other(
        self, ours: Organisation, theirs: Organisation
    ) -> None:
        person = member(ours, Role.VIEWER, "eva@example.org").user
        Membership.objects.create(organisation=theirs, user=person, role=Role.VIEWER)
        browser = support_web.browser(person)
        assert ["Switch" in browser.get(f"/o/{each.pk}/").content.decode() for each in (ours, theirs)] == [True, True]

    def test_no_client_of_a_client(self, beta: Organisation, owner: Client) -> None:
        assert owner.post(f"/o/{beta.pk}/clients/add/", {"name": "x"}).status_code == 404

    def test_which_organisations_a_person_may_see(self, ours: Organisation, beta: Organisation) -> None:
        client = member(beta, Role.VIEWER, "bia@example.org").user
        assert access.scope(support_web.owner_of(ours)) == {ours.pk, beta.pk}
        assert access.scope(client) == {beta.pk}

    def test_the_higher_role_counts(self, ours: Organisation, beta: Organisation) -> None:
        user = support_web.owner_of(ours)
        Membership.objects.create(organisation=beta, user=user, role=Role.VIEWER)
        found = access.access_to(user, beta.pk)
        assert found
        assert (found.role, found.provider) == (Role.OWNER, ours)
