"""What the pages do, by the API: each page that takes a form, and the operation that does the same."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from tests.support_api_walk import operations
from tests.support_walk import World, pages

WRITES = "credentials of a DNS provider pass through no program's log"
MAILED = "the answer to a mailed link is a person's"
LOOK = "how a person likes to see the pages"
SIGN_ON = "a person proves who they are in a browser: a program has its token"
OWN = "a person's account ends by their own hand, with their password"
PLAYED = "the playground's made-up customer has no program"

OPERATIONS = {
    "add": "PUT /domains/{name}",
    "imports": "POST /imports",
    "import_run": "POST /imports/{int:pk}/stop",
    "bulk": "POST /policies:mode",
    "tags_bulk": "PATCH /domains/{name}",
    "tag": "PATCH /domains/{name}",
    "domain_tags": "PATCH /domains/{name}",
    "check": "POST /domains/{name}/checks",
    "ways": "PATCH /domains/{name}",
    "tlsrpt": "PATCH /domains/{name}",
    "recipient_add": "POST /domains/{name}/recipients",
    "recipient_remove": "DELETE /domains/{name}/recipients/{int:pk}",
    "policy": "PUT /domains/{name}/policy",
    "mail_servers": "PATCH /domains/{name}/policy",
    "undo": "POST /domains/{name}/policy/undo",
    "own_certificate": "PUT /domains/{name}/certificate",
    "own_certificate_remove": "DELETE /domains/{name}/certificate",
    "leave": "DELETE /domains/{name}",
    "report_retry": "POST /arrivals/{int:pk}/retry",
    "read_report": "POST /read",
    "report_settings": "PUT /retention",
    "tokens": "POST /tokens",
    "token_revoke": "DELETE /tokens/{int:pk}",
    "people": "POST /invitations",
    "organisation_settings": "PATCH /organisation",
    "organisation_close": "DELETE /organisation",
    "leave_organisation": "POST /organisation/leave",
    "member_role": "PATCH /people/{int:pk}",
    "member_remove": "DELETE /people/{int:pk}",
    "invitation_resend": "POST /invitations/{int:pk}/resend",
    "invitation_revoke": "DELETE /invitations/{int:pk}",
    "label": "PUT /organisation/label",
    "label_remove": "DELETE /organisation/label",
    "label_host": "PUT /organisation/label/host",
    "label_host_check": "POST /organisation/label/host/check",
    "label_host_remove": "DELETE /organisation/label/host",
    "client_add": "POST /clients",
    "webhooks": "POST /webhooks",
    "webhook": "PATCH /webhooks/{int:pk}",
    "webhook_secret": "POST /webhooks/{int:pk}/secret",
    "webhook_test": "POST /webhooks/{int:pk}/test",
    "webhook_remove": "DELETE /webhooks/{int:pk}",
    "webhook_redeliver": "POST /deliveries/{int:pk}/redeliver",
}
"""The operation that does what the page does."""
REASONS = {
    "delete_account": OWN,
    **dict.fromkeys(("filter_save", "filter", "theme"), LOOK),
    **dict.fromkeys(("sso", "sso_again", "sso_bind", "sso_connect", "sso_disconnect"), SIGN_ON),
    **dict.fromkeys(("write_records", "kept_access", "kept_access_forget"), WRITES),
    **dict.fromkeys(("recipient_confirm", "invitation"), MAILED),
    **dict.fromkeys(("playground", "playground_change", "playground_report"), PLAYED),
}
"""Why a page has none."""


def forms(world: World) -> set[str]:
    """The pages that take a form: what is for reading answers 405 to it, whoever asks."""
    found = set()
    for page in pages():
        address = reverse(page.name, args=["x"]) if page.arguments == ("token",) else world.address(page)
        if Client().post(address).status_code != 405:
            found.add(page.name)
    return found


@pytest.fixture
def world(db: None) -> World:
    return World()


class TestPages:
    """Issue 5: the REST API does everything that the pages can do."""

    def test_each_form_has_an_operation_or_a_reason(self, world: World) -> None:
        found = forms(world)
        assert sorted(name for name in found if name not in OPERATIONS and name not in REASONS) == []
        assert sorted((set(OPERATIONS) | set(REASONS)) - found) == []

    def test_each_operation_is_there(self) -> None:
        assert set(OPERATIONS.values()) - {each.name for each in operations()} == set()

    def test_none_has_both(self) -> None:
        assert sorted(set(OPERATIONS) & set(REASONS)) == []
