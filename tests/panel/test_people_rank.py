"""Who lost a rank does nothing by it any more: neither by a link that is out, nor by a page that was open."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import support_web
from tests.panel.test_people import NEW, invited, last, member
from tests.support_panel import ANA

from trinco.panel.accounts import access, invitations, people, tokens
from trinco.panel.accounts.errors import RankTooHigh
from trinco.panel.accounts.models import Invitation, Membership, Organisation, Role

WANTED = invitations.Wanted("nova@example.com", Role.VIEWER)


@pytest.fixture
def owner(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


@pytest.fixture
def admin(ours: Organisation) -> Membership:
    return member(ours, Role.ADMIN)


class TestInvitationsOfThePast:
    """Nobody gives a role that is higher than their own (`roles.rank`), also not by a link of before."""

    def test_the_ones_of_whoever_is_removed_are_taken_back(self, owner: Client, admin: Membership) -> None:
        link = invited(support_web.browser(admin.user), "second@example.net", "admin")
        owner.post(reverse("member_remove", args=[admin.pk]))
        Client().post(link, {"password": NEW})
        assert (Invitation.objects.everywhere().count(), Membership.objects.count()) == (0, 1)

    def test_an_editor_sends_none(self, owner: Client, admin: Membership) -> None:
        invited(support_web.browser(admin.user), "second@example.net", "viewer")
        owner.post(reverse("member_role", args=[admin.pk]), {"role": "editor"})
        assert Invitation.objects.everywhere().count() == 0

    def test_one_that_was_left_opens_nothing(self, admin: Membership) -> None:
        link = invited(support_web.browser(admin.user), "second@example.net", "admin")
        Membership.objects.filter(pk=admin.pk).update(role=Role.EDITOR)
        Client().post(link, {"password": NEW})
        assert Membership.objects.filter(user__email="second@example.net").count() == 0


class TestWhatWasReadBefore:
    """Between the page and the deed somebody may have been removed: the deed asks again, holding the organisation."""

    def test_a_person_who_was_removed_meanwhile(self, ours: Organisation, admin: Membership) -> None:
        low = member(ours, Role.VIEWER, "vi@example.com")
        before = access.access_to(admin.user, ours.pk)
        assert before is not None
        admin.delete()
        with pytest.raises(RankTooHigh):
            people.change_role(membership=low, role=Role.ADMIN, access=before, actor=ANA)
        with pytest.raises(RankTooHigh):
            people.remove_member(membership=low, access=before, actor=ANA)
        with pytest.raises(RankTooHigh):
            invitations.invite(access=before, wanted=WANTED, actor=ANA)


class TestInvitationsOfOthers:
    """An invitation is written over by whoever could have sent it, and the log says what it was before."""

    @pytest.fixture(autouse=True)
    def of_an_owner(self, owner: Client) -> None:
        invited(owner, role="owner")
        Invitation.objects.everywhere().update(sent_at=timezone.now() - timedelta(minutes=5))

    def test_an_owners_stays_as_it_is(self, admin: Membership) -> None:
        support_web.browser(admin.user).post(reverse("people"), {"email": "nova@example.com", "role": "viewer"})
        assert Invitation.objects.everywhere().get().role == Role.OWNER

    def test_what_it_was_before(self, ours: Organisation, owner: Client) -> None:
        invited(owner, role="viewer")
        assert last(ours) == ("member.invited", "nova@example.com", {"role": "owner"}, {"role": "viewer"})


class TestTokensInClients:
    """Whoever is removed from a provider comes back by no key that they made in one of its clients."""

    def test_they_are_revoked(self, ours: Organisation, owner: Client, admin: Membership) -> None:
        client = people.add_client(provider=ours, name="Beta", actor=ANA)
        there = access.access_to(admin.user, client.pk)
        assert there is not None
        _token, key = tokens.create_token(membership=there, name="n", days=30, actor=ANA)
        owner.post(reverse("member_remove", args=[admin.pk]))
        Membership.objects.create(organisation=ours, user=admin.user, role=Role.VIEWER)
        assert tokens.member_by(key, timezone.now()) is None
