"""An organisation is closed by its provider or by its owner: what ends, what stays, and what has to be over first."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_api import Program, key_of
from tests.support_labels import labelled, proven

from trinco.core.names import Domain
from trinco.panel import closing
from trinco.panel.accounts import access, audit, idempotency, invitations, people, services
from trinco.panel.accounts.errors import OrganisationClosed, RankTooHigh
from trinco.panel.accounts.models import (
    ApiToken,
    AuditEntry,
    HostClaim,
    IdempotencyKey,
    Invitation,
    Label,
    Membership,
    Organisation,
    Role,
    TokenScope,
    User,
)
from trinco.panel.declared import present
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import HostedDomain, KeptAccess, State
from trinco.panel.policies import imports
from trinco.panel.policies.import_models import Ending, ImportLine
from trinco.panel.policies.import_places import places_of
from trinco.panel.reports.models import Recipient
from trinco.panel.webhooks.models import Webhook

NOTHING = {"people": 0, "invitations": 0, "tokens": 0, "webhooks": 0}


@pytest.fixture
def beta(ours: Organisation) -> Organisation:
    """A client of ours, with an owner."""
    made = people.add_client(provider=ours, name="Beta", actor=support_panel.ANA)
    support_web.person("eva@beta.example", made, Role.OWNER)
    return made


def staff(ours: Organisation) -> Client:
    return support_web.signed_in(support_web.owner_of(ours))


def acting(user: User, where: Organisation) -> access.Access:
    found = access.access_to(user, where.pk)
    assert found is not None
    return found


def shut(where: Organisation, by: User) -> closing.Ended:
    return closing.close(access=acting(by, where), actor=support_panel.ANA)


def said(answer: object) -> str:
    return support_web.text_of(answer)


class TestByItsProvider:
    """A provider closes a client; what it reads of it from then on is the log."""

    def test_on_the_page(self, ours: Organisation, beta: Organisation) -> None:
        client = staff(ours)
        page = said(client.get(f"/o/{beta.pk}/people/organisation/close/"))
        assert "Close Beta?" in page
        assert "1 person is no longer a member." in page
        answer = client.post(f"/o/{beta.pk}/people/organisation/close/")
        assert answer["Location"] == f"/o/{ours.pk}/clients/closed/"
        assert "Beta is closed." in said(client.get(answer["Location"]))
        assert client.get(f"/o/{beta.pk}/people/").status_code == 404
        assert support_web.browser(User.objects.get(email="eva@beta.example")).get(f"/o/{beta.pk}/").status_code == 404

    def test_by_the_api(self, ours: Organisation, beta: Organisation) -> None:
        key = key_of(support_web.owner_of(ours), TokenScope.ADMIN)
        there = f"/o/{beta.pk}/api/v1/organisation"
        headers = {"Authorization": f"Bearer {key}"}
        tried = Client().delete(f"{there}?dry_run=true", headers=headers)
        assert (tried.json(), Organisation.objects.get(pk=beta.pk).closed_at) == ({**NOTHING, "people": 1}, None)
        assert Client().delete(there, headers=headers).json() == {**NOTHING, "people": 1}
        assert Client().delete(there, headers=headers).status_code == 404
        program = Program(key)
        assert program.json("/clients")["rows"] == []
        (row,) = program.json("/clients/closed")["rows"]
        assert (row["id"], row["name"]) == (beta.pk, "Beta")

    def test_both_logs_tell_of_it_and_its_own_ends_with_it(self, ours: Organisation, beta: Organisation) -> None:
        shut(beta, support_web.owner_of(ours))
        last = AuditEntry.objects.of(beta).order_by("-number")[0]
        assert (last.action, last.subject, last.before) == ("organisation.closed", "Beta", {**NOTHING, "people": 1})
        assert AuditEntry.objects.of(ours).filter(action="client.closed", subject="Beta").count() == 1
        with pytest.raises(OrganisationClosed), transaction.atomic():
            services.record(organisation=beta, actor=support_panel.ANA, action="x", subject="x")
        verdict = audit.verify(beta)
        assert (verdict.broken, verdict.lines) == (None, last.number)

    def test_its_log_stays_readable(self, ours: Organisation, beta: Organisation) -> None:
        shut(beta, support_web.owner_of(ours))
        client = staff(ours)
        pages = f"/o/{ours.pk}/clients/closed/{beta.pk}/activity."
        lines = b"".join(client.get(f"{pages}jsonl")).decode().splitlines()
        assert [json.loads(line)["action"] for line in lines] == ["client.added", "organisation.closed"]
        assert client.get(f"{pages}xml").status_code == 404
        program = Program(key_of(support_web.owner_of(ours)))
        assert b"".join(program.get(f"/clients/closed/{beta.pk}/activity.jsonl")).decode().splitlines() == lines

    def test_another_provider_finds_nothing(self, ours: Organisation, beta: Organisation, theirs: Organisation) -> None:
        shut(beta, support_web.owner_of(ours))
        stranger = support_web.browser(support_web.owner_of(theirs))
        assert stranger.get(f"/clients/closed/{beta.pk}/activity.csv").status_code == 404
        assert "Beta" not in said(stranger.get("/clients/closed/"))
        program = Program(key_of(support_web.owner_of(theirs)))
        assert program.get(f"/clients/closed/{beta.pk}/activity.csv").status_code == 404
        assert program.json("/clients/closed")["rows"] == []


class TestWhatItWantedFirst:
    """What a client wanted of its provider's people before they saw anything, its log wants when it is closed."""

    @pytest.fixture
    def tim(self, ours: Organisation) -> User:
        return support_web.person("tim@example.com", ours, Role.ADMIN)

    def test_a_second_factor(self, ours: Organisation, beta: Organisation, tim: User) -> None:
        there = self._closed(ours, beta, mfa_required=True)
        client = support_web.browser(tim)
        assert client.get(there)["Location"] == reverse("mfa_index")
        page = client.get(reverse("clients_closed"))
        assert ("A second factor or single sign-on first" in said(page), ">CSV<" in page.content.decode()) == (
            True,
            False,
        )
        program = Program(key_of(tim))
        assert program.get(f"/clients/closed/{beta.pk}/activity.jsonl").json()["type"].endswith("/second-factor")
        Authenticator.objects.create(user=tim, type=Authenticator.Type.TOTP, data={})
        assert client.get(there).status_code == 200
        assert ">CSV<" in client.get(reverse("clients_closed")).content.decode()
        assert program.get(f"/clients/closed/{beta.pk}/activity.jsonl").status_code == 200

    def test_single_sign_on(self, ours: Organisation, beta: Organisation, tim: User) -> None:
        there = self._closed(ours, beta, sso_required=True)
        client = support_web.browser(tim)
        assert client.get(there).status_code == 403  # there is no provider here
        answer = client.get(f"/api/v1/clients/closed/{beta.pk}/activity.jsonl")
        assert (answer.status_code, answer.json()["type"].endswith("/single-sign-on")) == (403, True)
        assert staff(ours).get(there).status_code == 200  # owners are excepted

    def _closed(self, ours: Organisation, beta: Organisation, **wanted: bool) -> str:
        Organisation.objects.filter(pk=beta.pk).update(**wanted)
        shut(beta, User.objects.get(email="eva@beta.example"))
        return reverse("client_closed_log", args=[beta.pk, "jsonl"])


