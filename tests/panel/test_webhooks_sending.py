"""Webhooks: signed, at least once, one after the other, each with a deadline of its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone
from structlog.testing import capture_logs
from tests import support_labels, support_panel, support_webhooks
from tests.support_webhooks import OK, Customer, Server, closed_port, delivered, hook, served

from trinco.core.mtasts.policy import Mode
from trinco.panel import clock
from trinco.panel.accounts import labels
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.policies import services as policies
from trinco.panel.webhooks import outbox, sending, services, signing, turns
from trinco.panel.webhooks.models import Delivery, DeliveryState, Kind, Secret, Webhook

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Customer:
    return Customer.at(tmp_path_factory.mktemp("customer"))


def documented() -> dict[str, Any]:
    """The snippet of docs/webhooks.md."""
    names: dict[str, Any] = {}
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, names)
    return names


def rows(made: Webhook) -> list[tuple[str, str, int]]:
    """Kind, state and tries of each delivery, the first one first."""
    return list(Delivery.objects.everywhere().filter(webhook=made).order_by("pk").values_list("kind", "state", "tries"))


class TestSignature:
    """Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""

    def test_the_specifications_own_example(self) -> None:
        secret, uid = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
        made = signing.signature(secret, uid, 1614265330, b'{"test": 2432232314}')
        assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_the_documented_snippet_verifies_what_came(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(), customer.context()) as server:
            made, secret = hook(ours, server.port)
            row = services.send_test(webhook=made, actor=support_panel.ANA)
            assert delivered(customer.poster(), timezone.now()) == 1
        [request] = server.requests
        verified = documented()["verified"]
        assert request.line == "POST /t/abc HTTP/1.1"
        assert (request.fields["host"], request.fields["webhook-id"]) == (f"hook.example.com:{server.port}", row.uid)
        assert verified(secret, request.fields, request.body)
        assert not verified(secret, request.fields, request.body + b" ")
        assert not verified(signing.new_secret(), request.fields, request.body)
        moment = str(int(request.fields["webhook-timestamp"]) - 301)
        old = signing.fields([secret], row.uid, int(moment), request.body)
        assert not verified(secret, old, request.body)
        told = json.loads(request.body)
        assert (told["type"], told["version"], told["organisation"]) == ("ping", 1, ours.pk)
        assert told["data"] == {"webhook": "tickets"}

    def test_both_secrets_sign_for_a_day(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(), customer.context()) as server:
            made, old = hook(ours, server.port)
            new = services.rotate_secret(webhook=made, actor=support_panel.ANA)
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now() + services.OVERLAP + timedelta(minutes=1))
        during, after = server.requests
        fits = documented()["verified"]
        assert [fits(each, during.fields, during.body) for each in (old, new)] == [True, True]
        assert len(after.fields["webhook-signature"].split(" ")) == 1

    def test_one_that_leaked_signs_no_more(self, ours: Organisation) -> None:
        made, _old = hook(ours, 443)
        new = services.rotate_secret(webhook=made, actor=support_panel.ANA, leaked=True)
        assert services.secrets_of(made, timezone.now()) == [new]


