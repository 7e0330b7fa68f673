"""`trinco report import`: files into the database, counted once, and going on where it stopped."""

from __future__ import annotations

import gzip
import json
import mailbox
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests import support_panel
from tests.support_reports import mail, policy, report_json
from typer.testing import CliRunner

from trinco.cli import report_importing, report_inputs, report_taking
from trinco.cli.main import app
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DailyTotal, RawReport, Report, Trust

pytestmark = pytest.mark.django_db

NOTHING = {"new": 0, "repeated": 0, "foreign": 0, "late": 0, "waiting": 0, "unreadable": 0, "unreadable_sources": []}


@pytest.fixture
def ours() -> Organisation:
    return support_panel.organisation()


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_panel.live(ours)


def run(*arguments: object, data: bytes = b"") -> Any:
    return CliRunner().invoke(app, ["report", "import", *map(str, arguments)], input=data)


def facts(*arguments: object, data: bytes = b"") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("--json", *arguments, data=data).stdout)
    return {name: value for name, value in told.items() if name not in ("failures", "interrupted")}


def reports(number: int) -> list[bytes]:
    return [report_json(policy(successful=each + 1)) for each in range(number)]


@pytest.mark.usefixtures("domain")
class TestReads:
    """The same sources as `report show`."""

    def test_all_kinds_of_files(self, tmp_path: Path, ours: Organisation) -> None:
        one, two, three, four = reports(4)
        (tmp_path / "one.json").write_bytes(one)
        (tmp_path / "two.json.gz").write_bytes(gzip.compress(two))
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "three.eml").write_bytes(mail(three))
        box = mailbox.mbox(tmp_path / "mbox")
        box.add(mail(four))
        box.close()
        result = run(tmp_path)
        assert (result.stdout, result.exit_code) == ("4 new, 0 repeated, 0 about other domains, 0 unreadable\n", 0)
        assert Report.objects.of(ours).count() == 4
        assert set(RawReport.objects.of(ours).values_list("channel", "domain")) == {("import", None)}

    def test_standard_input(self) -> None:
        assert facts("-", data=reports(1)[0]) == {**NOTHING, "new": 1}

    def test_what_holds_no_report_is_listed_and_not_kept(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"no report")
        result = run(tmp_path, tmp_path / "absent")
        assert result.exit_code == 3
        assert result.stdout == "0 new, 0 repeated, 0 about other domains, 2 unreadable\n"
        assert result.stderr.splitlines() == [
            f"trinco: {tmp_path}/a.txt: neither JSON nor gzip, zip or mail",
            f"trinco: {tmp_path}/absent: No such file or directory",
        ]
        assert RawReport.objects.everywhere().count() == 0

    def test_what_is_about_others_is_counted_nowhere(self, ours: Organisation) -> None:
        assert facts("-", data=report_json(policy("elsewhere.example"))) == {**NOTHING, "foreign": 1}
        assert DailyTotal.objects.of(ours).count() == 0

    def test_nothing_at_all_is_no_success(self, tmp_path: Path) -> None:
        assert run(tmp_path).exit_code == 3


