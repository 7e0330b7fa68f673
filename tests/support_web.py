"""What the tests of the pages stand on: people of each kind, and an organisation with domains in every state."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import support_panel
from tests.support_checks_rows import certified, reported

from trinco.panel.accounts.models import Membership, Organisation, Role, User
from trinco.panel.accounts.services import create_account, membership_of
from trinco.panel.certificates import keeping
from trinco.panel.certificates.models import Event, EventKind
from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import HostedDomain, MxSighting, Starttls
from trinco.panel.policies.services import announce_due

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
OURS = "correio.example"


def person(email: str, organisation: Organisation | None = None, role: Role = Role.EDITOR) -> User:
    """A person with an account; a member of the organisation in this role, or the owner of one of their own."""
    user = create_account(email=email, password=support_panel.PASSWORD, organisation=organisation)
    if organisation is not None:
        Membership.objects.filter(user=user).update(role=role)
    return user


def owner_of(organisation: Organisation) -> User:
    """The person who owns it."""
    return Membership.objects.get(organisation=organisation, role=Role.OWNER).user


def organisation_of(user: User) -> Organisation:
    """The one that a person works in."""
    return membership_of(user).organisation


def browser(user: User | None = None) -> Client:
    """A client in which this person is signed in."""
    client = Client()
    if user is not None:
        client.force_login(user, backend=BACKEND)
    return client


def signed_in(user: User) -> Client:
    """By the form, and once more, so that the password is fresh."""
    client, typed = Client(), {"login": user.email, "password": support_panel.PASSWORD}
    client.post(reverse("account_login"), typed)
    client.post(reverse("account_reauthenticate"), typed)
    return client


def ready(owner: Organisation, name: str = OURS, *, reports: bool = True) -> HostedDomain:
    """A LIVE domain in testing whose every check has passed; without `reports`, all but the one about them."""
    host = f"mx1.{name}"
    domain = support_panel.live(owner, name, (host,))
    support_panel.sight_mx(domain, host)
    probed(domain, host, Starttls.OK)
    certified(domain)
    if reports:
        reported(domain, *[0] * 14, last=10)
    support_panel.edge()
    return settled(domain)


def settled(domain: HostedDomain) -> HostedDomain:
    """The domain after the worker came by: what every edge serves is announced, the level is worked out."""
    support_panel.edge()
    announce_due(timezone.now())
    refresh_by_key([domain.pk], timezone.now())
    domain.refresh_from_db()
    return domain


def probed(domain: HostedDomain, host: str, result: Starttls, *, days: int = 60) -> None:
    """The mail server was talked to, with this result."""
    MxSighting.objects.everywhere().filter(domain=domain, host=host).update(
        starttls=result,
        tls_version="TLSv1.3" if result == Starttls.OK else "",
        not_after=timezone.now() + timedelta(days=days, hours=1) if result == Starttls.OK else None,
        probed_at=timezone.now(),
    )


class _Text(HTMLParser):
    """The text of a page, as one reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("script", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style", "title")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def troubled(domain: HostedDomain) -> None:
    """Its certificate cannot be renewed, the authority is away, and another event is over."""
    now = timezone.now()
    facts = {"began_at": now - timedelta(hours=5), "seen_at": now}
    for _ in range(2):
        keeping.postpone(domain, "192.0.2.1: no answer at port 80", now)
    events = Event.objects.everywhere()
    events.create(kind=EventKind.FAILING, domain=domain, count=2, detail="192.0.2.1: no answer at port 80", **facts)
    events.create(kind=EventKind.AWAY, directory="https://ca.example/dir", count=7, detail="of caixa.example", **facts)
    events.create(kind=EventKind.REVOKED, directory="https://ca.example/dir", count=12, ended_at=now, **facts)


def text_of(response: object) -> str:
    """What a page says, white space folded."""
    parser = _Text()
    parser.feed(response.content.decode())  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", " ".join(parser.parts)).strip()
