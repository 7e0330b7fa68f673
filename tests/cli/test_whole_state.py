"""All that the file of `trinco apply` can say, there and back: on this installation, an empty one and another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests import support_apply, support_panel, support_web
from tests.support_apply import PROVIDER, WHOLE, WHOLE_OWN, apply, exported, run, there

from trinco.panel.accounts import people, tokens
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.models import Organisation, TokenScope

DONE = "5 changed, 0 refused, 0 as declared already.\n"
SAME = (0, "0 changed, 0 refused, 5 as declared already.\n", "")


class TestHere:
    """Issue 5: `apply` of the exported file on an empty instance recreates the same state; applied twice it changes
    nothing."""

    @pytest.mark.django_db
    def test_the_octets(self) -> None:
        assert apply(WHOLE)[::2] == (0, "")
        assert exported() == WHOLE

    @pytest.mark.django_db
    def test_twice(self) -> None:
        apply(WHOLE)
        before = support_apply.lines()
        assert [apply(WHOLE), apply(WHOLE, "--prune")] == [SAME, SAME]
        assert (exported(), support_apply.lines()) == (WHOLE, before)

    def test_on_an_empty_instance(self, tmp_path: Path) -> None:
        """Two installations, as people run them."""
        (tmp_path / "whole.yaml").write_text(WHOLE, encoding="utf-8")
        self.ended(tmp_path, "migrate")
        self.ended(tmp_path, "apply", "whole.yaml")
        assert self.ended(tmp_path, "export", "state") == WHOLE
        assert self.ended(tmp_path, "apply", "whole.yaml", "--dry-run") == SAME[1].replace("changed", "would change")
        assert self.ended(tmp_path, "apply", "whole.yaml") == SAME[1]
        assert self.ended(tmp_path, "export", "state") == WHOLE

    @staticmethod
    def ended(folder: Path, *arguments: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}
        environ = {**clean, "TRINCO_DATA": str(folder / "data"), "TRINCO_RESOLVERS": "127.0.0.1:1"}
        command = [sys.executable, "-m", "trinco", *arguments]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False, timeout=300)
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout.decode()


@pytest.mark.django_db
class TestSingleSignOn:
    """What is not in every installation: whether an organisation's people have to come by single sign-on."""

    TEXT = WHOLE.replace("    second_factor: true\n", "    second_factor: true\n    single_sign_on: true\n", 1)

    def test_the_octets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(people, "configured", lambda: True)
        assert apply(self.TEXT)[::2] == (0, "")
        assert (exported(), apply(self.TEXT)) == (self.TEXT, SAME)

    def test_without_a_provider_it_is_refused_and_the_rest_done(self) -> None:
        code, _out, err = apply(self.TEXT)
        told = f"! {PROVIDER}: this installation has no provider for single sign-on (docs/sso.md)\n"
        assert (code, err, exported()) == (2, told, WHOLE)


class TestThere:
    """And over a token, for its organisation."""

    @pytest.fixture
    def ours(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Organisation:
        made = support_panel.organisation("ana@example.com")
        Organisation.objects.filter(pk=made.pk).update(name=PROVIDER)
        access = access_to(support_web.owner_of(made), made.pk)
        assert access
        scope = TokenScope.ADMIN
        _row, key = tokens.create_token(membership=access, name="x", days=30, actor=support_panel.ANA, scope=scope)
        support_apply.with_token(monkeypatch, key)
        return made

    def test_the_octets(self, ours: Organisation, live_server: Any) -> None:
        text = WHOLE_OWN.replace("second_factor: true", "second_factor: false")
        assert there(live_server.url, text)[::2] == (0, "")
        assert (run("export", "state", "--server", live_server.url), exported()) == ((0, text, ""), text)

    def test_twice(self, ours: Organisation, live_server: Any) -> None:
        text = WHOLE_OWN.replace("second_factor: true", "second_factor: false")
        there(live_server.url, text)
        before = support_apply.lines()
        assert there(live_server.url, text) == (0, "0 changed, 0 refused, 4 as declared already.\n", "")
        assert support_apply.lines() == before

    def test_with_the_second_factor(self, ours: Organisation, live_server: Any) -> None:
        """It comes at the end: the token of a person who has none works no more from then on."""
        code, out, err = there(live_server.url, WHOLE_OWN)
        assert (code, err) == (0, "")
        assert out.endswith(f"~ {PROVIDER}\n    second_factor: false -> true\n{DONE}")
        assert exported() == WHOLE_OWN
        told = "trinco: the server says: 403 Your organisation wants a second factor: set one up in the panel.\n"
        assert there(live_server.url, WHOLE_OWN) == (2, "0 changed, 0 refused, 0 as declared already.\n", told)
