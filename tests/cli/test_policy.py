"""`trinco policy lint` and `trinco policy make`."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from trinco.cli.main import app

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(sys.path)
runner = CliRunner()


def lint(*args: str, body: bytes = b""):
    return runner.invoke(app, ["policy", "lint", *args], input=body)


def make(*args: str):
    return runner.invoke(app, ["policy", "make", *args])


class TestLint:
    """Exit 0: clean; 1: a finding; 3: could not test. One line for each finding: source:line:column: severity: reason."""

    def test_clean_file(self, tmp_path):
        file = tmp_path / "mta-sts.txt"
        file.write_bytes(GOOD)
        result = lint(str(file))
        assert (result.exit_code, result.output) == (0, f"{file}: a valid policy, nothing to remark\n")

    def test_findings_of_standard_input(self):
        result = lint("-", body=GOOD.replace(b"604800", b"604_800") + b"Mode: none")
        assert result.exit_code == 1
        assert result.output == (
            "-:4:10: error: max_age is 604_800; it is a whole number of seconds in 1 to 10 of the digits 0-9 [max-age]\n"
            "-:5:1: warning: Mode is a field that senders do not know and pass over: is mode meant? [misspelt]\n"
        )

    @pytest.mark.parametrize(("fail_on", "code"), [("warning", 1), ("error", 0)])
    def test_a_warning_alone(self, fail_on, code):
        assert lint("-", "--fail-on", fail_on, body=GOOD + b"\r\n").exit_code == code

    def test_an_error_counts_at_both_thresholds(self):
        assert lint("-", "--fail-on", "error", body=b"").exit_code == 1

    def test_json_of_a_valid_policy(self):
        result = lint("-", "--json", body=GOOD + b"\r\n")
        assert (result.exit_code, json.loads(result.output)) == (
            1,
            {
                "source": "-",
                "policy": {"mode": "enforce", "mx": ["mail.example.com"], "max_age": 604800},
                "remarks": [
                    {
                        "severity": "warning",
                        "line": 5,
                        "column": 1,
                        "reason": "blank lines at the end: tolerated here, not part of the grammar",
                        "key": "blank-end",
                        "facts": [],
                    }
                ],
            },
        )

    def test_json_of_an_invalid_policy(self):
        found = json.loads(lint("-", "--json", body=b"mode: \xff").output)
        assert (found["policy"], [remark["key"] for remark in found["remarks"]]) == (
            None,
            ["mode", "not-utf8", "missing", "missing"],
        )

    def test_json_of_a_clean_policy(self):
        result = lint("-", "--json", body=GOOD)
        assert (result.exit_code, json.loads(result.output)["remarks"]) == (0, [])

    @pytest.mark.parametrize("name", ["absent", "", "a\0b", "\udcff", "x" * 5000])
    def test_a_file_that_cannot_be_read(self, tmp_path, name):
        result = lint(str(tmp_path / "absent" / name))
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("trinco: cannot read ")

    def test_a_directory(self, tmp_path):
        assert lint(str(tmp_path)).exit_code == 3

    def test_a_file_that_never_ends(self):
        result = lint("/dev/zero")
        assert (result.exit_code, "larger than 64 KiB" in result.output) == (1, True)

    @pytest.mark.parametrize("args", [[], ["a", "b"], ["-", "--fail-on", "nothing"], ["--nope", "-"]])
    def test_wrong_use(self, args):
        assert lint(*args).exit_code == 2

    def test_hostile_content_reaches_no_terminal(self):
        output = lint("-", body=b"x\x1b[31m\n" + "\u202ex: y\n".encode() + b"mode: \x9b\n").output
        assert all(line.isprintable() for line in output.split("\n"))


class TestMake:
    """The file of the standard, with CRLF, and nothing else on standard output."""

    def test_the_octets(self):
        result = make(
            "--mode", "enforce", "--mx", "MAIL.example.com.", "--mx", "*.straße.example", "--max-age", "31557600"
        )
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout_bytes == (
            b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
            b"mx: *.xn--strae-oqa.example\r\nmax_age: 31557600\r\n"
        )

    @pytest.mark.parametrize(("mode", "max_age"), [("testing", 86400), ("enforce", 604800)])
    def test_age_by_mode(self, mode, max_age):
        assert make("--mode", mode, "--mx", "a.example").stdout_bytes.endswith(b"max_age: %d\r\n" % max_age)

    def test_mode_none(self):
        assert make("--mode", "none").stdout_bytes == b"version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"

    def test_its_own_lint_finds_nothing(self):
        assert lint("-", body=make("--mode", "testing", "--mx", "*.example.com").stdout_bytes).exit_code == 0

    def test_what_is_valid_and_unwise_is_written_with_a_finding(self):
        result = make("--mode", "testing", "--mx", "mail")
        assert (result.exit_code, b"mx: mail\r\n" in result.stdout_bytes) == (1, True)
        assert result.stderr == "policy:3:5: error: mx mail has one label only: no MX is named so [mx-single-label]\n"

    def test_json(self):
        result = make("--mode", "none", "--json")
        assert json.loads(result.stdout) == {
            "mode": "none",
            "mx": [],
            "max_age": 86400,
            "body": "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n",
        }

    @pytest.mark.parametrize(
        "args",
        [
            [],
            ["--mode", "Enforce", "--mx", "a.example"],
            ["--mode", "enforce"],
            ["--mode", "testing", "--mx", "a_b.example"],
            ["--mode", "testing", "--mx", "a.example\r\nmode: none"],
            ["--mode", "testing", "--mx", "192.0.2.1"],
            ["--mode", "testing", "--mx", ""],
            ["--mode", "none", "--max-age", "31557601"],
            ["--mode", "none", "--max-age", "604_800"],
            ["--mode", "none", "--max-age", "٦٠٤٨٠٠"],
            ["--mode", "none", "--max-age", "-1"],
            ["--mode", "none", "--max-age", ""],
            ["--mode", "none", "extra"],
        ],
    )
    def test_what_cannot_be_is_wrong_use(self, args):
        result = make(*args)
        assert (result.exit_code, result.stdout_bytes) == (2, b"")
        assert "Error: " in result.stderr


class TestColour:
    """Plain in a pipe, plain with NO_COLOR, coloured on a terminal."""

    @pytest.mark.parametrize(
        ("environment", "coloured"),
        [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
    )
    def test_on_a_terminal(self, environment, coloured, tmp_path):
        (tmp_path / "p.txt").write_bytes(GOOD + b"\r\n")
        output = self.on_a_terminal(str(tmp_path / "p.txt"), {"TERM": "xterm", **environment})
        assert ("\x1b[" in output, "blank lines at the end" in output) == (coloured, True)

    def test_in_a_pipe(self, tmp_path):
        (tmp_path / "p.txt").write_bytes(GOOD + b"\r\n")
        command = [sys.executable, "-m", "trinco", "policy", "lint", str(tmp_path / "p.txt")]
        result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=300, check=False)
        assert (result.returncode, result.stdout.isascii(), b"\x1b" in result.stdout) == (1, True, False)

    @staticmethod
    def on_a_terminal(file, environment) -> str:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "trinco", "policy", "lint", file]
        with subprocess.Popen(command, stdout=theirs, env={**ENVIRONMENT, **environment}):
            os.close(theirs)
            output = b""
            try:
                while chunk := os.read(ours, 4096):
                    output += chunk
            except OSError:  # Linux says EIO when the other end of a terminal is closed
                pass
        os.close(ours)
        return output.decode()
