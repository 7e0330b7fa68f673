"""Accounts, organisations, and the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.test import RequestFactory
from tests.support_panel import ANA, PASSWORD, organisation

from trinco.panel.accounts.actors import Actor, client_address, of
from trinco.panel.accounts.adapters import AccountAdapter, MfaAdapter
from trinco.panel.accounts.errors import AccountExists, EmailSyntaxError, NoMembership
from trinco.panel.accounts.models import AuditEntry, Membership, Organisation, Role, User
from trinco.panel.accounts.services import create_account, membership_of, record


@pytest.mark.django_db
class TestCreate:
    """One organisation per account to begin with; the address is confirmed, since an operator typed it."""

    def test_a_person_with_an_organisation(self):
        user = create_account(email=" Ana@Example.COM ", password=PASSWORD)
        membership = membership_of(user)
        address = EmailAddress.objects.get(user=user)
        assert (user.email, user.check_password(PASSWORD), user.is_staff) == ("ana@example.com", True, False)
        assert (membership.role, membership.organisation.name) == (Role.OWNER, "ana@example.com")
        assert (address.email, address.verified, address.primary) == ("ana@example.com", True, True)

    def test_twice_is_refused_whatever_the_case(self):
        create_account(email="ana@example.com", password=PASSWORD)
        with pytest.raises(AccountExists) as refusal:
            create_account(email="ANA@example.com", password=PASSWORD)
        assert refusal.value.email == "ana@example.com"
        assert User.objects.count() == Organisation.objects.count() == 1

    @pytest.mark.parametrize(
        "email", ["", "ana", "ana@", "a b@example.com", "ana@example.com\n@x.example", "ana@e\u2028.pt"]
    )
    def test_what_is_no_address_is_refused(self, email):
        with pytest.raises(EmailSyntaxError) as refusal:
            create_account(email=email, password=PASSWORD)
        assert refusal.value.source == email

    def test_joining_an_organisation(self):
        ours = organisation()
        user = create_account(email="bo@example.com", password=None, organisation=ours)
        assert (membership_of(user).organisation, membership_of(user).role) == (ours, Role.EDITOR)
        assert (Organisation.objects.count(), user.has_usable_password()) == (1, False)

    def test_the_first_membership_is_the_one(self):
        user = create_account(email="ana@example.com", password=PASSWORD)
        own = membership_of(user)
        Membership.objects.create(organisation=organisation("bo@example.com"), user=user)
        assert membership_of(user) == own

    def test_a_person_without_one(self):
        with pytest.raises(NoMembership):
            membership_of(User.objects.create_user("ana@example.com", PASSWORD))


@pytest.mark.django_db
class TestRecord:
    def test_an_audit_line(self):
        ours = organisation()
        line = record(organisation=ours, actor=ANA, action="policy.published", subject="a.example", after={"x": 1})
        assert AuditEntry.objects.of(ours).get() == line
        facts = (line.actor, line.source, line.action, line.subject, line.before, line.after, line.override)
        assert facts == ("ana@example.com", "192.0.2.7", "policy.published", "a.example", {}, {"x": 1}, False)

    def test_it_outlives_the_person(self):
        ours = organisation()
        record(organisation=ours, actor=ANA, action="domain.added", subject="a.example")
        User.objects.all().delete()
        assert AuditEntry.objects.of(ours).get().actor == "ana@example.com"


@pytest.mark.django_db
class TestSignUp:
    @pytest.mark.parametrize("allowed", [True, False])
    def test_only_where_the_configuration_says_so(self, rf, allowed, monkeypatch):
        monkeypatch.setattr(AccountAdapter, "get_client_ip", lambda *_: "192.0.2.1")
        monkeypatch.setattr(settings, "CONFIG", SimpleNamespace(signup=allowed))
        assert AccountAdapter().is_open_for_signup(rf.get("/")) is allowed

    def test_who_signs_up_gets_an_organisation(self, rf):
        form = SimpleNamespace(cleaned_data={"email": "nova@example.com", "password1": PASSWORD})
        user = AccountAdapter().save_user(rf.post("/"), User(), form)
        assert (membership_of(user).role, user.check_password(PASSWORD)) == (Role.OWNER, True)


class TestMfaSecrets:
    """A stolen database gives nobody a second factor."""

    def test_sealed_and_opened(self):
        sealed = MfaAdapter().encrypt("JBSWY3DPEHPK3PXP")
        assert "JBSWY3DPEHPK3PXP" not in sealed
        assert MfaAdapter().decrypt(sealed) == "JBSWY3DPEHPK3PXP"


class TestClientAddress:
    """X-Forwarded-For is believed from a proxy on this machine alone, and then its last hop only."""

    @pytest.fixture
    def behind_tls(self, monkeypatch):
        monkeypatch.setattr(settings, "CONFIG", SimpleNamespace(panel_url="https://panel.example"))

    @pytest.mark.parametrize(
        ("peer", "forwarded", "address"),
        [
            ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("::1", "203.0.113.9, 2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "192.0.2.1, rubbish", "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("198.51.100.3", "192.0.2.1", "198.51.100.3"),
            ("", "192.0.2.1", ""),
        ],
    )
    def test_behind_a_proxy(self, behind_tls, peer, forwarded, address):
        request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
        assert client_address(request) == address

    def test_without_one_the_header_is_the_client_s_own(self):
        request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1")
        assert client_address(request) == "127.0.0.1"

    def test_the_actor_of_a_request(self):
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
        request.user = User(email="ana@example.com")
        assert of(request) == Actor("ana@example.com", "192.0.2.7")
