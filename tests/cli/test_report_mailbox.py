"""`trinco report import imaps://…`: a folder of a real IMAP server, where nothing changes unless it is asked for."""

from __future__ import annotations

import imaplib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import support_panel
from tests.support_dovecot import PASSWORD, Dovecot, dovecot
from tests.support_reports import mail, policy, report_json
from typer.testing import CliRunner

from trinco.cli import report_mailbox
from trinco.cli.main import app
from trinco.panel.reports.models import RawReport

pytestmark = pytest.mark.django_db

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def folder(server: Dovecot) -> str:
    """Two unread reports, one that was read, and a mail that is none."""
    support_panel.live(support_panel.organisation())
    name = f"F{next(_numbers)}"
    server.make(name)
    for number in range(3):
        body = report_json(policy(successful=number + 1))
        server.put(name, f"report{number}", mail(body), seen=number == 2)
    server.put(name, "words", b"From: eva@mail.example\r\nSubject: hello\r\n\r\nhello\r\n")
    return name


@pytest.fixture
def password(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return tmp_path / "password"


def run(server: Dovecot, password: Path, folder: str, *more: str) -> Any:
    options = ["--password-file", str(password), "--ca", str(server.roots), "--json", *more]
    return CliRunner().invoke(app, ["report", "import", server.url(folder), *options])


def facts(*arguments: Any) -> tuple[int, int, list[str], list[str]]:
    """(new, repeated, what is unreadable, failures)."""
    result = run(*arguments)
    told = json.loads(result.stdout)
    return told["new"], told["repeated"], [each["reason"] for each in told["unreadable_sources"]], told["failures"]


NO_REPORT = "no part of this mail is a report"
AS_BEFORE = {"report0": False, "report1": False, "report2": True, "words": False}


class TestReads:
    """The default leaves and marks nothing."""

    def test_all_and_changes_nothing(self, server: Dovecot, password: Path, folder: str) -> None:
        assert facts(server, password, folder) == (3, 0, [NO_REPORT], [])
        assert server.mails(folder) == AS_BEFORE
        assert facts(server, password, folder) == (0, 3, [NO_REPORT], [])

    def test_what_is_kept_is_the_mail_to_the_octet(self, server: Dovecot, password: Path, folder: str) -> None:
        body = mail(report_json())
        server.put(folder, "another", body)
        facts(server, password, folder)
        assert RawReport.objects.everywhere().filter(size=len(body)).exists()

    def test_the_unread_alone(self, server: Dovecot, password: Path, folder: str) -> None:
        assert facts(server, password, folder, "--unread") == (2, 0, [NO_REPORT], [])
        assert server.mails(folder) == AS_BEFORE

    def test_a_mail_that_is_too_large_is_not_fetched(
        self, server: Dovecot, password: Path, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(report_mailbox, "MAX_OCTETS", 100)
        too_large = "a mail larger than 100 octets"
        assert facts(server, password, folder) == (0, 0, [too_large, too_large, too_large, NO_REPORT], [])


class TestMoves:
    """Only what is saved moves."""

    def test_what_is_kept_to_the_folder_named(self, server: Dovecot, password: Path, folder: str) -> None:
        server.make(f"{folder}-done")
        arguments = (server, password, folder, "--move-to", f"{folder}-done")
        assert facts(*arguments) == (3, 0, [NO_REPORT], [])
        assert (list(server.mails(folder)), len(server.mails(f"{folder}-done"))) == (["words"], 3)
        assert facts(*arguments) == (0, 0, [NO_REPORT], [])

    def test_nothing_while_the_tables_do_not_take_it(
        self, server: Dovecot, password: Path, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.make(f"{folder}-done")

        def full(*_arguments: object, **_options: object) -> None:
            raise OSError("no room")

        monkeypatch.setattr("trinco.panel.reports.services.take", full)
        run(server, password, folder, "--move-to", f"{folder}-done")
        assert (server.mails(folder), server.mails(f"{folder}-done")) == (AS_BEFORE, {})

    def test_a_folder_that_is_not_there_is_said_first(self, server: Dovecot, password: Path, folder: str) -> None:
        assert facts(server, password, folder, "--move-to", "Nowhere") == (
            0,
            0,
            [],
            ["localhost has no folder 'Nowhere'"],
        )

    def test_a_server_that_cannot_move_is_refused(
        self, server: Dovecot, password: Path, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """COPY and EXPUNGE would take away what others have marked."""
        monkeypatch.setattr(imaplib.IMAP4, "capability", lambda self: ("OK", [b"IMAP4rev1"]))
        assert facts(server, password, folder, "--move-to", folder)[3] == [
            "localhost cannot move mails (RFC 6851); leave --move-to out"
        ]


class TestServers:
    """Over TLS alone, with a certificate that holds; what is done is kept when the server goes."""

    def test_a_certificate_of_nobody_known(self, server: Dovecot, password: Path, folder: str) -> None:
        arguments = ["--password-file", str(password)]
        result = CliRunner().invoke(app, ["report", "import", server.url(folder), *arguments])
        assert result.exit_code == 3
        assert result.stderr.startswith("trinco: localhost: its certificate does not hold: unable to get local issuer")

    def test_a_wrong_password(self, server: Dovecot, password: Path, folder: str) -> None:
        password.write_text("another")
        assert facts(server, password, folder) == (
            0,
            0,
            [],
            ["localhost: [AUTHENTICATIONFAILED] Authentication failed."],
        )

    def test_a_folder_that_is_not_there(self, server: Dovecot, password: Path, folder: str) -> None:
        assert facts(server, password, "Nowhere")[3] == ["localhost has no folder 'Nowhere'"]

    def test_nobody_there(self, server: Dovecot, password: Path, folder: str) -> None:
        absent = Dovecot(server.directory, 1, server.user)
        assert facts(absent, password, folder) == (0, 0, [], ["localhost: Connection refused"])

    def test_a_server_that_goes_in_the_middle(
        self, server: Dovecot, password: Path, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fetch, turns = report_mailbox.Folder._mail, itertools.count(1)

        def cut(self: report_mailbox.Folder, uid: str) -> Any:
            if next(turns) == 3:
                self.box.client.shutdown()
            return fetch(self, uid)

        monkeypatch.setattr(report_mailbox.Folder, "_mail", cut)
        new, repeated, _, (failure,) = facts(server, password, folder)
        assert (new, repeated, failure.startswith("localhost: ")) == (2, 0, True)
        monkeypatch.setattr(report_mailbox.Folder, "_mail", fetch)
        assert facts(server, password, folder) == (1, 2, [NO_REPORT], [])
