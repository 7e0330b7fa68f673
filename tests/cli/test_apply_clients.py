"""Clients that a file has and another installation does not: `trinco apply --server` makes them by a provider's token."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from tests import support_apply, support_panel, support_web
from tests.support_apply import PROVIDER, apply, exported, run, there, with_token

from trinco.cli import apply_there
from trinco.cli.remote import Server, ServerError
from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts import people, tokens
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.models import AuditEntry, Organisation, Role, TokenScope
from trinco.panel.declared.values import Declaration, DeclaredDomain, DeclaredOrganisation, DeclaredPolicy
from trinco.panel.declared.writing import written
from trinco.panel.domains.models import HostedDomain

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = f"""\
version: 1
organisations:
  "{PROVIDER}":
    clients:
      Um: {{domains: {{a.example: {{policy: {{mx: [mx.a.example]}}}}, b.example: }}}}
      Dois: {{second_factor: true, domains: {{c.example: }}}}
      Vazia:
"""
DONE = "7 changed, 0 refused, 0 as declared already.\n"
Sign = Callable[..., None]


def provider() -> Organisation:
    """An installation with the people of a provider, and nothing else."""
    made = support_panel.organisation("ana@example.com")
    Organisation.objects.filter(pk=made.pk).update(name=PROVIDER)
    made.refresh_from_db()
    return made


@pytest.fixture
def ours(transactional_db: None) -> Organisation:
    return provider()


@pytest.fixture
def sign(monkeypatch: pytest.MonkeyPatch) -> Sign:
    """The command has a token of this scope, of a person with this role."""

    def signing(where: Organisation, scope: str = TokenScope.ADMIN, role: str = Role.OWNER) -> None:
        owner = role == Role.OWNER and where.parent_id is None
        person = support_web.owner_of(where) if owner else support_web.person(f"{role}@b.example", where, Role(role))
        access = access_to(person, where.pk)
        assert access
        _row, key = tokens.create_token(membership=access, name="x", days=30, actor=support_panel.ANA, scope=scope)
        with_token(monkeypatch, key)

    return signing


def names() -> list[str]:
    return sorted(Organisation.objects.exclude(parent=None).values_list("name", flat=True))


def hosted() -> dict[str, str]:
    return {each.name: each.organisation.name for each in HostedDomain.objects.everywhere()}


class TestMade:
    """Those that are not there are made, and their domains follow in the same run."""

    def test_they_and_their_domains(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(ours)
        code, out, err = there(live_server.url, TEXT)
        assert (code, err, out.endswith(DONE)) == (0, "", True)
        assert (names(), hosted()) == (
            ["Dois", "Um", "Vazia"],
            {"a.example": "Um", "b.example": "Um", "c.example": "Dois"},
        )
        made = AuditEntry.objects.of(ours).filter(action="client.added", subject="Um").get()
        assert (made.actor, made.token != "") == ("ana@example.com", True)

    def test_a_dry_run_says_the_same_as_here_and_makes_none(
        self, ours: Organisation, sign: Sign, live_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(apply_there, "AT_ONCE", 1)
        sign(ours)
        before = support_apply.lines()
        done, here = there(live_server.url, TEXT, "--dry-run"), apply(TEXT, "--dry-run")
        assert [sorted(str(each).splitlines()) for each in done] == [sorted(str(each).splitlines()) for each in here]
        assert (done[0], names(), support_apply.lines()) == (1, [], before)

    def test_twice_makes_none(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(ours)
        text = TEXT.replace("second_factor: true, ", "")
        there(live_server.url, text)
        before = support_apply.lines()
        assert there(live_server.url, text) == (0, "0 changed, 0 refused, 3 as declared already.\n", "")
        assert support_apply.lines() == before

    def test_one_that_was_made_meanwhile_is_not_made_again(
        self, ours: Organisation, sign: Sign, live_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign(ours)
        look = apply_there._clients

        def late(server: Any) -> Any:
            found = look(server)
            if "Um" not in found:
                people.add_client(provider=ours, name="Um", actor=support_panel.ANA)
            return found

        monkeypatch.setattr(apply_there, "_clients", late)
        code, out, err = there(live_server.url, TEXT)
        assert (code, err, names(), hosted()["a.example"]) == (0, "", ["Dois", "Um", "Vazia"], "Um")
        assert f"+ {PROVIDER} / Um\n" not in out

    def test_it_begins_with_what_the_file_demands_of_the_provider(
        self, ours: Organisation, sign: Sign, live_server: Any
    ) -> None:
        """As here: a client that says nothing of its own gets its provider's word."""
        sign(ours)
        text = f'version: 1\norganisations: {{"{PROVIDER}": {{second_factor: true, clients: {{Um: }}}}}}\n'
        assert there(live_server.url, text)[::2] == (0, "")
        assert set(Organisation.objects.values_list("name", "mfa_required")) == {(PROVIDER, True), ("Um", True)}


class TestBroken:
    """A run that broke off is gone on with by running it again."""

    @pytest.mark.parametrize("after", range(2, 7))
    def test_at_every_place(
        self, ours: Organisation, sign: Sign, live_server: Any, monkeypatch: pytest.MonkeyPatch, after: int
    ) -> None:
        text = TEXT.replace("second_factor: true, ", "")
        sign(ours)
        ask, left = Server.ask, iter(range(after))

        def breaking(*told: Any) -> Any:
            answer = ask(*told)  # it was done, and nobody hears of it
            if next(left, None) is None:
                raise ServerError("broken")
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(Server, "ask", breaking)
            assert there(live_server.url, text)[0] in {0, 3}
        assert there(live_server.url, text)[::2] == (0, "")
        assert (names(), len(hosted())) == (["Dois", "Um", "Vazia"], 3)
        assert there(live_server.url, text)[1] == "0 changed, 0 refused, 3 as declared already.\n"


