"""The key that seals private keys is changed while everything runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.utils import timezone
from tests.support_panel import ANA, edge, live, sight
from tests.support_web import owner_of

from trinco.panel import keyring, resealing
from trinco.panel.accounts.adapters import MfaAdapter
from trinco.panel.certificates import account, development, hosts
from trinco.panel.certificates.models import AccountKey, Certificate, HostCertificate, Order
from trinco.panel.certificates.services import issue_due
from trinco.panel.domains.models import HostedDomain, Revision
from trinco.panel.resealing import KeysRefused
from trinco.panel.seal import Seal, SealError, written
from trinco.panel.webhooks import services as webhooks

pytestmark = pytest.mark.django_db
A, B, C = "a" * 64, "b" * 64, "c" * 64


class Killed(BaseException):
    """Nobody catches this."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of an installation that has one key."""
    path = tmp_path / "secrets" / "seal_key"
    path.parent.mkdir()
    path.write_text(f"{A}\n")
    monkeypatch.setattr(settings, "SEAL_KEY", A)
    monkeypatch.setattr(settings, "SEAL_KEY_FILE", str(path))
    monkeypatch.setattr(settings, "DATA", tmp_path)
    return path


@pytest.fixture
def plain(file: Path, ours) -> dict[str, bytes]:
    """Something of each kind that rests sealed, as it is in the clear."""
    for number in range(3):
        sight(live(ours, f"d{number}.example"))
    issue_due(timezone.now())
    hosts.issue_due(timezone.now())
    row = account.account_key(timezone.now())
    facts = dict.fromkeys(("created_at", "stage_at", "step_at"), timezone.now())
    place = account.Account.objects.create(directory="https://ca.example/dir")
    sealed = keyring.current().seal(b"of an order", "mta-sts.d0.example")
    Order.objects.everywhere().create(
        account=place, host="mta-sts.d0.example", names=[], sealed_key=sealed, csr=b"x", **facts
    )
    secret = MfaAdapter().encrypt("JBSWY3DPEHPK3PXP")
    Authenticator.objects.create(user=owner_of(ours), type=Authenticator.Type.TOTP, data={"secret": secret})
    terms = webhooks.Terms("tickets", "https://hook.example.com/", ())
    webhooks.create_webhook(organisation=ours, terms=terms, actor=ANA)
    assert row.thumbprint
    return opened(file)


def opened(file: Path) -> dict[str, bytes]:
    """Every value in the clear, as the keys of the file open it."""
    seal = Seal.of(file.read_text())
    found = list(resealing.values(settings.DATA))
    return {f"{number} {each.name}": seal.open(each.sealed, each.name) for number, each in enumerate(found)}


def under(file: Path) -> list[int]:
    """How many values rest under each key."""
    return list(resealing.counted(written(file.read_text()), settings.DATA).values())


class TestRotation:
    """A new key file first, then every value, then the old key goes: whatever rests sealed opens at each moment."""

    def test_all_the_way(self, file, plain):
        assert len(plain) == 9
        resealing.add(file)
        assert (opened(file), under(file)) == (plain, [9, 0])
        assert resealing.turn(file)
        assert (opened(file), under(file)) == (plain, [0, 9])
        assert resealing.reseal(keyring.current(), settings.DATA) == 9
        assert (opened(file), under(file)) == (plain, [9, 0])
        assert resealing.retire(file, settings.DATA, timezone.now()) == 1
        assert (opened(file), len(written(file.read_text()))) == (plain, 1)
        assert A not in file.read_text()
        assert MfaAdapter().decrypt(Authenticator.objects.get().data["secret"]) == "JBSWY3DPEHPK3PXP"

    @pytest.mark.parametrize("after", range(1, 10))
    def test_killed_after_any_value_it_goes_on(self, file, plain, after):
        resealing.add(file)
        resealing.turn(file)

        def die(count: int) -> None:
            if count == after:
                raise Killed

        with pytest.raises(Killed):
            resealing.reseal(keyring.current(), settings.DATA, die)
        assert (opened(file), under(file)) == (plain, [after, 9 - after])
        assert not resealing.turn(file)
        assert resealing.reseal(keyring.current(), settings.DATA) == 9 - after
        assert (opened(file), under(file)) == (plain, [9, 0])

    def test_what_was_replaced_meanwhile_stays(self, file, plain):
        resealing.add(file)
        resealing.turn(file)
        values = [each for each in resealing.values(settings.DATA) if each.name == account.KEY_NAME]
        newer = keyring.current().seal(b"newer", account.KEY_NAME)
        AccountKey.objects.update(sealed_key=newer)
        assert [each.replace(b"older") for each in values] == [False]
        assert bytes(AccountKey.objects.get().sealed_key) == newer

    def test_the_edges_are_told(self, file, plain):
        before = Revision.objects.get().number
        resealing.add(file)
        resealing.turn(file)
        resealing.reseal(keyring.current(), settings.DATA)
        moved = HostedDomain.objects.everywhere().filter(revision__gt=before)
        assert (moved.count(), Revision.objects.get().number) == (3, before + 4)

    def test_edges_open_both_with_their_own_copy(self, file, plain):
        held = Certificate.objects.everywhere().first()
        old, name = bytes(held.sealed_key), held.domain.policy_host
        resealing.add(file)
        resealing.turn(file)
        resealing.reseal(keyring.current(), settings.DATA)
        held.refresh_from_db()
        assert keyring.unseal(old, name) == keyring.unseal(bytes(held.sealed_key), name)


