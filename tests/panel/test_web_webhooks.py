"""The pages of webhooks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_web import signed_in

from trinco.panel import limits
from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, Secret, Webhook

pytestmark = pytest.mark.django_db
URL = "https://hook.example.com/t/abc"
FORM = {"name": "tickets", "url": URL, "kinds": ["domain.added", "policy.published"], "on": "on"}


@pytest.fixture
def ana(ours: Organisation) -> Client:
    return signed_in(support_web.owner_of(ours))


def made(ours: Organisation) -> Webhook:
    terms = services.Terms("tickets", URL, ("domain.added",))
    return services.create_webhook(organisation=ours, terms=terms, actor=support_panel.ANA)[0]


def secret_on(page: object) -> str:
    found = re.search(r'id="key">(whsec_[A-Za-z0-9+/]{43}=)</pre>', page.content.decode())  # type: ignore[attr-defined]
    assert found
    return found[1]


class TestPages:
    def test_from_nothing_to_a_webhook_whose_secret_is_shown_once(self, ana: Client, ours: Organisation) -> None:
        assert "No webhook yet" in support_web.text_of(ana.get(reverse("webhooks")))
        secret = secret_on(ana.post(reverse("webhooks"), FORM))
        hook = Webhook.objects.of(ours).get()
        assert (hook.url, hook.kinds, hook.on) == (URL, FORM["kinds"], True)
        assert services.secrets_of(hook, timezone.now()) == [secret]
        pages = [
            ana.get(reverse("webhooks")),
            ana.get(reverse("webhook", args=[hook.pk])),
            ana.get(reverse("activity")),
        ]
        assert [page for page in pages if secret in page.content.decode() or "whsec_" in page.content.decode()] == []
        assert "/t/abc" not in pages[2].content.decode()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"url": "https://127.0.0.1/"}, "its host is a name"),
            ({"url": "http://hook.example.com/"}, "not an address as in https://example.com/hook"),
            ({"kinds": []}, "This field is required."),
            ({"kinds": ["ping"]}, "is not one of the available choices"),
        ],
    )
    def test_what_is_refused(self, ana: Client, ours: Organisation, change: dict[str, object], words: str) -> None:
        page = ana.post(reverse("webhooks"), {**FORM, **change})
        assert (page.status_code, words in support_web.text_of(page)) == (200, True)
        assert not Webhook.objects.of(ours).exists()

    def test_twenty_at_most(self, ana: Client, ours: Organisation) -> None:
        for _ in range(services.MOST):
            made(ours)
        assert "20 webhooks at most" in support_web.text_of(ana.post(reverse("webhooks"), FORM))

    def test_changed_switched_off_and_on(self, ana: Client, ours: Organisation) -> None:
        hook = made(ours)
        address = reverse("webhook", args=[hook.pk])
        ana.post(address, {**FORM, "on": "", "url": "https://other.example.com/"})
        hook.refresh_from_db()
        assert (hook.on, hook.host) == (False, "other.example.com")
        page = support_web.text_of(ana.post(reverse("webhook_test", args=[hook.pk]), follow=True))
        assert "It is switched off: nothing is sent to it." in page
        support_panel.hosted(ours)
        ana.post(address, FORM)
        hook.refresh_from_db()
        assert (hook.on, hook.line) == (True, AuditEntry.objects.of(ours).latest("number").number - 1)
        assert "Webhook changed" in support_web.text_of(ana.get(reverse("activity")))

    def test_a_new_secret(self, ana: Client, ours: Organisation) -> None:
        hook = made(ours)
        new = secret_on(ana.post(reverse("webhook_secret", args=[hook.pk])))
        assert services.secrets_of(hook, timezone.now())[0] == new
        assert len(services.secrets_of(hook, timezone.now())) == 2
        last = secret_on(ana.post(reverse("webhook_secret", args=[hook.pk]), {"leaked": "on"}))
        assert services.secrets_of(hook, timezone.now()) == [last]

    def test_the_log_of_deliveries(self, ana: Client, ours: Organisation) -> None:
        hook = made(ours)
        ana.post(reverse("webhook_test", args=[hook.pk]))
        row = Delivery.objects.of(ours).get()
        address = reverse("webhook", args=[hook.pk])
        facts = {"state": "failed", "status": 500, "milliseconds": 1234, "tries": 9, "problem": "answered 500"}
        Delivery.objects.of(ours).update(**facts, ended_at=timezone.now())
        text = support_web.text_of(ana.get(address, {"show": "failed"}))
        assert "Given up answered 500 9 500 · 1,234 ms" in text
        assert "No delivery fits this filter." in support_web.text_of(ana.get(address, {"show": "done"}))
        again = reverse("webhook_redeliver", args=[row.pk])
        assert "It is sent once more." in support_web.text_of(ana.post(again, follow=True))
        assert "It waits for its next attempt already." in support_web.text_of(ana.post(again, follow=True))
        row.refresh_from_db()
        assert (row.state, row.tries) == ("waiting", 0)

    def test_no_attempt_is_promised_before_it_is_tried_again(self, ana: Client, ours: Organisation) -> None:
        hook, now = made(ours), timezone.now()
        ana.post(reverse("webhook_test", args=[hook.pk]))
        Delivery.objects.of(ours).update(tries=4, due_at=now - timedelta(minutes=5))
        Webhook.objects.of(ours).update(failures=4, rest_until=now + timedelta(minutes=10))
        page = support_web.text_of(ana.get(reverse("webhook", args=[hook.pk])))
        until = re.search(r"It is left alone until (.+?) UTC", page)
        assert until is not None
        assert f"next attempt {until[1]} UTC" in page

    def test_another_address_asks_for_a_fresh_sign_in(self, ours: Organisation) -> None:
        hook = made(ours)
        left, address = support_web.browser(support_web.owner_of(ours)), reverse("webhook", args=[hook.pk])
        answer = left.post(address, {**FORM, "url": "https://other.example.com/"})
        assert (answer.status_code, "/reauthenticate/" in answer["Location"]) == (302, True)
        hook.refresh_from_db()
        assert hook.url == URL
        assert left.post(address, {**FORM, "name": "monitoring"})["Location"] == address
        hook.refresh_from_db()
        assert hook.name == "monitoring"

    def test_so_many_a_minute_are_sent(self, ana: Client, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "WEBHOOKS_SENT", 2)
        monkeypatch.setattr(limits, "MINUTE", 10**9)
        hook = made(ours)
        ana.post(reverse("webhook_test", args=[hook.pk]))
        Delivery.objects.of(ours).update(state="done")
        again = reverse("webhook_redeliver", args=[Delivery.objects.of(ours).get().pk])
        ana.post(again)
        for address in (again, reverse("webhook_test", args=[hook.pk])):
            assert "That was a lot at once." in support_web.text_of(ana.post(address, follow=True))
        lines = AuditEntry.objects.of(ours).filter(action__in=["webhook.tested", "webhook.redelivered"])
        assert {line.actor for line in lines} == {"ana@example.com"}
        assert Delivery.objects.of(ours).count() == 1
        text = support_web.text_of(ana.get(reverse("activity")))
        assert [words in text for words in ("Webhook sent a test", "Webhook sent a delivery again")] == [True, True]

    def test_what_somebody_removed_meanwhile_is_not_found(self, ours: Organisation) -> None:
        hook = made(ours)
        row = services.send_test(webhook=hook, actor=support_panel.ANA)
        Webhook.objects.of(ours).all().delete()
        terms = services.Terms("tickets", URL, ())
        who = {"actor": support_panel.ANA}
        for deed in (
            lambda: services.send_test(webhook=hook, **who),
            lambda: services.redeliver(delivery=row, **who),
            lambda: services.change_webhook(webhook=hook, terms=terms, **who),
            lambda: services.rotate_secret(webhook=hook, **who),
            lambda: services.remove_webhook(webhook=hook, **who),
        ):
            with pytest.raises(Http404):
                deed()

    def test_a_secret_that_does_not_open_is_said_and_replaced(self, ana: Client, ours: Organisation) -> None:
        hook = made(ours)
        Secret.objects.of(ours).update(sealed_key=b"broken" * 20)
        Webhook.objects.of(ours).update(rest_until=timezone.now() + timedelta(minutes=9))
        address = reverse("webhook", args=[hook.pk])
        assert "resting: its secret cannot be opened" in support_web.text_of(ana.get(reverse("webhooks")))
        assert "Make a new secret below, and give it to your program." in support_web.text_of(ana.get(address))
        new = secret_on(ana.post(reverse("webhook_secret", args=[hook.pk])))
        hook.refresh_from_db()
        assert (services.secrets_of(hook, timezone.now()), hook.rest_until) == ([new], None)
        assert "cannot be opened" not in support_web.text_of(ana.get(address))

    def test_removed(self, ana: Client, ours: Organisation) -> None:
        hook = made(ours)
        services.send_test(webhook=hook, actor=support_panel.ANA)
        ana.post(reverse("webhook_remove", args=[hook.pk]))
        assert not Webhook.objects.of(ours).exists()
        assert not Delivery.objects.of(ours).exists()

    def test_an_editor_has_none(self, ours: Organisation) -> None:
        editor = support_web.browser(support_web.person("edu@example.com", ours, Role.EDITOR))
        assert "/webhooks/" not in editor.get(reverse("tokens")).content.decode()
