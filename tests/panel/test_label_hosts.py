"""The host of a label: what was made there counts there, and what strangers ask of it costs little."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_checks import customers
from tests.support_labels import HOST, at, client_of, labelled, proven
from tests.support_panel import ANA

from trinco.core.names import Domain
from trinco.panel.accounts import labels, tokens
from trinco.panel.accounts.models import HostClaim, Label, Membership, Organisation, User
from trinco.panel.checks import label_hosts

OTHER = "tls.outro.example"
PANEL = "testserver"
AJAX = {"x-requested-with": "XMLHttpRequest"}


def key_of(user: User) -> dict[str, str]:
    """The header of a token of this person."""
    member = Membership.objects.get(user=user)
    return {"authorization": f"Bearer {tokens.create_token(membership=member, name='x', days=30, actor=ANA)[1]}"}


def moved(client: Client, host: str) -> Client:
    """Another browser with the same cookies, in front of this host."""
    made = at(host)
    made.cookies = copy.deepcopy(client.cookies)
    return made


class TestSessions:
    """Issue 5: the label never leaks. Whoever leads its host to a server of theirs gets cookies that open that host
    and nothing else."""

    @pytest.mark.parametrize("host", [HOST, OTHER, PANEL])
    def test_open_the_host_where_they_were_made(self, ours: Organisation, theirs: Organisation, host: str) -> None:
        proven(labelled(ours))
        proven(labelled(theirs, "Outro"), OTHER)
        person = support_web.owner_of(ours)
        Membership.objects.create(user=person, organisation=theirs, role="owner")
        client = at(host)
        form = {"login": person.email, "password": support_panel.PASSWORD}
        assert client.post("/account/login/", form).status_code == 302
        codes = {each: moved(client, each).get("/account/email/").status_code for each in (HOST, OTHER, PANEL)}
        assert codes == {each: 200 if each == host else 302 for each in (HOST, OTHER, PANEL)}

    def test_one_from_before_there_were_doors_is_the_panel_s(self, ours: Organisation) -> None:
        proven(labelled(ours))
        client = support_web.browser(support_web.owner_of(ours))
        assert [moved(client, each).get("/account/email/").status_code for each in (PANEL, HOST)] == [200, 302]

    def test_a_form_of_one_host_does_nothing_at_another(self, ours: Organisation, settings: Any) -> None:
        label = proven(labelled(ours))
        client = at(PANEL)
        client.handler.enforce_csrf_checks = True
        client.get("/account/login/")
        form = {"theme": "dark", "csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value}
        origins = (labels.root(label), labels.root(None))
        assert [client.post("/theme/", form, headers={"origin": each}).status_code for each in origins] == [403, 302]

    def test_a_passkey_is_of_the_host(self, ours: Organisation) -> None:
        proven(labelled(ours))
        answers = [at(each).get("/account/2fa/webauthn/login/", headers=AJAX) for each in (HOST, PANEL)]
        assert [each.json()["request_options"]["publicKey"]["rpId"] for each in answers] == [HOST, PANEL]


class TestProgramsThere:
    """Behind such a door there is its provider with its clients, and nobody else: by the API as well."""

    def test_by_a_token(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        client, eva = client_of(ours)
        owner, stranger = key_of(support_web.owner_of(ours)), key_of(support_web.owner_of(theirs))
        asked = [(owner, ""), (owner, f"/o/{client.pk}"), (key_of(eva), ""), (stranger, ""), (stranger, "/o/0")]
        answers = [at(HOST).get(f"{where}/api/v1/organisation", headers=key).status_code for key, where in asked]
        assert answers == [200, 200, 200, 404, 404]

    def test_by_a_session(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        person = support_web.owner_of(theirs)
        there = f"/o/{theirs.pk}/api/v1/organisation"
        assert [at(HOST, person).get(each).status_code for each in ("/api/v1/organisation", there)] == [403, 404]
        Membership.objects.create(user=person, organisation=ours, role="viewer")
        answer = at(HOST, person).get("/api/v1/organisation")
        assert (answer.status_code, answer.json()["name"]) == (200, ours.name)


class TestCosts:
    """Strangers ask for names without end: each costs one look-up by a key."""

    def test_a_name_that_is_nobody_s(self, db: None, django_assert_num_queries: Any) -> None:
        for path, host in (("/account/login/", OTHER), (f"/ask?domain={OTHER}", PANEL)):
            with django_assert_num_queries(1):
                assert at(host).get(path).status_code in (400, 404)


class TestAtOnce:
    def test_two_proofs_in_one_moment(
        self, ours: Organisation, theirs: Organisation, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The table takes one, and the worker goes on."""
        mine, other = labelled(ours), labelled(theirs, "Outro")
        claim = labels.claim(organisation=ours, name=Domain.parse(HOST), actor=ANA)
        give = labels._give

        def late(label: Label, row: HostClaim, texts: Any) -> bool:
            monkeypatch.setattr(labels, "_give", give)
            Label.objects.filter(pk=other.pk).update(host=HOST)
            label.host = row.host
            label.save(update_fields=["host"])
            return True

        monkeypatch.setattr(labels, "_give", late)
        name, text = labels.proof(claim)
        with customers(settings, {"provedor.example": f'{name}. TXT "{text}"\n'}):
            assert [label_hosts.look_due(timezone.now()) for _ in range(2)] == [1, 0]
            HostClaim.objects.everywhere().update(due_at=timezone.now() - timedelta(days=1))
            assert label_hosts.look_due(timezone.now()) == 1
        assert labels.at(HOST) == mine


class TestTheHostEnds:
    """By a deed that was done at the very host: nothing answers there any more, so that the page leads elsewhere."""

    @pytest.mark.parametrize("name", ["label_remove", "label_host_remove", "label_host", "organisation_close"])
    def test_the_way_leads_to_the_panel_s(self, ours: Organisation, name: str) -> None:
        proven(labelled(ours))
        there = at(HOST, support_web.owner_of(ours))
        there.post(reverse("account_reauthenticate"), {"password": support_panel.PASSWORD})
        answer = there.post(reverse(name), {"host": "outro.provedor.example"})
        assert answer.status_code == 200
        assert answer["Refresh"].startswith("0; url=http://127.0.0.1:8080/")
        assert "The pages are no longer at this address." in support_web.text_of(answer)
        assert there.get("/").status_code == 400

    def test_at_the_panel_s_they_stay_there(self, ours: Organisation) -> None:
        proven(labelled(ours))
        answer = support_web.browser(support_web.owner_of(ours)).post(reverse("label_host_remove"))
        assert answer["Location"] == reverse("label")