class TestRights:
    """Whoever may not make clients is told what is needed, and the rest goes on."""

    NEEDED = (
        "your role, or the token's scope, does not allow this; an owner's or an admin's with the scope `admin` would"
    )

    @pytest.mark.parametrize(
        ("scope", "role"), [(TokenScope.POLICY_WRITE, Role.OWNER), (TokenScope.POLICY_WRITE, Role.EDITOR)]
    )
    def test_a_token_of_less(self, ours: Organisation, sign: Sign, live_server: Any, scope: str, role: str) -> None:
        sign(ours, scope, role)
        Organisation.objects.create(name="Vazia", parent=ours)
        text = TEXT.replace("    clients:", "    domains: {z.example: }\n    clients:")
        for options in ((), ("--dry-run",)):
            code, _out, err = there(live_server.url, text, *options)
            assert (code, err.splitlines()) == (2, [f"! {PROVIDER} / {name}: {self.NEEDED}" for name in ("Um", "Dois")])
        assert (names(), hosted()) == (["Vazia"], {"z.example": PROVIDER})

    def test_an_admin_may(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(ours, TokenScope.ADMIN, Role.ADMIN)
        text = TEXT.replace("second_factor: true, ", "")
        assert (there(live_server.url, text)[::2], names()) == ((0, ""), ["Dois", "Um", "Vazia"])

    def test_a_client_has_no_clients(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        client = Organisation.objects.create(name="Cliente", parent=ours)
        sign(client)
        text = TEXT.replace(PROVIDER, "Cliente")
        answer = support_web.owner_of(ours)  # the provider's people look after it
        assert answer
        code, out, err = there(live_server.url, text)
        assert (code, out, names()) == (2, "0 changed, 0 refused, 0 as declared already.\n", ["Cliente"])
        assert err.startswith("trinco: the server says: 404 ")

    def test_one_whose_terms_are_not_met_stops_no_other(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        Organisation.objects.create(name="Um", parent=ours, mfa_required=True)
        sign(ours)
        code, _out, err = there(live_server.url, TEXT)
        assert (code, err.startswith(f"! {PROVIDER} / Um: the server says: 403 Your organisation wants a")) == (2, True)
        assert hosted() == {"c.example": "Dois"}


def _some(seed: int) -> Declaration:
    """A provider with clients, in every way that a file can say."""
    pick = random.Random(seed)
    numbers = iter(range(1000))

    def policy() -> DeclaredPolicy | None:
        mode = pick.choice([None, *Mode])
        if mode is None:
            return None
        mx = tuple(f"mx{n}.example.net" for n in range(pick.randint(mode is not Mode.NONE, 3)))
        return DeclaredPolicy(mode, mx, pick.choice([86400, 604800]), force=mode is Mode.ENFORCE)

    def domain(name: str) -> DeclaredDomain:
        reporting = {each: pick.random() < 0.5 for each in ("on", "https", "trust_https")}
        ways = {"host": pick.choice(["cname", "addresses"]), "sts": "txt", "tlsrpt": pick.choice(["cname", "txt"])}
        tags = (
            tuple(sorted(pick.sample(["norte", "sul", "Câmara"], pick.randint(1, 3)))) if pick.random() < 0.5 else None
        )
        return DeclaredDomain(name, policy(), reporting, tags, ways if pick.random() < 0.5 else {})

    def organisation(name: str) -> DeclaredOrganisation:
        domains = tuple(domain(f"d{next(numbers):03}.example") for _ in range(pick.randint(0, 4)))
        return DeclaredOrganisation(name, pick.random() < 0.5, domains, (), pick.choice([None, True]))

    clients = tuple(organisation(f"Cliente {number}") for number in range(pick.randint(2, 4)))
    return Declaration((replace(organisation(PROVIDER), clients=clients),))


class TestBothWays:
    """The same exported state, applied to an empty installation here and to one there, is exported alike."""

    @pytest.fixture(autouse=True)
    def single_sign_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(people, "configured", lambda: True)
        monkeypatch.setattr(apply_there, "AT_ONCE", 2)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_octets(self, transactional_db: None, sign: Sign, live_server: Any, seed: int) -> None:
        apply(written(_some(seed)).decode())
        state = exported()
        self.empty()
        assert apply(state)[::2] == (0, "")
        here = exported()
        self.empty()
        sign(provider())
        assert there(live_server.url, state)[::2] == (0, "")
        assert [here, exported()] == [state, state]

    def test_the_export_there_is_the_export_here(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(ours)
        text = TEXT.replace("second_factor: true, ", "")
        there(live_server.url, text)
        assert run("export", "state", "--server", live_server.url) == (0, exported(), "")

    def test_whom_it_leaves_out_is_said(self, ours: Organisation, sign: Sign, live_server: Any) -> None:
        sign(ours)
        there(live_server.url, TEXT)
        code, out, err = run("export", "state", "--server", live_server.url)
        assert (code, '"Um"' in out, '"Dois"' in out, err.startswith("trinco: left out: Dois: ")) == (
            1,
            True,
            False,
            True,
        )

    @staticmethod
    def empty() -> None:
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