class TestEvents:
    """What is told is written in the transaction of what happened, and told once to each that wants it."""

    def test_deeds_become_deliveries_in_their_order(self, ours: Organisation) -> None:
        made, _secret = hook(ours, 443, Kind.DOMAIN_ADDED, Kind.DOMAIN_VERIFIED, Kind.POLICY_PUBLISHED)
        domain = support_panel.announced(ours)
        policies.publish(
            domain=domain, policy=policies.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA, override=True
        )
        outbox.spread_due(timezone.now())
        kinds = [kind for kind, _state, _tries in rows(made)]
        assert kinds == ["domain.added", "policy.published", "domain.verified", "policy.published"]
        told = json.loads(Delivery.objects.everywhere().latest("pk").body)["data"]
        assert (told["before"]["mode"], told["after"]["mode"]) == ("testing", "enforce")
        assert (told["by"], told["override"]) == ("ana@example.com", True)
        assert outbox.spread_due(timezone.now()) == 0

    def test_what_is_undone_with_its_transaction_is_not_told(self, ours: Organisation) -> None:
        made, _secret = hook(ours, 443, Kind.DOMAIN_ADDED)
        with transaction.atomic():
            support_panel.hosted(ours)
            transaction.set_rollback(True)
        outbox.spread_due(timezone.now())
        assert rows(made) == []

    def test_a_new_webhook_hears_nothing_of_before(self, ours: Organisation) -> None:
        support_panel.hosted(ours)
        terms = services.Terms("t", "https://hook.example.com/", (Kind.DOMAIN_ADDED,))
        made, _secret = services.create_webhook(organisation=ours, terms=terms, actor=support_panel.ANA)
        support_panel.hosted(ours, "dois.example")
        outbox.spread_due(timezone.now())
        assert [each.subject for each in Delivery.objects.everywhere().filter(webhook=made)] == ["dois.example"]

    def test_another_organisations_deeds_are_not_told(self, ours: Organisation, theirs: Organisation) -> None:
        made, _secret = hook(ours, 443, *Kind.values)
        support_panel.announced(theirs)
        outbox.spread_due(timezone.now())
        assert rows(made) == []

    def test_it_reads_no_further_while_too_much_waits(
        self, ours: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "MOST_WAITING", 1)
        made, _secret = hook(ours, 443, Kind.DOMAIN_ADDED)
        for name in ("um.example", "dois.example"):
            support_panel.hosted(ours, name)
            outbox.spread_due(timezone.now())
        assert len(rows(made)) == 1
        Delivery.objects.everywhere().update(state=DeliveryState.DONE)
        outbox.spread_due(timezone.now())
        assert len(rows(made)) == 2


