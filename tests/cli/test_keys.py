"""`trinco keys`."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.panel import keyring
from trinco.panel.certificates import account
from trinco.panel.certificates.models import AccountKey

pytestmark = pytest.mark.django_db
A = "a" * 64


def keys(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["keys", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of an installation with an account key and nothing else."""
    path = tmp_path / "seal_key"
    path.write_text(A)
    monkeypatch.setattr(settings, "SEAL_KEY", A)
    monkeypatch.setattr(settings, "SEAL_KEY_FILE", str(path))
    monkeypatch.setattr(settings, "DATA", tmp_path)
    account.account_key(timezone.now())
    return path


class TestThreeSteps:
    """Issue 4: keys are encrypted at rest, with a key file and a command that changes the key."""

    def test_new_rotate_retire(self, file):
        code, out, _ = keys("new")
        digits = file.read_text().partition("+")[2][:8]
        assert (code, f"the key {digits}… waits" in out) == (0, True)
        assert keys("show") == (0, f"aaaaaaaa…        1 values  seals\n{digits}…        0 values\n", "")
        assert keys("rotate") == (0, "The new key seals now. 1 values were sealed anew.\n", "")
        assert keys("rotate") == (0, "0 values were sealed anew.\n", "")
        assert keys("show")[1] == f"{digits}…        1 values  seals\naaaaaaaa…        0 values\n"
        assert keys("retire") == (0, "1 old keys are gone.\n", "")
        assert keys("retire") == (0, "There is no old key.\n", "")
        assert (file.read_text()[:8], len(file.read_text())) == (digits, 65)
        assert keyring.unseal(bytes(AccountKey.objects.get().sealed_key), account.KEY_NAME)

    def test_out_of_turn(self, file):
        keys("new")
        assert keys("new")[0] == 1
        code, _, error = keys("retire")
        assert (code, "trinco keys rotate comes first" in error) == (1, True)

    def test_a_value_that_no_key_opens_is_told(self, file):
        AccountKey.objects.update(sealed_key=b"\x01" + bytes(60))
        code, _, error = keys("rotate")
        assert (code, "acme-account does not fit" in error) == (3, True)

    def test_a_setting_is_not_changed_by_a_command(self, file, monkeypatch):
        monkeypatch.setattr(settings, "SEAL_KEY_FILE", None)
        code, _, error = keys("new")
        assert (code, "TRINCO_SEAL_KEY_FILE" in error) == (1, True)
        assert keys("rotate")[0] == 0