class TestByItsOwner:
    def test_a_client(self, ours: Organisation, beta: Organisation) -> None:
        eva = support_web.signed_in(User.objects.get(email="eva@beta.example"))
        assert "the people of ana@example.com go on reading it" in said(eva.get(reverse("organisation_close")))
        answer = eva.post(reverse("organisation_close"), follow=True)
        assert "You belong to no organisation." in said(answer)
        assert Organisation.objects.get(pk=beta.pk).former_parent == ours

    def test_a_provider_without_clients(self, ours: Organisation, beta: Organisation) -> None:
        proven(labelled(ours))
        client = staff(ours)
        there = f"/o/{ours.pk}/people/organisation/close/"
        assert "1 client Close each of them first." in said(client.get(there))
        assert "1 client Close each of them first." in said(client.post(there))
        shut(beta, support_web.owner_of(ours))
        assert client.post(there).status_code == 302
        assert (Label.objects.exists(), HostClaim.objects.everywhere().exists()) == (False, False)

    def test_an_admin_may_not(self, ours: Organisation, beta: Organisation) -> None:
        admin = support_web.person("tim@example.com", ours, Role.ADMIN)
        there = f"/o/{beta.pk}/people/organisation/close/"
        assert support_web.browser(admin).post(there).status_code == 403

    def test_a_browser_that_was_left_alone_is_asked_first(self, ours: Organisation) -> None:
        answer = support_web.browser(support_web.owner_of(ours)).post(reverse("organisation_close"))
        assert (answer.status_code, "reauthenticate" in answer["Location"]) == (302, True)
        session = support_web.browser(support_web.owner_of(ours)).delete("/api/v1/organisation")
        assert (session.status_code, Organisation.objects.get(pk=ours.pk).closed_at) == (403, None)


