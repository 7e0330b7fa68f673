"""A person goes by themselves: out of an organisation, or altogether."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.urls import reverse
from tests import support_panel, support_web
from tests.support_api import Program, key_of, problem
from tests.support_labels import HOST, at, client_of, labelled, proven

from trinco.panel.accounts import audit, invitations, leaving, people, tokens
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import AccountGone
from trinco.panel.accounts.models import AuditEntry, Identity, Invitation, Membership, Organisation, Role, User

EVA = "eva@example.com"


@pytest.fixture
def eva(ours: Organisation) -> User:
    return support_web.person(EVA, ours, Role.VIEWER)


def said(answer: object) -> str:
    return support_web.text_of(answer)


def way_out(user: User) -> str:
    return reverse("leave_organisation", args=[Membership.objects.get(user=user).pk])


def lines(ours: Organisation) -> list[tuple[str, str]]:
    return list(AuditEntry.objects.of(ours).filter(action="member.left").values_list("actor", "subject"))


class TestLeaving:
    """A person can leave an organisation by themselves, but for its last owner."""

    def test_on_the_page(self, ours: Organisation, eva: User) -> None:
        key, client = key_of(eva), support_web.signed_in(eva)
        assert "ana@example.com Viewer" in said(client.get(reverse("belonging")))
        assert "Leave ana@example.com?" in said(client.get(way_out(eva)))
        answer = client.post(way_out(eva), follow=True)
        assert "You have left ana@example.com." in said(answer)
        assert "You belong to no organisation." in said(answer)
        assert (client.get("/activity/").status_code, Program(key).get("/domains").status_code) == (403, 401)
        assert lines(ours) == [(EVA, EVA)]

    def test_who_belongs_nowhere_is_told_so(self, ours: Organisation, eva: User) -> None:
        Membership.objects.filter(user=eva).delete()
        answer = support_web.browser(eva).get("/")
        assert "You belong to no organisation here." in said(answer)
        assert f'href="{reverse("belonging")}"' in answer.content.decode()
        Membership.objects.create(user=eva, organisation=ours, role=Role.VIEWER)
        assert "Your role does not allow this." in said(support_web.browser(eva).get("/people/"))

    def test_by_the_api(self, ours: Organisation, eva: User) -> None:
        reader = Program(key_of(eva))
        assert reader.send("POST", "/organisation/leave").status_code == 403
        owner = Program(key_of(support_web.owner_of(ours), "admin"))
        assert problem(owner.send("POST", "/organisation/leave")) == (409, "Conflict", None)
        Membership.objects.filter(user=eva).update(role=Role.OWNER)
        program = Program(key_of(eva, "admin"))
        assert [program.send("POST", "/organisation/leave").status_code for _ in range(2)] == [204, 401]

    def test_the_last_owner_stays(self, ours: Organisation) -> None:
        owner = support_web.owner_of(ours)
        answer = support_web.signed_in(owner).post(way_out(owner))
        assert "The organisation needs another owner first." in said(answer)
        assert Membership.objects.filter(user=owner).exists()

    def test_the_last_owner_is_offered_no_way_out(self, ours: Organisation, eva: User) -> None:
        owner = support_web.owner_of(ours)
        client, reason = support_web.signed_in(owner), "The only owner: make somebody else an owner first."
        pages = [client.get(each) for each in (reverse("belonging"), way_out(owner))]
        assert [way_out(owner) in each.content.decode() for each in pages[:1]] == [False]
        assert '<button class="btn danger"' not in pages[1].content.decode()
        assert reason in said(pages[0])
        assert "You are the only owner here." in said(pages[1])
        Membership.objects.filter(user=eva).update(role=Role.OWNER)
        page = client.get(reverse("belonging"))
        assert (way_out(owner) in page.content.decode(), reason in said(page)) == (True, False)

    def test_whoever_acts_for_a_provider_is_no_member(self, ours: Organisation) -> None:
        beta = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
        key = key_of(support_web.owner_of(ours), "admin")
        answer = Client().post(f"/o/{beta.pk}/api/v1/organisation/leave", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 404

    def test_who_was_asked_by_them_finds_a_dead_link(self, ours: Organisation, eva: User) -> None:
        Membership.objects.filter(user=eva).update(role=Role.ADMIN)
        client = support_web.signed_in(eva)
        client.post(reverse("people"), {"email": "nova@example.com", "role": "viewer"})
        client.post(way_out(eva))
        assert not Invitation.objects.of(ours).exists()

    def test_at_a_labels_host_there_is_what_is_behind_it(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        _client, person = client_of(ours)
        outside = Membership.objects.create(organisation=theirs, user=person, role=Role.VIEWER)
        there = at(HOST, person)
        page = said(there.get(reverse("belonging")))
        assert ("Cliente" in page, theirs.name in page) == (True, False)
        assert there.get(reverse("leave_organisation", args=[outside.pk])).status_code == 404
        assert "organisations that are not shown here" in said(there.get(reverse("delete_account")))


class TestTheAccount:
    """A person's whole account ends by their own hand; the log keeps their name as text."""

    def test_all_of_it_goes(self, ours: Organisation, theirs: Organisation, eva: User) -> None:
        Membership.objects.create(organisation=theirs, user=eva, role=Role.EDITOR)
        client, other, key = support_web.signed_in(eva), support_web.signed_in(eva), key_of_first(eva, ours)
        Authenticator.objects.create(user=eva, type=Authenticator.Type.RECOVERY_CODES, data={})
        Identity.objects.create(user=eva, issuer="https://id.example", subject="7")
        assert "go on saying what you did" in said(client.get(reverse("delete_account")))
        answer = client.post(reverse("delete_account"), follow=True)
        assert "Your account is deleted." in said(answer)
        assert (other.get("/activity/").status_code, Program(key).get("/domains").status_code) == (302, 401)
        gone = [User.objects.filter(email=EVA), EmailAddress.objects.filter(email=EVA)]
        gone += [Authenticator.objects.all(), Identity.objects.all()]
        assert [rows.exists() for rows in gone] == [False] * 4
        assert [lines(each) for each in (ours, theirs)] == [[(EVA, EVA)]] * 2
        assert [audit.verify(each).broken for each in (ours, theirs)] == [None, None]
        assert EVA in said(support_web.browser(support_web.owner_of(ours)).get("/activity/"))

    def test_a_mail_says_so(self, ours: Organisation, eva: User) -> None:
        support_web.signed_in(eva).post(reverse("delete_account"), headers={"user-agent": "Kopf/7"})
        sent = mail.outbox[-1]
        assert (sent.to, sent.subject) == ([EVA], "[Trinco] Your account is deleted")
        assert f"The account {EVA} was deleted on 20" in sent.body
        assert "From the address 127.0.0.1, with the browser Kopf/7." in sent.body

    def test_a_mail_in_portuguese_under_the_label(self, ours: Organisation, eva: User) -> None:
        labelled(ours)
        support_web.signed_in(eva).post(reverse("delete_account"), headers={"accept-language": "pt-pt"})
        assert mail.outbox[-1].subject == "[Correio Seguro] A sua conta foi eliminada"
        assert f"A conta {EVA} foi eliminada em 20" in mail.outbox[-1].body

    def test_a_mail_server_that_is_away_keeps_nobody(self, eva: User, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object) -> None:
            raise OSError("no route")

        monkeypatch.setattr("django.core.mail.EmailMessage.send", away)
        answer = support_web.signed_in(eva).post(reverse("delete_account"))
        assert (answer["Location"], User.objects.filter(email=EVA).exists()) == (reverse("account_login"), False)

    def test_an_account_that_stays_is_told_nothing(self, ours: Organisation) -> None:
        support_web.signed_in(support_web.owner_of(ours)).post(reverse("delete_account"))
        assert mail.outbox == []

    def test_who_was_removed_meanwhile_goes_from_elsewhere(
        self, ours: Organisation, theirs: Organisation, eva: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Membership.objects.create(organisation=theirs, user=eva, role=Role.EDITOR)
        leave = people.leave

        def late(*, membership: Membership, actor: Actor) -> None:
            if membership.organisation_id == ours.pk:
                Membership.objects.filter(pk=membership.pk).delete()
            leave(membership=membership, actor=actor)

        monkeypatch.setattr(people, "leave", late)
        support_web.signed_in(eva).post(reverse("delete_account"))
        assert not User.objects.filter(email=EVA).exists()
        assert [lines(each) for each in (ours, theirs)] == [[], [(EVA, EVA)]]

    def test_the_last_owner_is_told_where(self, ours: Organisation) -> None:
        owner = support_web.owner_of(ours)
        client = support_web.signed_in(owner)
        page = client.get(reverse("delete_account"))
        assert "You are the only owner here." in said(page)
        assert f'href="/o/{ours.pk}/people/"' in page.content.decode()
        assert "You are the only owner here." in said(client.post(reverse("delete_account")))
        assert User.objects.filter(pk=owner.pk).exists()

    def test_who_belongs_to_nobody_goes_as_well(self, eva: User) -> None:
        Membership.objects.filter(user=eva).delete()
        support_web.signed_in(eva).post(reverse("delete_account"))
        assert not User.objects.filter(email=EVA).exists()

    @pytest.mark.parametrize("name", ["delete_account", "leave_organisation"])
    def test_a_browser_that_was_left_alone_is_asked_first(self, eva: User, name: str) -> None:
        address = way_out(eva) if name == "leave_organisation" else reverse(name)
        answer = support_web.browser(eva).post(address)
        assert (answer.status_code, "reauthenticate" in answer["Location"]) == (302, True)
        assert Membership.objects.filter(user=eva).exists()

    def test_the_address_is_free_again(self, ours: Organisation, eva: User) -> None:
        support_web.signed_in(eva).post(reverse("delete_account"))
        assert support_web.person(EVA, ours).pk != eva.pk


class TestInTwoTabs:
    """Whose account ends in another tab gets an answer in this one, and nothing of it is left behind."""

    def asked(self, theirs: Organisation, eva: User) -> str:
        support_web.browser(support_web.owner_of(theirs)).post(reverse("people"), {"email": EVA, "role": "viewer"})
        return "/invitations/" + str(mail.outbox[-1].body).partition("/invitations/")[2].split()[0]

    def meanwhile(self, monkeypatch: pytest.MonkeyPatch, where: object, name: str, eva: User) -> None:
        """The account ends between the request's first look at it and this deed."""
        deed = getattr(where, name)

        def late(**facts: object) -> object:
            leaving.delete_account(user=User.objects.get(pk=eva.pk), source="")
            return deed(**facts)

        monkeypatch.setattr(where, name, late)

    def test_joining(self, theirs: Organisation, eva: User, monkeypatch: pytest.MonkeyPatch) -> None:
        address, client = self.asked(theirs, eva), support_web.browser(eva)
        self.meanwhile(monkeypatch, invitations, "join", eva)
        answer = client.post(address, follow=True)
        assert (answer.status_code, answer.redirect_chain) == (200, [(address, 302)])
        assert "Join" in said(answer)
        assert Invitation.objects.of(theirs).filter(email=EVA).exists()
        assert not Membership.objects.filter(organisation=theirs, user__email=EVA).exists()

    def test_a_new_token_on_the_page(self, eva: User, monkeypatch: pytest.MonkeyPatch) -> None:
        client = support_web.signed_in(eva)
        self.meanwhile(monkeypatch, tokens, "create_token", eva)
        assert client.post(reverse("tokens"), {"name": "x", "days": 30, "scope": "read"}).status_code == 404

    def test_a_new_token_by_the_api(self, eva: User, monkeypatch: pytest.MonkeyPatch) -> None:
        client = support_web.signed_in(eva)
        self.meanwhile(monkeypatch, tokens, "create_token", eva)
        answer = client.post("/api/v1/tokens", {"name": "x"}, content_type="application/json")
        assert problem(answer) == (404, "Not Found", None)

    def test_deleting_it(self, eva: User, monkeypatch: pytest.MonkeyPatch) -> None:
        client, sent = support_web.signed_in(eva), len(mail.outbox)
        deed = leaving.delete_account

        def twice(**facts: object) -> None:
            deed(**facts)  # type: ignore[arg-type]
            deed(**facts)  # type: ignore[arg-type]

        monkeypatch.setattr(leaving, "delete_account", twice)
        assert client.post(reverse("delete_account"))["Location"] == reverse("account_login")
        assert len(mail.outbox) == sent

    def test_a_deed_says_what_is_the_case(self, theirs: Organisation, eva: User) -> None:
        token = self.asked(theirs, eva).split("/")[2]
        leaving.delete_account(user=User.objects.get(pk=eva.pk), source="")
        with pytest.raises(AccountGone):
            invitations.join(token=token, user=eva, source="")


def key_of_first(user: User, where: Organisation) -> str:
    membership = Membership.objects.get(user=user, organisation=where)
    return tokens.create_token(membership=membership, name="x", days=30, actor=support_panel.ANA)[1]
