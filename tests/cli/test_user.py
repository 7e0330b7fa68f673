"""`trinco user add`."""

from __future__ import annotations

import pytest
from tests.support_panel import PASSWORD, organisation
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.panel.accounts.models import Membership, Organisation, User
from trinco.panel.accounts.services import membership_of

pytestmark = pytest.mark.django_db


def add(*arguments, typed=PASSWORD + "\n"):
    result = CliRunner().invoke(app, ["user", "add", *arguments], input=typed)
    return result.exit_code, result.stdout, result.stderr


class TestAdd:
    def test_with_a_password_from_standard_input(self):
        assert add("Ana@Example.com", "--password-stdin") == (0, "ana@example.com may sign in.\n", "")
        assert User.objects.get().check_password(PASSWORD)

    def test_twice(self):
        add("ana@example.com", "--password-stdin")
        code, _, err = add("ANA@example.com", "--password-stdin")
        assert (code, err) == (1, "trinco: there is an account ana@example.com already\n")

    @pytest.mark.parametrize("password", ["", "short", "password1234", "ana@example.com"])
    def test_a_weak_password(self, password):
        code, out, err = add("ana@example.com", "--password-stdin", typed=password + "\n")
        assert (code, out, bool(err)) == (2, "", True)
        assert not User.objects.exists()

    def test_what_is_no_address(self):
        code, _, err = add("ana", "--password-stdin")
        assert (code, err) == (2, "trinco: 'ana': not an e-mail address\n")

    def test_without_a_terminal_there_is_nothing_to_ask(self):
        assert add("ana@example.com")[0] == 2

    def test_the_password_is_never_shown(self):
        assert PASSWORD not in "".join(map(str, add("ana@example.com", "--password-stdin")))

    def test_joining_somebody(self):
        ours = organisation()
        assert add("bo@example.com", "--password-stdin", "--join", "ana@example.com")[0] == 0
        assert membership_of(User.objects.get(email="bo@example.com")).organisation == ours
        assert Organisation.objects.count() == 1

    def test_joining_nobody(self):
        assert add("bo@example.com", "--password-stdin", "--join", "x@example.com")[0] == 2
        assert not User.objects.exists()

    def test_joining_who_has_left(self):
        organisation()
        Membership.objects.all().delete()
        code, _, err = add("bo@example.com", "--password-stdin", "--join", "ana@example.com")
        assert (code, err) == (2, "trinco: ana@example.com belongs to no organisation\n")

    def test_the_first_in_an_organisation_owns_it(self):
        """One that a file declared (`trinco apply`) has nobody."""
        there = Organisation.objects.create(name="Exemplo, Lda.")
        for email in ("ana@example.com", "bo@example.com"):
            assert add(email, "--password-stdin", "--organisation", "Exemplo, Lda.")[0] == 0
        roles = there.memberships.order_by("pk").values_list("user__email", "role")
        assert list(roles) == [("ana@example.com", "owner"), ("bo@example.com", "editor")]

    def test_an_organisation_that_is_not_clear(self):
        assert add("ana@example.com", "--password-stdin", "--organisation", "X")[0] == 2
        for _ in range(2):
            Organisation.objects.create(name="X")
        code, _, err = add("ana@example.com", "--password-stdin", "--organisation", "X")
        assert (code, err) == (2, "trinco: several organisations are called 'X'\n")
        assert add("ana@example.com", "--join", "x@example.com", "--organisation", "X")[0] == 2
        assert not User.objects.exists()
