"""`trinco report show`: what it reads, what it says, and what it never lets through."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from tests.core.tlsrpt.made import DETAIL, TEXT, document, mail, octets, packed, part, result, zipped
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.cli.report_tables import COLUMNS

runner = CliRunner()

FAILURES = octets(document(policies=[result(details=[DETAIL])]))
SUMMARY = {"total-successful-session-count": 2, "total-failure-session-count": 0}
CLEAN = octets(document(report_id="clean", policies=[result(summary=SUMMARY)]))


def show(*args, data: bytes = b""):
    return runner.invoke(app, ["report", "show", *map(str, args)], input=data)


def facts(*args, data: bytes = b""):
    return json.loads(show("--json", *args, data=data).stdout)


class TestExplained:
    """By default: each report in sentences, with what each result means, its likely cause, and what to do."""

    def test_a_failure(self):
        assert show("-", data=FAILURES).stdout == (
            "Sender Inc. (tls-reports@sender.example), 2026-04-01 (UTC)\n"
            "  Report 5065427c-23d3, from -\n"
            "  receiver.example, sts: 5326 sessions met the policy, 300 did not.\n"
            "    The sender applied the domain's MTA-STS policy.\n"
            "    It holds: mode testing, mx *.mail.receiver.example, max_age 86400.\n"
            "    300 sessions: validation-failure. The connection did not meet the policy, for a reason that has no word of its own.\n"
            "      300 sessions at mx1.mail.receiver.example (203.0.113.56), calling itself mx1, seen from 2001:db8::1, reason given: "
            "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED, see https://reports.sender.example/5065427c\n"
            "      Likely cause: Often an MX record that the policy does not list; sometimes a handshake that failed, or TLS versions without overlap.\n"
            "      What to do: Read the reason code. Compare the MX records in DNS with the mx lines of the policy, then the TLS versions that the mail server accepts (1.2 at least).\n"
        )

    def test_two_reports_and_a_week(self, tmp_path):
        week = {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-08T00:00:00Z"}
        (tmp_path / "1").write_bytes(CLEAN)
        (tmp_path / "2").write_bytes(octets(document(date_range=week, contact_info=None, policies=[])))
        assert show(tmp_path).stdout.split("\n\n")[1] == (
            "Sender Inc. (no contact given), 2026-04-01 00:00 to 2026-04-08 00:00 (UTC)\n"
            f"  Report 5065427c-23d3, from {tmp_path}/2\n"
        )

    def test_a_day_of_no_length(self):
        day = {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-01T00:00:00Z"}
        assert "), 2026-04-01 (UTC)\n" in show("-", data=octets(document(date_range=day))).stdout

    def test_the_same_sessions_under_two_types(self):
        types = [result({"policy-type": name}, SUMMARY) for name in ("sts", "tlsa")]
        lines = show("-", data=octets(document(policies=types))).stdout.splitlines()
        assert lines[-1] == "  `sts` and `tlsa` count the same sessions: do not add them up."
        assert "(no domain given), tlsa: 2 sessions met the policy, 0 did not." in lines[-3]

    def test_no_policy(self):
        bare = octets(document(policies=[result({"policy-type": "no-policy-found"}, SUMMARY)]))
        assert "receiver.example (taken from the mail's header; the report does not say), no-policy-found: 2 sessions used TLS, 0 did not." in show("-", data=mail(part(bare))).stdout  # fmt: skip

    @pytest.mark.parametrize(
        ("counts", "sentence"),
        [
            ([], "The sender gives no details of the failures."),
            ([300], None),
            ([299], "The details add up to 299 sessions, the summary says 300: the sender tells details of some only."),
            (
                [1, 300],
                "The details add up to 301 sessions, the summary says 300: one session can fail in several ways.",
            ),
        ],
    )
    def test_a_difference_is_told(self, counts, sentence):
        details = [{**DETAIL, "failed-session-count": count} for count in counts]
        last = show("-", data=octets(document(policies=[result(details=details)]))).stdout.splitlines()[-1].strip()
        assert last == sentence or (sentence is None and last.startswith("What to do: "))

    def test_a_reason_that_is_known(self):
        """Microsoft's words say more than the result type does."""
        bare = {"result-type": "validation-failure", "failed-session-count": 1}
        details = [{**bare, "failure-reason-code": "MX_HOSTS_MISMATCH"}, {**bare, "failure-reason-code": "x"}, bare]
        lines = show("-", data=octets(document(policies=[result(details=details)]))).stdout.splitlines()
        assert [line.strip() for line in lines[6:12]] == [
            "1 session reason given: MX_HOSTS_MISMATCH",
            "1 session reason given: x",
            "1 session without a place or a reason",
            "MX_HOSTS_MISMATCH: An MX record names a host that no mx line of the policy covers.",
            "Likely cause: The MX records changed and the policy did not, or the sender holds the older policy.",
            "What to do: Add the host to the policy. Add a new mail server to the policy before its MX record.",
        ]

    def test_words_that_are_not_known(self):
        other = result({"policy-type": "new"}, details=[{"result-type": "newer", "failed-session-count": 1}])
        text = show("-", data=octets(document(policies=[other]))).stdout
        assert "This policy type is not one of the standard." in text
        assert "1 session: newer. This result type is not one of the standard.\n" in text

    def test_many_places(self):
        details = [{**DETAIL, "receiving-mx-hostname": f"mx{n}.example", "failed-session-count": n} for n in range(12)]
        text = show("-", data=octets(document(policies=[result(details=details)]))).stdout
        assert text.index("mx11.example") < text.index("mx2.example")
        assert ("mx1.example" in text, "and 2 more places: --csv lists all" in text) == (False, True)