class TestAttempts:
    """2xx is taken; everything else is attempted again for three days."""

    def test_a_server_that_is_down_gets_all_once_it_is_back(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(*[b"HTTP/1.1 500 no\r\n\r\n"] * 3, OK), customer.context()) as server:
            made, _secret = hook(ours, server.port, Kind.DOMAIN_ADDED)
            for name in ("um.example", "dois.example"):
                support_panel.hosted(ours, name)
            now = timezone.now()
            for step in range(60):
                delivered(customer.poster(), now + timedelta(seconds=10 * step))
        assert [state for _kind, state, _tries in rows(made)] == ["done", "done"]
        made.refresh_from_db()
        assert (made.failures, made.failing_since, made.rest_until) == (0, None, None)
        assert len(server.requests) == 5

    def test_one_that_was_not_taken_is_overtaken(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(b"HTTP/1.1 500 no\r\n\r\n", OK), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            first, second = (services.send_test(webhook=made, actor=support_panel.ANA) for _ in range(2))
            now = timezone.now()
            for seconds in (0, 6, 20):
                delivered(customer.poster(), now + timedelta(seconds=seconds))
        uids = [request.fields["webhook-id"] for request in server.requests]
        assert uids == [first.uid, second.uid, first.uid]

    def test_given_up_after_three_days(self, ours: Organisation, customer: Customer) -> None:
        made, _secret = hook(ours, closed_port())
        services.send_test(webhook=made, actor=support_panel.ANA)
        now = timezone.now()
        times = []
        for hour in range(80):
            times += [hour] * delivered(customer.poster(), now + timedelta(hours=hour))
        [(_kind, state, tries)] = rows(made)
        assert (state, max(times) <= 72, 6 <= tries <= 14) == ("failed", True, True)
        row = Delivery.objects.everywhere().get()
        assert (row.status, "cannot be reached" in row.problem) == (None, True)

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            (b"HTTP/1.1 301 x\r\nLocation: https://10.0.0.1/\r\n\r\n", "answered 301; a redirect is not followed"),
            (b"HTTP/1.1 404 x\r\n\r\n", "answered 404"),
            (b"garbage\r\n\r\n", "did not answer with HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "hook.example.com sent a head beyond the limit"),
        ],
    )
    def test_what_is_not_taken(self, ours: Organisation, customer: Customer, answer: bytes, problem: str) -> None:
        with served(Server(answer), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
        row = Delivery.objects.everywhere().get()
        assert (row.state, row.problem, len(server.requests)) == ("waiting", problem, 1)

    def test_a_giant_body_is_not_read(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
        assert [state for _kind, state, _tries in rows(made)] == ["done"]

    @pytest.mark.parametrize(("asked", "seconds"), [(b"120", 120), (b"999999", 3600), (b"soon", 5)])
    def test_retry_after_within_bounds(
        self, ours: Organisation, customer: Customer, asked: bytes, seconds: int
    ) -> None:
        answer = b"HTTP/1.1 429 x\r\nRetry-After: " + asked + b"\r\n\r\n"
        with served(Server(answer), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            now = timezone.now()
            delivered(customer.poster(), now)
        made.refresh_from_db()
        assert made.rest_until == now + timedelta(seconds=seconds)

    def test_the_waits_grow(self) -> None:
        waits = [turns.wait(tries) for tries in range(1, 20)]
        assert all(timedelta(seconds=8) <= each <= timedelta(hours=14.4) for each in waits)
        assert waits[0] < timedelta(seconds=13) < waits[2] < waits[5]


class TestStopped:
    """410 switches off at once, and so do five days without one success; the log says so, and a mail."""

    def test_gone(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(b"HTTP/1.1 410 Gone\r\n\r\n"), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
        made.refresh_from_db()
        assert (made.on, made.stopped_why) == (False, "gone")
        assert [state for _kind, state, _tries in rows(made)] == ["failed"]
        line = AuditEntry.objects.of(ours).get(action="webhook.stopped")
        assert (line.actor, line.after["host"]) == ("trinco", made.host)
        sending.tidy_due(timezone.now() + timedelta(seconds=1))
        [letter] = mail.outbox
        assert (letter.to, "switched off" in letter.subject) == (["ana@example.com"], True)
        assert f"/o/{ours.pk}/webhooks/{made.pk}/" in letter.body
        sending.tidy_due(timezone.now() + timedelta(hours=2))
        assert len(mail.outbox) == 1

    def test_the_mail_bears_the_label_of_its_people(self, ours: Organisation, customer: Customer) -> None:
        label = support_labels.proven(support_labels.labelled(ours))
        made, _eva = support_labels.client_of(ours)
        with served(Server(b"HTTP/1.1 410 Gone\r\n\r\n"), customer.context()) as server:
            gone = hook(made, server.port)[0]
            services.send_test(webhook=gone, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
        sending.tidy_due(timezone.now() + timedelta(minutes=1))
        [sent] = mail.outbox
        assert (sent.to, sent.from_email) == (["eva@cliente.example"], labels.sender(label))
        assert f"{labels.root(label)}/o/{made.pk}/webhooks/{gone.pk}/" in str(sent.body)

    def test_after_five_days(self, ours: Organisation, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        made, _secret = hook(ours, closed_port())
        now = timezone.now()
        for hour in range(0, 6 * 24, 6):
            monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=hour))  # noqa: B023
            made.refresh_from_db()
            if made.on:
                services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), now + timedelta(hours=hour))
        made.refresh_from_db()
        assert (made.on, made.stopped_why) == (False, "failing")
        assert made.stopped_at is not None
        assert made.stopped_at - now == timedelta(days=5)


class TestWorkers:
    """No two workers send the same at once, and a kill loses nothing."""

    def test_a_kill_between_sending_and_marking_sends_again(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(), customer.context()) as server:
            made, _secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            now = timezone.now()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(turns, "settle", _die)
                with pytest.raises(KeyboardInterrupt):
                    delivered(customer.poster(), now + timedelta(seconds=1))
            assert delivered(customer.poster(), now + timedelta(seconds=30)) == 0
            assert delivered(customer.poster(), now + timedelta(seconds=62)) == 1
        first, second = server.requests
        assert (first.fields["webhook-id"], first.body) == (second.fields["webhook-id"], second.body)
        assert rows(made) == [("ping", "done", 2)]

    def test_what_is_in_hand_is_nobody_elses(self, ours: Organisation) -> None:
        made, _secret = hook(ours, 443)
        for _ in range(2):
            services.send_test(webhook=made, actor=support_panel.ANA)
        now = timezone.now()
        [turn] = turns.take(now, 10, Counter())
        assert turns.take(now, 10, Counter()) == []
        later = now + turns.LEASE + timedelta(seconds=1)
        [again] = turns.take(later, 10, Counter())
        turns.settle(turn, turns.Outcome(status=500, problem="answered 500"), later)
        again.hook.refresh_from_db()
        assert (again.delivery.pk, again.hook.failures) == (turn.delivery.pk, 0)

    def test_no_organisation_has_more_than_a_few_in_hand(self, ours: Organisation, theirs: Organisation) -> None:
        for _ in range(6):
            services.send_test(webhook=hook(ours, 443)[0], actor=support_panel.ANA)
        services.send_test(webhook=hook(theirs, 443)[0], actor=support_panel.ANA)
        taken = turns.take(timezone.now(), 10, Counter())
        assert Counter(each.hook.organisation_id for each in taken) == {ours.pk: turns.EACH, theirs.pk: 1}

    def test_nor_has_a_provider_with_all_its_clients(self, ours: Organisation, theirs: Organisation) -> None:
        for number in range(12):
            client = Organisation.objects.create(name=f"Cliente {number}", parent=ours)
            for _ in range(turns.EACH):
                services.send_test(webhook=hook(client, 443)[0], actor=support_panel.ANA)
        services.send_test(webhook=hook(theirs, 443)[0], actor=support_panel.ANA)
        first = turns.take(timezone.now(), 40, Counter())
        then = turns.take(timezone.now(), 24, turns.in_hand(each.hook for each in first))
        assert [each.hook.organisation.parent for each in first] == [ours] * turns.TOGETHER
        assert [each.hook.organisation for each in then] == [theirs]

    def test_a_slow_server_holds_up_nobody_else(
        self, ours: Organisation, theirs: Organisation, customer: Customer
    ) -> None:
        poster = customer.poster(support_webhooks.HOST, "slow.example.com")
        slow, quick = Server(hold=1.0), Server()
        with served(slow, customer.context("slow.example.com")), served(quick, customer.context()):
            one, _secret = hook(ours, slow.port, host="slow.example.com")
            other, _secret = hook(theirs, quick.port)
            services.send_test(webhook=one, actor=support_panel.ANA)
            for _ in range(5):
                services.send_test(webhook=other, actor=support_panel.ANA)
            assert delivered(poster, timezone.now()) == 6
        assert (quick.most_at_once, len(quick.requests), len(slow.requests)) == (1, 5, 1)
        ends = Delivery.objects.everywhere().filter(webhook=one).values_list("milliseconds", flat=True)
        assert next(iter(ends)) >= 900

    def test_a_secret_that_does_not_open_holds_up_its_own_webhook_alone(
        self, ours: Organisation, theirs: Organisation, customer: Customer
    ) -> None:
        with served(Server(), customer.context()) as server:
            shut, good = hook(theirs, server.port)[0], hook(ours, server.port)[0]
            Secret.objects.everywhere().filter(webhook=shut).update(sealed_key=b"broken" * 20)
            for made in (shut, good):
                services.send_test(webhook=made, actor=support_panel.ANA)
            now = timezone.now()
            assert delivered(customer.poster(), now) == 1
            shut.refresh_from_db()
            assert (rows(shut), rows(good)) == ([("ping", "waiting", 0)], [("ping", "done", 1)])
            assert (shut.rest_until, shut.failures) == (now + timedelta(minutes=10), 0)
            services.rotate_secret(webhook=shut, actor=support_panel.ANA)
            assert delivered(customer.poster(), now) == 1
        assert rows(shut) == [("ping", "done", 1)]


def _die(*_arguments: object) -> None:
    raise KeyboardInterrupt


class TestSecrets:
    """Threat 30: no secret and no path of an address is in the log."""

    def test_of_a_failed_delivery(self, ours: Organisation, customer: Customer) -> None:
        with served(Server(b"HTTP/1.1 500 x\r\n\r\n"), customer.context()) as server, capture_logs() as lines:
            made, secret = hook(ours, server.port)
            services.send_test(webhook=made, actor=support_panel.ANA)
            delivered(customer.poster(), timezone.now())
        told = json.dumps([*lines, *AuditEntry.objects.of(ours).values("subject", "before", "after")], default=str)
        assert "delivery failed" in told
        assert [each for each in (secret, secret.removeprefix("whsec_"), "/t/abc") if each in told] == []


class TestRetention:
    def test_what_ended_is_forgotten_after_thirty_days(self, ours: Organisation) -> None:
        made, _secret = hook(ours, 443)
        row = services.send_test(webhook=made, actor=support_panel.ANA)
        Delivery.objects.everywhere().filter(pk=row.pk).update(state="done", ended_at=NOW)
        turns.prune(NOW + timedelta(days=29))
        assert len(rows(made)) == 1
        turns.prune(NOW + timedelta(days=31))
        assert rows(made) == []
