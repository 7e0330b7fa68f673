"""The pages on which something ends, in every dress."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_browser import Visitor

from trinco.panel import closing
from trinco.panel.accounts import people
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.models import Membership, Organisation, Role

DRESSES = [(1360, False, "en"), (1360, True, "pt"), (390, False, "pt"), (390, True, "en")]


@pytest.mark.parametrize(("width", "dark", "language"), DRESSES)
def test_in_every_dress(
    ours: Organisation, visit: Callable[..., Visitor], width: int, dark: bool, language: str
) -> None:
    visitor, faults = visit(width=width, dark=dark, language=language).sign_in(), []
    support_web.ready(ours)
    theirs = support_panel.organisation("rui@example.net")
    owner = support_web.owner_of(ours)
    Membership.objects.create(organisation=theirs, user=owner, role=Role.VIEWER)
    empty, former = (people.add_client(provider=ours, name=name, actor=support_panel.ANA) for name in ("Beta", "Gama"))
    access = access_to(owner, former.pk)
    assert access is not None
    closing.close(access=access, actor=support_panel.ANA)
    Organisation.objects.create(name="Delta", former_parent=ours, closed_at=timezone.now(), mfa_required=True)
    row = Membership.objects.get(organisation=theirs, user=owner)
    for name, path in {
        "full": f"/o/{ours.pk}/people/organisation/close/",
        "empty": f"/o/{empty.pk}/people/organisation/close/",
        "closed": f"/o/{ours.pk}/clients/closed/",
        "belonging": "/account/organisations/",
        "leave": f"/account/organisations/{row.pk}/leave/",
        "delete": "/account/delete/",
        "people": f"/o/{ours.pk}/people/",
    }.items():
        visitor.go(path)
        visitor.picture(f"closing-{name}-{width}-{language}-{'dark' if dark else 'light'}")
        faults += visitor.faults()
    assert faults == []