class TestFirst:
    """Leaving is a state with a date: nothing that some sender may still hold is forgotten (RFC 8461 section 8.3)."""

    def test_what_is_hosted_is_named_with_the_way_out(self, ours: Organisation, domain: HostedDomain) -> None:
        client = staff(ours)
        page = client.post(reverse("organisation_close"))
        assert f'href="{reverse("leave", args=[domain.name])}"' in page.content.decode()
        problem = Program(key_of(support_web.owner_of(ours), TokenScope.ADMIN)).send("DELETE", "/organisation")
        assert (problem.status_code, problem.json()["domains"]) == (409, [domain.name])
        for state in (State.LIVE, State.LEAVING):
            HostedDomain.objects.everywhere().update(state=state)
            assert closing.hindrances(ours) is not None
        HostedDomain.objects.everywhere().update(state=State.GONE)
        assert closing.hindrances(ours) is None

    def test_an_import_that_runs(self, ours: Organisation) -> None:
        job = imports.start(organisation=ours, text="um.example", actor=support_panel.ANA)
        assert "An import that runs" in said(staff(ours).get(reverse("organisation_close")))
        imports.stop(job=job, actor=support_panel.ANA)
        assert closing.hindrances(ours) is None

    def test_its_providers_list_finds_it_no_more(self, ours: Organisation, beta: Organisation) -> None:
        owner = support_web.owner_of(ours)
        text = "domain;organisation\num.example;Beta\ndois.example;ana@example.com\n"
        imports.start(organisation=ours, text=text, actor=support_panel.ANA, places=places_of(acting(owner, ours)))
        shut(beta, owner)
        imports.imports_due(timezone.now())
        lines = ImportLine.objects.everywhere().order_by("number")
        assert [(line.name, line.ending, line.detail) for line in lines] == [
            ("um.example", Ending.CLIENT, "Beta"),
            ("dois.example", Ending.ADDED, ""),
        ]


class TestWhatEnds:
    def test_everything_that_opens_or_tells(self, ours: Organisation, domain: HostedDomain) -> None:
        owner = support_web.owner_of(ours)
        key = key_of(owner, TokenScope.ADMIN)
        Webhook.objects.of(ours).create(organisation=ours, name="x", url="https://hook.example.com/")
        Recipient.objects.everywhere().create(domain=domain, address="eva@example.net", created_by="ana")
        KeptAccess.objects.everywhere().create(domain=domain, provider="x", sealed_key=b"x", kept_by="ana")
        facts = {"email": "nova@example.com", "role": Role.VIEWER, "digest": "0" * 64, "invited_by": "ana"}
        Invitation.objects.everywhere().create(organisation=ours, expires_at=timezone.now(), **facts)
        HostedDomain.objects.everywhere().update(state=State.GONE)
        assert shut(ours, owner) == closing.Ended(people=1, invitations=1, tokens=1, webhooks=1)
        assert Program(key).get("/domains").status_code == 401
        left: list[Any] = [Webhook, Recipient, KeptAccess, Invitation]
        assert [model.objects.everywhere().count() for model in left] == [0, 0, 0, 0]
        assert (Membership.objects.count(), ApiToken.objects.everywhere().filter(revoked_at=None).count()) == (0, 0)

    def test_a_request_that_is_under_way_ends_without_its_key(self, ours: Organisation, beta: Organisation) -> None:
        owner = support_web.owner_of(ours)
        key = idempotency.claim(access=acting(owner, beta), key="x", request=b"x").row
        shut(beta, owner)
        idempotency.settle(row=key, status=201, headers={}, body=b"{}")
        idempotency.cut_off(row=key)
        idempotency.release(row=key)
        assert not IdempotencyKey.objects.everywhere().exists()

    def test_who_acted_there_meanwhile_finds_nothing(self, ours: Organisation, beta: Organisation) -> None:
        owner = support_web.owner_of(ours)
        there = acting(owner, beta)
        shut(beta, owner)
        with pytest.raises(OrganisationClosed):
            domains.add(organisation=beta, name=Domain.parse("um.example"), actor=support_panel.ANA)
        assert not HostedDomain.objects.of(beta).exists()
        wanted = invitations.Wanted("nova@example.com", Role.VIEWER)
        with pytest.raises(RankTooHigh):
            invitations.invite(wanted=wanted, access=there, actor=support_panel.ANA)

    def test_a_file_of_what_is_hosted_says_nothing_of_it(self, ours: Organisation, beta: Organisation) -> None:
        shut(beta, support_web.owner_of(ours))
        told, _left_out = present.declaration(Organisation.objects.all())
        assert [(each.name, each.clients) for each in told.organisations] == [(ours.name, ())]
        assert present.found("Beta", ours) is None
        assert present.found("Beta", None) is None


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_a_line_of_the_log_waits_for_nobody_who_holds_the_organisation(self) -> None:
        """Else whoever holds the chain's end and whoever holds the organisation would wait for each other."""
        if connection.vendor != "postgresql":
            return  # SQLite has one writer
        ours = support_panel.organisation()
        written = threading.Event()

        def write() -> None:
            services.record(organisation=ours, actor=support_panel.ANA, action="x", subject="x")
            written.set()
            connection.close()

        with transaction.atomic():
            people._lock(ours.pk)
            other = threading.Thread(target=write)
            other.start()
            assert written.wait(60)
        other.join()