class TestExitCode:
    """0 clean, 1 a report tells of failures, 2 wrong use, 3 something could not be read."""

    @pytest.mark.parametrize(
        ("data", "code", "counts"),
        [
            (CLEAN, 0, "1 read, 0 repeated, 0 unreadable"),
            (FAILURES, 1, "1 read, 0 repeated, 0 unreadable"),
            (b"{}", 3, "0 read, 0 repeated, 1 unreadable"),
        ],
    )
    @pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--by", "day"]])
    def test_of_one(self, data, code, counts, form):
        done = show("-", *form, data=data)
        assert done.exit_code == code
        assert done.stderr.splitlines()[-1:] == ([] if form == ["--json"] else [counts])

    def test_a_failure_weighs_more_than_an_unreadable_file(self, tmp_path):
        (tmp_path / "a").write_bytes(FAILURES)
        (tmp_path / "b").write_bytes(b"?")
        done = show(tmp_path)
        assert (done.exit_code, done.stderr) == (
            1,
            f"trinco: {tmp_path}/b: neither JSON nor gzip, zip or mail\n1 read, 0 repeated, 1 unreadable\n",
        )

    def test_nothing_at_all(self, tmp_path):
        assert show(tmp_path).exit_code == 3

    @pytest.mark.parametrize("args", [[], ["-", "--by", "x"], ["-", "--json", "--csv"], ["--nope", "-"]])
    def test_wrong_use(self, args):
        assert show(*args).exit_code == 2


