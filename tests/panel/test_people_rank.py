"""Who lost a rank does nothing by it any more: neither by a link that is out, nor by a page that was open."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from tests import support_web
from tests.panel.test_people import NEW, invited, member
from tests.support_panel import ANA

from trinco.panel.accounts import access, invitations, people
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