@pytest.mark.usefixtures("domain")
class TestAgain:
    """Restartable: a second run changes nothing and says so."""

    def test_a_second_run_repeats(self, tmp_path: Path) -> None:
        for number, each in enumerate(reports(3)):
            (tmp_path / f"{number}.json").write_bytes(each)
        assert facts(tmp_path) == {**NOTHING, "new": 3}
        before = list(DailyTotal.objects.everywhere().order_by("pk").values())
        assert facts(tmp_path) == {**NOTHING, "repeated": 3}
        assert RawReport.objects.everywhere().count() == 3
        assert list(DailyTotal.objects.everywhere().order_by("pk").values()) == before

    def test_the_same_report_in_two_files_and_two_wrappings(self, tmp_path: Path) -> None:
        body = reports(1)[0]
        (tmp_path / "a.json").write_bytes(body)
        (tmp_path / "b.json").write_bytes(body)
        (tmp_path / "c.eml").write_bytes(mail(body))
        assert facts(tmp_path) == {**NOTHING, "new": 1, "repeated": 2}

    def test_in_portions(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_inputs, "PORTION", 2)
        for number, each in enumerate(reports(5)):
            (tmp_path / f"{number}.json").write_bytes(each)
        result = run(tmp_path)
        assert result.stdout == "5 new, 0 repeated, 0 about other domains, 0 unreadable\n"
        assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["2 so far", "4 so far"]

    def test_on_a_terminal_a_bar_goes_forward(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_inputs, "PORTION", 2)
        monkeypatch.setattr(report_importing, "on_a_terminal", lambda: True)
        updates: list[dict[str, Any]] = []
        monkeypatch.setattr(report_importing.Progress, "update", lambda _self, _task, **facts: updates.append(facts))
        sizes = []
        for number, each in enumerate(reports(3)):
            (tmp_path / f"{number}.json").write_bytes(each)
            sizes.append(len(each))
        assert "so far" not in run(tmp_path).stderr
        words = "new, 0 repeated, 0 about other domains, 0 unreadable"
        assert updates == [
            {"advance": sum(sizes[:2]), "description": f"2 {words}"},
            {"advance": sizes[2], "description": f"3 {words}"},
        ]

    def test_a_portion_is_bounded_in_octets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_inputs, "PORTION_OCTETS", 1)
        portions: list[int] = []
        take = report_taking.Taker.take
        monkeypatch.setattr(
            report_taking.Taker, "take", lambda self, portion: [portions.append(len(portion)), take(self, portion)][1]
        )
        for number, each in enumerate(reports(3)):
            (tmp_path / f"{number}.json").write_bytes(each)
        assert (facts(tmp_path), portions) == ({**NOTHING, "new": 3}, [1, 1, 1])

    def test_ctrl_c_ends_after_the_portion_at_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_inputs, "PORTION", 2)
        take = report_taking.Taker.take

        def interrupted(self: report_taking.Taker, portion: Any) -> report_inputs.Tally:
            os.kill(os.getpid(), signal.SIGINT)
            return take(self, portion)

        monkeypatch.setattr(report_taking.Taker, "take", interrupted)
        for number, each in enumerate(reports(5)):
            (tmp_path / f"{number}.json").write_bytes(each)
        result = run(tmp_path)
        assert (result.exit_code, result.stdout) == (3, "2 new, 0 repeated, 0 about other domains, 0 unreadable\n")
        assert "trinco: stopped; what is counted here is kept" in result.stderr
        monkeypatch.setattr(report_taking.Taker, "take", take)
        assert facts(tmp_path) == {**NOTHING, "new": 3, "repeated": 2}


@pytest.mark.usefixtures("domain")
class TestTrust:
    """What nobody signed is believed if the operator says so, and not otherwise."""

    @pytest.mark.parametrize(("option", "trust"), [((), Trust.NONE), (("--trusted",), Trust.OPERATOR)])
    def test_by_the_operator(self, option: tuple[str, ...], trust: Trust) -> None:
        facts("-", *option, data=reports(1)[0])
        assert list(Report.objects.everywhere().values_list("trust", flat=True)) == [trust]


class TestWhose:
    def test_of_several_organisations_one_is_named(self, ours: Organisation, domain: HostedDomain) -> None:
        theirs = support_panel.organisation("eva@example.com")
        Organisation.objects.filter(pk=ours.pk).update(name="Ours")
        body = reports(1)[0]
        asked = run("-", data=body)
        assert asked.exit_code == 2
        assert (
            f"trinco: it is not clear whose reports they are; say it with --organisation: {ours.pk} (Ours)"
            in asked.stderr
        )
        assert facts("-", "--organisation", "Ours", data=body)["new"] == 1
        assert facts("-", "--organisation", theirs.pk, data=body)["repeated"] == 1  # it is about Ours all the same
        assert set(RawReport.objects.everywhere().values_list("organisation", flat=True)) == {ours.pk}
        assert Report.objects.of(theirs).count() == 0
        assert run("-", "--organisation", "Nobody", data=body).exit_code == 2

    def test_without_any_account_there_is_nobody(self) -> None:
        assert "make an account first" in run("-", data=reports(1)[0]).stderr


@pytest.mark.usefixtures("domain")
class TestMailboxAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "imap://ana@mail.example/INBOX",
            "imaps://mail.example/INBOX",
            "imaps://ana:secret@mail.example/",
            "imaps://ana@mail.example:no/",
            "imaps://ana%0aLOGOUT@mail.example/",
        ],
    )
    def test_one_that_cannot_be_used_is_wrong_use(self, address: str, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("geheim\n")
        result = run(address, "--password-file", tmp_path / "password")
        assert (result.exit_code, "secret" in result.output) == (2, False)

    def test_without_a_terminal_the_password_is_in_a_file(self) -> None:
        result = run("imaps://ana@mail.example/")
        assert (result.exit_code, "there is no terminal to ask for the password" in result.output) == (2, True)