class TestInputs:
    """Files, .gz, .zip, .eml, mbox, Maildir, folders and standard input; told apart by content."""

    SECOND = octets(document(report_id="2"))

    def test_one_of_each(self, tmp_path):
        forms = {"json": FAILURES, "gz": packed(FAILURES), "zip": zipped(FAILURES), "eml": mail(TEXT, part(FAILURES))}
        for name, data in forms.items():
            (tmp_path / f"report.{name}").write_bytes(data)
            assert facts(tmp_path / f"report.{name}")["read"] == 1
        assert (facts(tmp_path)["read"], facts(tmp_path)["repeated"]) == (1, 3)

    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_mbox(self, tmp_path, end):
        """A From line that the delivery quoted is text, and one in the middle of a paragraph is none."""
        quoted = b"Content-Type: text/plain\r\n\r\n>From here on\r\ntext\r\nFrom me\r\n"
        mails = [mail(quoted, part(FAILURES)), mail(TEXT), mail(part(packed(self.SECOND)))]
        box = b"".join(b"From sender@example Fri Apr  3 00:00:00 2026\r\n" + each + b"\r\n" for each in mails)
        (tmp_path / "box").write_bytes(box.replace(b"\r\n", end))
        found = facts(tmp_path / "box")
        assert [each["source"] for each in found["reports"]] == [f"{tmp_path}/box#1", f"{tmp_path}/box#3"]
        assert found["unreadable_sources"] == [
            {"source": f"{tmp_path}/box#2", "reason": "no part of this mail is a report"}
        ]
        assert facts("-", data=box)["read"] == 2

    def test_one_mail_of_an_mbox_that_is_too_large(self, tmp_path):
        large = b"From a\n" + b"X: y\n\n" + b"z" * (25 * 2**20) + b"\n\nFrom b\n" + mail(part(FAILURES))
        (tmp_path / "box").write_bytes(large)
        found = facts(tmp_path / "box")
        assert (found["read"], found["unreadable_sources"][0]["reason"]) == (1, "a mail larger than 15728640 octets")

    def test_maildir(self, tmp_path):
        """`tmp` holds what is not delivered yet, and a server keeps lists of its own beside the folders."""
        for folder in ("cur", "new", "tmp", ".Archive/cur", ".Archive/new"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "cur" / "1:2,S").write_bytes(mail(part(FAILURES)))
        (tmp_path / ".Archive" / "new" / "2").write_bytes(mail(part(self.SECOND)))
        (tmp_path / "tmp" / "3").write_bytes(b"half")
        (tmp_path / "server-uidlist").write_bytes(b"1")
        found = facts(tmp_path)
        assert [each["source"] for each in found["reports"]] == [f"{tmp_path}/.Archive/new/2", f"{tmp_path}/cur/1:2,S"]
        assert found["unreadable"] == 0

    def test_folders(self, tmp_path):
        """By name; hidden ones, links to folders and what is no file are passed over."""
        deep = tmp_path / "b" / "c"
        deep.mkdir(parents=True)
        (tmp_path / "a.json").write_bytes(FAILURES)
        (deep / "d.json").write_bytes(self.SECOND)
        (tmp_path / "z.json").symlink_to(tmp_path / "a.json")
        (tmp_path / ".hidden").write_bytes(b"?")
        (tmp_path / "loop").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        found = facts(tmp_path)
        assert [each["source"] for each in found["reports"]] == [f"{tmp_path}/a.json", f"{deep}/d.json"]
        assert (found["repeated"], found["unreadable"]) == (1, 0)

    @pytest.mark.parametrize("name", ["absent", "a\0b", "\udcff", "x" * 5000])
    def test_what_cannot_be_opened(self, tmp_path, name):
        done = show(tmp_path / "absent" / name)
        assert (done.exit_code, done.stdout, done.stderr.endswith("\n0 read, 0 repeated, 1 unreadable\n")) == (
            3,
            "",
            True,
        )

    def test_a_folder_that_cannot_be_opened(self, tmp_path, monkeypatch):
        (tmp_path / "a").write_bytes(CLEAN)

        def refuse(path):
            raise PermissionError

        monkeypatch.setattr("trinco.cli.report_sources.os.scandir", refuse)
        assert facts(tmp_path)["unreadable_sources"] == [{"source": str(tmp_path), "reason": "Is a directory"}]

    def test_a_file_that_never_ends(self):
        assert show("/dev/zero").exit_code == 3


class TestTables:
    """--by result, source or day: sessions of two policy types never stand in one row."""

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "1").write_bytes(FAILURES)
        types = [result({"policy-type": name}, SUMMARY) for name in ("sts", "tlsa", "sts")]
        day = {"start-datetime": "2026-04-02T00:00:00Z", "end-datetime": "2026-04-03T00:00:00Z"}
        (tmp_path / "2").write_bytes(octets(document(date_range=day, policies=types)))
        return tmp_path

    def test_result(self, folder):
        done = show(folder, "--by", "result")
        assert (done.exit_code, done.stdout.splitlines()) == (
            1,
            [
                "policy type  counted in  result type         sessions  reports  first day   last day",
                "sts          details     validation-failure       300        1  2026-04-01  2026-04-01",
                "sts          summary     failed                   300        2  2026-04-01  2026-04-02",
                "sts          summary     successful              5330        2  2026-04-01  2026-04-02",
                "tlsa         summary     failed                     0        1  2026-04-02  2026-04-02",
                "tlsa         summary     successful                 2        1  2026-04-02  2026-04-02",
                "`sts` and `tlsa` count the same sessions: do not add them up.",
            ],
        )

    def test_source(self, folder):
        rows = facts(folder, "--by", "source")
        assert (rows["by"], rows["rows"][0]) == (
            "source",
            {
                "organization_name": "Sender Inc.",
                "submitter": "sender.example",
                "policy_type": "sts",
                "successful_session_count": 5330,
                "failed_session_count": 300,
                "reports": 2,
                "first_day": "2026-04-01",
                "last_day": "2026-04-02",
            },
        )

    def test_day(self, folder):
        assert show(folder, "--by", "day", "--csv").stdout.splitlines() == [
            "day,policy_type,successful_session_count,failed_session_count,reports",
            "2026-04-01,sts,5326,300,1",
            "2026-04-02,sts,4,0,1",
            "2026-04-02,tlsa,2,0,1",
        ]

    def test_without_rows(self, tmp_path):
        assert show(tmp_path, "--by", "day").stdout.split() == (
            ["day", "policy", "type", "successful", "session", "count", "failed", "session", "count", "reports"]
        )

    def test_one_type_needs_no_warning(self):
        assert "do not add" not in show("-", "--by", "day", data=FAILURES).stdout


