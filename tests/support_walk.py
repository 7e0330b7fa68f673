"""Every address of ours with its deed, found in the tables of addresses: a new page cannot be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, reverse
from tests import support_panel, support_reports, support_web

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts import tokens
from trinco.panel.accounts.models import Invitation, Membership, Organisation, Role, User
from trinco.panel.domains import filters, tags
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import imports, services
from trinco.panel.reports.models import Recipient
from trinco.panel.web import urls
from trinco.panel.web.access import PERSON, PUBLIC
from trinco.panel.webhooks import services as webhooks
from trinco.panel.webhooks.models import Webhook

GOOD = {200, 204, 286, 302, 400}
"""What somebody may get who may do the deed: 400 where the form is empty."""


@dataclass(frozen=True, slots=True)
class Page:
    """An address of ours. `deed` is None where a view forgot it."""

    name: str
    deed: str | None
    arguments: tuple[str, ...]


def pages() -> list[Page]:
    """All of `web.urls`."""
    found = [each for each in urls.urlpatterns if isinstance(each, URLPattern)]
    return [
        Page(str(each.name), getattr(each.callback, "deed", None), tuple(each.pattern.converters)) for each in found
    ]


def guarded() -> list[Page]:
    """Those of an organisation; the playground's exist in playground mode alone."""
    return [page for page in pages() if page.deed not in (PUBLIC, PERSON) and not page.name.startswith("playground")]


def personal() -> list[Page]:
    """Those about the very person who asks."""
    return [page for page in pages() if page.deed == PERSON]


class World:
    """A provider with two clients; one of them has something on every page."""

    def __init__(self) -> None:
        self.provider = support_panel.organisation("msp@example.com")
        self.ours = self.client("ours", "ana@example.com")
        self.sibling = self.client("sibling", "bia@example.org")
        self.stranger = support_web.owner_of(support_panel.organisation("rui@example.net"))
        domain = support_web.ready(self.ours)
        services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
        self.domain = support_web.settled(domain)
        self.keys = self.rows(self.domain)

    def client(self, name: str, owner: str) -> Organisation:
        made = Organisation.objects.create(name=name, parent=self.provider)
        support_web.person(owner, made, Role.OWNER)
        return made

    def rows(self, domain: HostedDomain) -> dict[str, int]:
        """The key that each address with a number is about."""
        report = support_reports.reported(domain)
        recipient = Recipient.objects.everywhere().create(domain=domain, address="eva@example.net", created_by="ana")
        owner = Membership.objects.get(organisation=self.ours)
        token, _key = tokens.create_token(membership=owner, name="x", days=30, actor=support_panel.ANA)
        person = support_web.person("tim@example.com", self.ours, Role.VIEWER)
        facts = {"email": "nova@example.com", "role": Role.VIEWER, "digest": "0" * 64, "invited_by": "ana"}
        invitation = Invitation.objects.everywhere().create(
            organisation=self.ours, expires_at=report.received_at, **facts
        )
        member = Membership.objects.get(user=person)
        job = imports.start(organisation=self.ours, text="a.example\nno_name", actor=support_panel.ANA)
        facts = {"organisation": self.ours, "name": "x", "url": "https://hook.example.com/"}
        hook, other = (Webhook.objects.of(self.ours).create(**facts) for _ in range(2))
        tags.put_on(organisation=self.ours, domains=[domain], names=["north"], actor=support_panel.ANA)
        saved = filters.save(organisation=self.ours, name="mine", asked={"tag": "north"}, actor=support_panel.ANA)
        closed = {"former_parent": self.provider, "closed_at": report.received_at}
        return {
            "client_closed_log": Organisation.objects.create(name="former", **closed).pk,
            "leave_organisation": owner.pk,
            "tag": int(saved.tag_id or 0),
            "filter": saved.pk,
            **dict.fromkeys(("webhook", "webhook_secret", "webhook_test", "webhook_remove"), hook.pk),
            "webhook_redeliver": webhooks.send_test(webhook=other, actor=support_panel.ANA).pk,
            **dict.fromkeys(("import", "import_live", "import_run", "import_results"), job.pk),
            "report": report.pk,
            "report_raw": report.pk,
            "report_retry": int(report.raw_id or 0),
            "recipient_remove": recipient.pk,
            "token_revoke": token.pk,
            "member_role": member.pk,
            "member_remove": member.pk,
            "invitation_resend": invitation.pk,
            "invitation_revoke": invitation.pk,
        }

    def address(self, page: Page) -> str:
        values: dict[str, Any] = {
            "name": self.domain.name,
            "kind": "by-day",
            "form": "csv",
            "whose": "own",
            "where": "page",
            "digits": "0b6e4f",
            "mark": "x",
            "digest": "0" * 64,
            **({"pk": self.keys[page.name]} if "pk" in page.arguments else {}),
        }
        return reverse(page.name, kwargs={name: values[name] for name in page.arguments})

    def there(self, page: Page) -> str:
        """The address that names the organisation."""
        return f"/o/{self.ours.pk}{self.address(page)}"

    def member(self, role: Role, where: Organisation | None = None) -> User:
        return support_web.person(f"{role}@{'a' if where else 'b'}.example", where or self.ours, role)


def status(client: Client, address: str) -> int:
    """What the page answers to GET, or to POST where it knows no other."""
    answer = client.get(address)
    return int((client.post(address) if answer.status_code == 405 else answer).status_code)


def asked(user: User | None, world: World, *, there: bool = True) -> dict[str, int]:
    """What every page answers this person."""
    client = support_web.browser(user)
    return {page.name: status(client, world.there(page) if there else world.address(page)) for page in guarded()}
