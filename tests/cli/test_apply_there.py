"""`trinco apply FILE --server URL`: the same file and the same words, done at another installation by its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests import support_apply, support_panel, support_web
from tests.support_apply import FILE, ONE, PROVIDER, there, with_token

from trinco.cli import apply_there
from trinco.panel.accounts import tokens
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.models import AuditEntry, Organisation, Role, TokenScope
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services as policies

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ours(transactional_db: None) -> Organisation:
    made = support_panel.organisation("ana@example.com")
    Organisation.objects.filter(pk=made.pk).update(name=PROVIDER)
    made.refresh_from_db()
    return made


Sign = Callable[..., None]


@pytest.fixture
def sign(ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> Sign:
    """A token of such a scope and role is the one of the command."""

    def signing(scope: str = TokenScope.ADMIN, role: str = Role.OWNER, where: Organisation | None = None) -> None:
        here = where or ours
        owner = role == Role.OWNER and where is None
        person = support_web.owner_of(ours) if owner else support_web.person(f"{role}@b.example", here, Role(role))
        access = access_to(person, here.pk)
        assert access
        _row, key = tokens.create_token(membership=access, name="x", days=30, actor=support_panel.ANA, scope=scope)
        with_token(monkeypatch, key)

    return signing


class TestThere:
    """Issue 5: against a server by token or the local database."""

    def test_the_same_words_as_here(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        here = support_apply.apply(FILE, "--dry-run")
        done = there(live_server.url, FILE, "--dry-run")
        assert [sorted(each.splitlines()) for each in done[1:]] == [sorted(each.splitlines()) for each in here[1:]]
        assert (done[0], here[0]) == (1, 1)
        assert not HostedDomain.objects.of(ours).exists()

    def test_it_is_done_by_the_person_of_the_token(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        code, out, err = there(live_server.url, ONE)
        assert (code, err) == (0, "")
        assert out.endswith("1 changed, 0 refused, 0 as declared already.\n")
        line = AuditEntry.objects.of(ours).filter(action="domain.added").get()
        assert (line.actor, line.token != "") == ("ana@example.com", True)
        assert support_apply.policy("a.example").mx == ("mx.a.example",)

    def test_twice_changes_nothing(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        there(live_server.url, ONE)
        before = support_apply.lines()
        assert there(live_server.url, ONE) == (0, "0 changed, 0 refused, 1 as declared already.\n", "")
        assert there(live_server.url, ONE, "--dry-run")[0] == 0
        assert support_apply.lines() == before

    def test_what_others_have_is_left_to_their_tokens(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        text = ONE.replace("]}}}}}", "]}}}}, Outra: {domains: {o.example: }}}")
        code, _out, err = there(live_server.url, text)
        assert (code, err) == (0, f"trinco: left alone: Outra: the token is about {PROVIDER}\n")
        assert not Organisation.objects.filter(name="Outra").exists()

    def test_of_a_client(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        client = Organisation.objects.create(name="Cliente", parent=ours)
        sign(where=client, role=Role.ADMIN)
        code, _out, err = there(live_server.url, FILE)
        assert (code, err) == (0, f"trinco: left alone: {PROVIDER}: the token is about Cliente\n")
        assert {each.name for each in HostedDomain.objects.everywhere()} == {"e.example"}

    def test_a_file_that_does_not_name_it(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        told = f"trinco: the token is about “{PROVIDER}”, which the file names nowhere\n"
        assert there(live_server.url, support_apply.one("a.example", ""))[::2] == (2, told)


class TestClients:
    """A provider's token works for its clients, as its person may there; their logs name the provider."""

    TEXT = ONE.replace("]}}}}}", "]}}}, clients: {Cliente: {domains: {e.example: {policy: {mx: [mx.e.example]}}}}}}}")

    @pytest.fixture
    def client(self, ours: Organisation) -> Organisation:
        return Organisation.objects.create(name="Cliente", parent=ours)

    def test_in_one_go(self, ours: Organisation, client: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        code, out, err = there(live_server.url, self.TEXT)
        assert (code, err, [line for line in out.splitlines() if line[0] == "+"]) == (
            0,
            "",
            [f"+ {PROVIDER} / a.example", f"+ {PROVIDER} / Cliente / e.example"],
        )
        line = AuditEntry.objects.of(client).filter(action="domain.added").get()
        assert (line.actor, line.provider, line.token != "") == ("ana@example.com", PROVIDER, True)
        assert HostedDomain.objects.of(client).get().name == "e.example"
        assert there(live_server.url, self.TEXT, "--prune") == (
            0,
            "0 changed, 0 refused, 2 as declared already.\n",
            "",
        )

    def test_a_dry_run_and_prune(self, client: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        support_panel.live(client, "z.example")
        before = support_apply.lines()
        code, out, _err = there(live_server.url, self.TEXT, "--prune", "--dry-run")
        assert (code, f"- {PROVIDER} / Cliente / z.example leaves" in out) == (1, True)
        assert support_apply.lines() == before

    def test_of_several_of_one_name_none_is_touched(
        self, ours: Organisation, client: Organisation, sign: Sign, live_server: Any
    ) -> None:
        Organisation.objects.create(name="Cliente", parent=ours)
        sign()
        code, _out, err = there(live_server.url, self.TEXT)
        assert (code, err.startswith(f"! {PROVIDER} / Cliente: several clients are called so; ")) == (2, True)
        assert [each.name for each in HostedDomain.objects.everywhere()] == ["a.example"]

    def test_a_second_factor_comes_after_them(
        self, ours: Organisation, client: Organisation, sign: Sign, live_server: Any
    ) -> None:
        sign()
        text = self.TEXT.replace("{domains", "{second_factor: true, domains")
        assert there(live_server.url, text)[::2] == (0, "")
        assert set(Organisation.objects.values_list("name", "mfa_required")) == {(PROVIDER, True), ("Cliente", True)}


class TestPrune:
    def test_the_others_leave_once_all_is_done(
        self, ours: Organisation, sign: Sign, live_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(apply_there, "AT_ONCE", 1)
        sign()
        support_panel.live(ours, "b.example")
        support_panel.hosted(ours, "c.example")
        support_panel.hosted(ours, "d.example")
        text = ONE.replace("a.example: ", "d.example: , a.example: ")
        code, out, _err = there(live_server.url, text, "--prune")
        assert (code, [line for line in out.splitlines() if line[0] == "-"]) == (
            0,
            [
                f"- {PROVIDER} / b.example leaves: `mode: none` until no sender holds an older policy",
                f"- {PROVIDER} / c.example is given up: it was never served",
            ],
        )
        states = {each.name: each.state for each in HostedDomain.objects.of(ours)}
        assert states == {"a.example": "setup", "b.example": "leaving", "c.example": "gone", "d.example": "setup"}


class TestRights:
    def test_a_token_that_only_reads(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(scope=TokenScope.READ)
        code, out, err = there(live_server.url, ONE)
        assert (code, out.startswith("0 changed"), "403 Your role, or the token's scope" in err) == (2, True, True)

    def test_the_second_factor_is_the_owners(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(scope=TokenScope.POLICY_WRITE, role=Role.EDITOR)
        text = ONE.replace("{domains", "{second_factor: true, domains")
        code, out, err = there(live_server.url, text)
        told = f"! {PROVIDER}: your role, or the token's scope, does not allow this; an owner's with the scope `admin` would\n"
        assert (code, err, f"+ {PROVIDER} / a.example" in out) == (2, told, True)
        ours.refresh_from_db()
        assert not ours.mfa_required

    def test_a_token_that_is_none(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign()
        tokens.revoke_token(token=tokens.ApiToken.objects.of(ours).get(), actor=support_panel.ANA)
        code, _out, err = there(live_server.url, ONE)
        assert (code, err.startswith("trinco: the server says: 401 ")) == (2, True)


class TestMeanwhile:
    """A change that somebody makes between the comparison and the deed is not overwritten."""

    def test_it_is_told(self, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        domain = support_panel.live(ours, "a.example", ("mx.a.example",))
        settle = policies.settle

        def late(**told: Any) -> Any:
            other = support_apply.policy("a.example").__class__
            now = support_apply.policy("a.example")
            policies.publish(
                domain=domain, policy=other(now.mode, ("new.a.example",), now.max_age), actor=support_panel.ANA
            )
            return settle(**told)

        monkeypatch.setattr(policies, "settle", late)
        code, _out, err = support_apply.apply(ONE.replace("mx.a.example", "mx2.a.example"))
        assert (code, "somebody changed its policy at this moment" in err) == (2, True)
        assert support_apply.policy("a.example").mx == ("mx.a.example",)