class TestJson:
    def test_the_report_under_the_standards_names(self):
        assert facts("-", data=FAILURES) == {
            "reports": [
                {
                    "source": "-",
                    "report": json.loads(FAILURES),
                    "notes": [{"difference": 0, "policy_domain_inferred": False}],
                }
            ],
            "read": 1,
            "repeated": 0,
            "unreadable": 0,
            "unreadable_sources": [],
        }


class TestCsv:
    """ASVS 1.2.10: a cell that would begin a formula is quoted. Each count stands in one column of one row."""

    def rows(self, data):
        return list(csv.DictReader(io.StringIO(show("-", "--csv", data=data).stdout)))

    def test_rows(self):
        policy, detail = self.rows(FAILURES)
        assert tuple(policy) == COLUMNS
        assert [policy[name] for name in ("row", "successful_session_count", "failed_session_count", "result_type")] == [
            "policy", "5326", "300", ""]  # fmt: skip
        assert [detail[name] for name in ("row", "failed_session_count", "detail_session_count", "sending_mta_ip")] == [
            "detail", "", "300", "2001:db8::1"]  # fmt: skip

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "\u00a0@"])
    def test_formulas(self, start):
        [row, _] = self.rows(octets(document(organization_name=f"{start}1+1", policies=[result(details=[DETAIL])])))
        assert row["organization_name"].startswith("'")

    def test_other_cells_stay(self):
        [row] = self.rows(octets(document(organization_name='a"b,c=d', policies=[result()])))
        assert (row["organization_name"], row["start"]) == ('a"b,c=d', "2026-04-01T00:00:00+00:00")


class TestHostileInput:
    """What a report says reaches no terminal as a command."""

    EVIL = "\x1b]0;x\x07\u202e\x9b31m\r\n<b>\u200b"

    @pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--by", "source"], ["--by", "result"]])
    def test_controls_and_directions(self, form):
        texts = {name: self.EVIL for name, value in DETAIL.items() if isinstance(value, str)}
        policy = {"policy-type": self.EVIL, "policy-domain": self.EVIL, "policy-string": [self.EVIL]}
        evil = result(policy, details=[{**DETAIL, **texts}])
        done = show("-", *form, data=octets(document(organization_name=self.EVIL, contact_info=self.EVIL, report_id=self.EVIL, policies=[evil])))  # fmt: skip
        assert done.exit_code == 1
        assert all(line.isprintable() for line in done.stdout.replace("\r\n", "\n").split("\n"))

    def test_names_of_files(self, tmp_path):
        (tmp_path / "\x1b[31m\u202e").write_bytes(b"?")
        done = show(tmp_path)
        assert all(line.isprintable() for line in done.stderr.split("\n"))

    def test_a_terminal_with_few_characters(self, tmp_path):
        (tmp_path / "r").write_bytes(octets(document(organization_name="Żü")))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "latin-1"}
        command = [sys.executable, "-m", "trinco", "report", "show", str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
        assert (done.returncode, done.stdout.startswith(b"\\u017b\xfc (tls-reports@sender.example)")) == (1, True)

    def test_without_django(self, tmp_path):
        """Plain `pip install trinco` reads reports."""
        (tmp_path / "r").write_bytes(CLEAN)
        code = (
            "import sys\n"
            "sys.modules['django'] = None\n"
            "from typer.testing import CliRunner\n"
            "from trinco.cli.main import app\n"
            f"print(CliRunner().invoke(app, ['report', 'show', {str(tmp_path)!r}]).exit_code)\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, timeout=300, check=False
        )
        assert done.stdout == b"0\n"