class TestRetiring:
    """An old key goes when nothing rests under it, in no table and on no edge."""

    @pytest.fixture(autouse=True)
    def _rotated(self, file, plain):
        resealing.add(file)
        resealing.turn(file)

    def test_not_while_values_rest_under_it(self, file):
        with pytest.raises(KeysRefused, match="9 values rest under an old key"):
            resealing.retire(file, settings.DATA, timezone.now())

    def test_not_while_an_edge_is_behind(self, file):
        resealing.reseal(keyring.current(), settings.DATA)
        edge("there", acknowledged=1)
        with pytest.raises(KeysRefused, match="there may hold values"):
            resealing.retire(file, settings.DATA, timezone.now())
        edge("there", acknowledged=Revision.objects.get().number)
        assert resealing.retire(file, settings.DATA, timezone.now()) == 1

    def test_an_edge_that_is_gone_does_not_matter(self, file):
        resealing.reseal(keyring.current(), settings.DATA)
        edge("gone", acknowledged=1, lease=timedelta(seconds=-1))
        assert resealing.retire(file, settings.DATA, timezone.now()) == 1

    def test_not_while_a_new_key_waits(self, file):
        resealing.add(file)
        with pytest.raises(KeysRefused, match="trinco keys rotate comes first"):
            resealing.retire(file, settings.DATA, timezone.now())


class TestFile:
    def test_one_new_key_at_a_time(self, file):
        resealing.add(file)
        with pytest.raises(KeysRefused, match="a new key waits already"):
            resealing.add(file)

    @pytest.mark.parametrize("mode", [0o600, 0o640])
    def test_who_could_read_it_still_can(self, file, mode):
        file.chmod(mode)
        resealing.add(file)
        resealing.turn(file)
        assert file.stat().st_mode & 0o777 == mode

    def test_a_key_that_is_to_come_opens_and_does_not_seal(self):
        assert written(f"+{B}\n{A}") == [A, B]
        both = Seal.of(f"{A} +{B}")
        assert both.open(Seal.of(B).seal(b"x", "n"), "n") == b"x"
        assert both.foremost(both.seal(b"x", "n"), "n")
        assert Seal.of(A).open(both.seal(b"x", "n"), "n") == b"x"

    @pytest.mark.parametrize("text", ["", f"+{A}", f"{A} {B[1:]}", f"{A},{B}", f"{A} ++{B}"])
    def test_what_is_no_key_file(self, text):
        with pytest.raises(SealError):
            written(text)


class TestRing:
    """Panel, workers and edges notice a changed file, and outlive one that is torn or away."""

    def test_it_is_read_again_when_it_has_changed(self, file):
        assert keyring.current() is keyring.current()
        sealed = Seal.of(B).seal(b"x", "n")
        with pytest.raises(SealError):
            keyring.unseal(sealed, "n")
        resealing.files.write(file, f"{A}\n+{B}\n".encode())
        assert keyring.unseal(sealed, "n") == b"x"

    @pytest.mark.parametrize("content", [b"", b"torn", b"\xff" * 64])
    def test_a_torn_one_changes_nothing(self, file, content):
        sealed = keyring.current().seal(b"x", "n")
        resealing.files.write(file, content)
        assert keyring.unseal(sealed, "n") == b"x"
        file.unlink()
        assert keyring.unseal(sealed, "n") == b"x"

    def test_a_setting_says_it_once(self, file, monkeypatch):
        monkeypatch.setattr(settings, "SEAL_KEY_FILE", None)
        monkeypatch.setattr(settings, "SEAL_KEY", C)
        assert keyring.unseal(Seal.of(C).seal(b"x", "n"), "n") == b"x"


def test_our_own_hosts_and_the_development_ca_are_among_them(file, plain):
    assert [name.partition(" ")[2] for name in plain][3:5] == [
        HostCertificate.objects.get().host,
        "mta-sts.d0.example",
    ]
    assert development.key_file(settings.DATA).exists()
