"""Deeds on organisations and people that meet: nobody waits in a circle, and nobody is lost between two of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, models, transaction
from django.http import Http404
from tests import support_panel, support_web
from tests.support_api import key_of
from tests.support_labels import labelled, proven

from trinco.panel import closing
from trinco.panel.accounts import audit, invitations, leaving, people, services
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import AccountGone, InvitationRefused, LastOwner
from trinco.panel.accounts.models import (
    ApiToken,
    AuditEntry,
    HostClaim,
    Invitation,
    Label,
    Membership,
    Organisation,
    Role,
    User,
)
from trinco.panel.domains import filters
from trinco.panel.domains.tag_models import SavedFilter
from trinco.panel.webhooks.models import Webhook


def beside(deed: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Begin the deed on a connection of its own; what came of it stands in the list."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(deed())
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            ended.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended


def wait_for_its_lock() -> None:
    """Until the other connection waits for one of our locks."""
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    for _ in range(6000):
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def while_it_ends(
    monkeypatch: pytest.MonkeyPatch, user: User, deed: Callable[[], object]
) -> tuple[list[object], list[object]]:
    """What comes of the end of an account, and of a deed that begins when its person has left everywhere."""
    leaves, goes_on, leave = threading.Event(), threading.Event(), people.leave

    def slowly(**facts: Any) -> None:
        leave(**facts)
        leaves.set()
        goes_on.wait(60)

    monkeypatch.setattr(people, "leave", slowly)
    ending, ended = beside(lambda: leaving.delete_account(user=user, source=""))
    assert leaves.wait(60)
    doing, done = beside(deed)
    wait_for_its_lock()
    goes_on.set()
    ending.join()
    doing.join()
    return ended, done


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """On PostgreSQL: SQLite has one writer."""

    def test_a_filter_is_saved_while_a_line_is_written(self) -> None:
        if connection.vendor != "postgresql":
            return
        ours = support_panel.organisation()
        facts = {"organisation": ours, "actor": support_panel.ANA}
        with transaction.atomic():
            audit.hold([ours.pk])
            other, ended = beside(lambda: filters.save(name="Norte", asked={"show": "bad"}, **facts))  # type: ignore[arg-type]
            wait_for_its_lock()
            services.record(action="x", subject="x", **facts)  # type: ignore[arg-type]
        other.join()
        assert isinstance(ended[0], SavedFilter)

    @pytest.mark.parametrize("model", [Webhook, ApiToken, HostClaim, Label])
    def test_it_is_closed_while_something_of_it_changes(self, model: Any) -> None:
        """Whoever changes a webhook holds that first, and the log's end then; so does the worker."""
        if connection.vendor != "postgresql":
            return
        ours = support_panel.organisation()
        owner = support_web.owner_of(ours)
        key_of(owner)
        Webhook.objects.everywhere().create(organisation=ours, name="x", url="https://hook.example.com/")
        proven(labelled(ours))
        there = access_to(owner, ours.pk)
        assert there is not None
        with transaction.atomic():
            list(models.QuerySet(model).select_for_update())
            other, ended = beside(lambda: closing.close(access=there, actor=support_panel.ANA))
            wait_for_its_lock()
            services.record(organisation=ours, actor=support_panel.ANA, action="x", subject="x")
        other.join()
        assert ended == [closing.Ended(people=1, invitations=0, tokens=1, webhooks=1)]

    def test_of_two_owners_who_go_at_once_one_stays(self) -> None:
        if connection.vendor != "postgresql":
            return
        ours = support_panel.organisation()
        support_web.person("eva@example.com", ours, Role.OWNER)
        ana, eva = Membership.objects.filter(organisation=ours).order_by("pk")
        with transaction.atomic():
            people._lock(ours.pk)
            one, left = beside(lambda: people.leave(membership=ana, actor=support_panel.ANA))
            other, deleted = beside(lambda: leaving.delete_account(user=eva.user, source=""))
            wait_for_its_lock()
        one.join()
        other.join()
        assert sorted(type(each[0]) is LastOwner for each in (left, deleted)) == [False, True]
        assert Membership.objects.filter(organisation=ours, role=Role.OWNER).count() == 1

    def test_nobody_becomes_an_owner_while_their_account_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else an organisation would lose its owner with the account, and nothing would say so."""
        if connection.vendor != "postgresql":
            return
        eva = support_web.person("eva@example.com", support_panel.organisation(), Role.VIEWER)
        theirs = Organisation.objects.create(name="Theirs")
        facts = {"organisation": theirs, "user": eva, "role": Role.OWNER}
        ended, joined = while_it_ends(monkeypatch, eva, lambda: Membership.objects.create(**facts))
        assert (ended, type(joined[0]), User.objects.filter(pk=eva.pk).exists()) == ([None], IntegrityError, False)

    def test_who_joins_while_their_account_ends_is_told_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if connection.vendor != "postgresql":
            return
        eva = support_web.person("eva@example.com", support_panel.organisation(), Role.VIEWER)
        token, theirs = asked_to_theirs()
        ended, joined = while_it_ends(monkeypatch, eva, lambda: invitations.join(token=token, user=eva, source=""))
        assert (ended, type(joined[0])) == ([None], AccountGone)
        assert (Invitation.objects.of(theirs).count(), Membership.objects.filter(organisation=theirs).count()) == (1, 1)

    def test_who_joins_first_leaves_there_as_well(self) -> None:
        """The account's end waits for whoever joins, and finds what they joined."""
        if connection.vendor != "postgresql":
            return
        eva = support_web.person("eva@example.com", support_panel.organisation(), Role.VIEWER)
        token, theirs = asked_to_theirs()
        with transaction.atomic():
            invitations.join(token=token, user=eva, source="")
            ending, ended = beside(lambda: leaving.delete_account(user=eva, source=""))
            wait_for_its_lock()
        ending.join()
        assert (ended, User.objects.filter(pk=eva.pk).exists()) == ([None], False)
        assert list(AuditEntry.objects.of(theirs).order_by("number").values_list("action", flat=True)) == [
            "member.invited",
            "member.joined",
            "member.left",
        ]

    @pytest.mark.parametrize("anew", [False, True])
    def test_of_two_who_accept_at_once_one_does(self, anew: bool) -> None:
        if connection.vendor != "postgresql":
            return
        ours = support_panel.organisation()
        token, theirs = asked_to_theirs()
        eva = None if anew else support_web.person("eva@example.com", ours, Role.VIEWER)
        with transaction.atomic():
            people._lock(theirs.pk)
            both = [beside(lambda: accepted(token, eva)) for _ in range(2)]
            wait_for_its_lock()
        for thread, _ended in both:
            thread.join()
        assert sorted(type(ended[0]) is InvitationRefused for _thread, ended in both) == [False, True]
        assert Membership.objects.filter(organisation=theirs, user__email="eva@example.com").count() == 1

    def test_who_joins_what_is_being_closed_finds_a_dead_link(self) -> None:
        if connection.vendor != "postgresql":
            return
        token, theirs = asked_to_theirs()
        there = access_to(support_web.owner_of(theirs), theirs.pk)
        assert there is not None
        with transaction.atomic():
            closing.close(access=there, actor=support_panel.ANA)
            joining, joined = beside(lambda: accepted(token, None))
            wait_for_its_lock()
        joining.join()
        assert (type(joined[0]), User.objects.filter(email="eva@example.com").exists()) == (InvitationRefused, False)

    def test_who_leaves_while_being_removed_is_gone_once(self) -> None:
        if connection.vendor != "postgresql":
            return
        ours = support_panel.organisation()
        eva = support_web.person("eva@example.com", ours, Role.VIEWER)
        row = Membership.objects.get(user=eva)
        there = access_to(support_web.owner_of(ours), ours.pk)
        assert there is not None
        with transaction.atomic():
            people.remove_member(membership=row, access=there, actor=support_panel.ANA)
            one, left = beside(lambda: people.leave(membership=row, actor=support_panel.ANA))
            other, deleted = beside(lambda: leaving.delete_account(user=eva, source=""))
            wait_for_its_lock()
        one.join()
        other.join()
        assert (type(left[0]), deleted, User.objects.filter(pk=eva.pk).exists()) == (Http404, [None], False)
        assert [each.action for each in AuditEntry.objects.of(ours)] == ["member.removed"]


def asked_to_theirs() -> tuple[str, Organisation]:
    """The token of an invitation to Eva, and where it leads."""
    theirs = support_panel.organisation("rui@example.net")
    there = access_to(support_web.owner_of(theirs), theirs.pk)
    assert there is not None
    wanted = invitations.Wanted("eva@example.com", Role.VIEWER)
    invitations.invite(access=there, wanted=wanted, actor=Actor("rui@example.net", ""))
    return str(mail.outbox[-1].body).partition("/invitations/")[2].partition("/")[0], theirs


def accepted(token: str, eva: User | None) -> object:
    if eva is None:
        return invitations.join_anew(token=token, password=None, source="")
    return invitations.join(token=token, user=eva, source="")
