"""An invitation under a label: its link is the panel's own, and who has joined goes on at the label's host."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from tests import support_web
from tests.support_labels import HOST, at, client_of, labelled, proven

from trinco.panel.accounts import labels
from trinco.panel.accounts.models import Invitation, Label, Membership, Organisation, Role, User

NOVA = "nova@example.com"
CHOSEN = {"password": "correct horse battery 9"}


@pytest.fixture
def label(ours: Organisation) -> Label:
    return proven(labelled(ours, logo=True))


def link(ours: Organisation, email: str = NOVA) -> str:
    """In the mail to the address, which the owner asks to join."""
    support_web.browser(support_web.owner_of(ours)).post("/people/", {"email": email, "role": "viewer"})
    found = re.search(r"https?://\S+/invitations/\S+", str(mail.outbox[-1].body))
    assert found
    return found[0]


def path(address: str) -> str:
    return "/invitations/" + address.partition("/invitations/")[2]


def led_to(answer: HttpResponse) -> str:
    """Where the page's only way goes on to, or the redirect. No clock runs out for whoever reads it (WCAG 2.2.1)."""
    assert "Refresh" not in answer
    ways = re.findall(r'<a class="btn primary wide" href="([^"]+)"', answer.content.decode())
    return answer.get("Location", "") or ways[0]


@pytest.mark.usefixtures("label")
class TestWhoHasTheHost:
    """Whoever has a label's host reads what is asked of it, and gets no account for a mailbox that is not theirs."""

    @pytest.mark.parametrize("again", [False, True])
    def test_no_mail_brings_the_link_to_them(self, ours: Organisation, again: bool, settings: object) -> None:
        asked = link(ours)
        if again:
            Invitation.objects.everywhere().update(sent_at="2020-01-01T00:00:00Z")
            key = Invitation.objects.everywhere().get().pk
            support_web.browser(support_web.owner_of(ours)).post(reverse("invitation_resend", args=[key]))
        assert asked.startswith(f"{settings.CONFIG.panel_url}/invitations/")  # type: ignore[attr-defined]
        hosts = [re.findall(rf"{HOST}\S*", str(each.body)) for each in mail.outbox]
        assert hosts == [[f"{HOST}:8080),"]] * (2 if again else 1)

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_at_that_host_nobody_joins(self, ours: Organisation, method: str) -> None:
        asked = link(ours)
        answer = getattr(at(HOST), method)(path(asked), CHOSEN)
        assert (answer.status_code, answer["Location"]) == (302, asked)
        assert not User.objects.filter(email=NOVA).exists()

    def test_a_session_made_there_joins_nobody(self, ours: Organisation, theirs: Organisation) -> None:
        asked, rui = link(ours, "rui@example.net"), support_web.owner_of(theirs)
        assert at(HOST, rui).post(path(asked))["Location"] == asked
        assert not Membership.objects.filter(user=rui, organisation=ours).exists()


class TestGoingOn:
    """The page is drawn as the label has it, and who has said yes goes on at the label's host."""

    def test_a_new_person(self, ours: Organisation, label: Label) -> None:
        asked, guest = path(link(ours)), Client()
        page = guest.get(asked)
        assert page.context["brand"].product == "Correio Seguro"
        assert f"/logo/{label.logo}.png" in page.content.decode()
        answer = guest.post(asked, CHOSEN)
        assert led_to(answer) == f"{labels.root(label)}/o/{ours.pk}/"
        assert f"You have joined {ours.name}." in support_web.text_of(answer)

    def test_a_label_without_a_host(self, ours: Organisation) -> None:
        labelled(ours)
        asked = link(ours)
        assert "The link leads to" not in str(mail.outbox[-1].body)
        assert led_to(Client().post(path(asked), CHOSEN)) == f"/o/{ours.pk}/"

    def test_who_belongs_to_others_too_stays(self, ours: Organisation, theirs: Organisation, label: Label) -> None:
        """Their password is not for that host to read."""
        asked, rui = path(link(ours, "rui@example.net")), support_web.owner_of(theirs)
        assert led_to(support_web.browser(rui).post(asked)) == f"/o/{ours.pk}/"

    def test_who_belongs_there_alone_and_has_no_passkey(self, ours: Organisation, label: Label) -> None:
        _made, eva = client_of(ours)
        asked = path(link(ours, eva.email))
        assert led_to(support_web.browser(eva).post(asked)) == f"{labels.root(label)}/o/{ours.pk}/"

    @pytest.mark.parametrize("way", ["passkey", "no password", "demand"])
    def test_who_could_not_sign_in_there_stays(self, ours: Organisation, label: Label, way: str) -> None:
        _made, eva = client_of(ours)
        asked = path(link(ours, eva.email))
        if way == "passkey":
            Authenticator.objects.create(user=eva, type=Authenticator.Type.WEBAUTHN, data={})
        elif way == "demand":
            Organisation.objects.filter(pk=ours.pk).update(sso_required=True)
        else:
            User.objects.filter(pk=eva.pk).update(password="!")
        assert led_to(support_web.browser(User.objects.get(pk=eva.pk)).post(asked)) == f"/o/{ours.pk}/"
        assert Membership.objects.get(user=eva, organisation=ours).role == Role.VIEWER
