"""`trinco record lint`."""

import json

import pytest
from typer.testing import CliRunner

from trinco.cli import policy, record
from trinco.cli.main import app

runner = CliRunner()


def lint(*args: str, stdin: bytes = b""):
    return runner.invoke(app, ["record", "lint", *args], input=stdin)


class TestLint:
    """Exit 0: clean; 1: a finding. A finding's line is the number of its record."""

    @pytest.mark.parametrize(
        ("texts", "output"),
        [
            (["v=STSv1; id=1;"], "mta-sts: valid, nothing to remark: v=STSv1; id=1;\n"),
            (
                ["v=TLSRPTv1; rua=mailto:a@b.example"],
                "tlsrpt: valid, nothing to remark: v=TLSRPTv1; rua=mailto:a@b.example\n",
            ),
            (['"v=STSv1; " "id=1;"'], "mta-sts: valid, nothing to remark: v=STSv1; id=1;\n"),
            ([r'"v=STSv1\; id=1\;"'], "mta-sts: valid, nothing to remark: v=STSv1; id=1;\n"),
            (["", "v=STSv1; id=1;\n\n"], "mta-sts: valid, nothing to remark: v=STSv1; id=1;\n"),
        ],
    )
    def test_clean(self, texts, output):
        result = lint(*texts)
        assert (result.exit_code, result.output) == (0, output)

    def test_findings(self):
        result = lint("v=STSv1; id=1;", "v=STSv1; id=2; id=3;")
        assert result.exit_code == 1
        assert result.output == (
            "record:2:1: error: more than one record begins with v=STSv1;: senders act as if there were none"
            " [multiple-records]\nrecord:2:16: error: a second id: the first one counts [id-twice]\n"
        )

    def test_the_output_of_dig_in_one_argument(self):
        result = lint('"v=STSv1; id=1;"\n"v=spf1 " "-all"\n')
        assert (result.exit_code, result.output) == (
            1,
            "record:2:1: warning: not a record of this standard: senders pass over it [foreign]\n",
        )

    def test_standard_input(self):
        assert lint("-", stdin=b'"v=STSv1; id=1;"\r\n').exit_code == 0

    def test_standard_input_that_is_not_text(self):
        result = lint("-", stdin=b"v=STSv1; id=\xff\n")
        assert (result.exit_code, "[id-syntax]" in result.output) == (1, True)

    @pytest.mark.parametrize(("fail_on", "code"), [("warning", 1), ("error", 0)])
    def test_a_warning_alone(self, fail_on, code):
        assert lint("v=STSv1; id=1 ", "--fail-on", fail_on).exit_code == code

    @pytest.mark.parametrize("text", ["", "v=spf1 -all", "\udcff", "v=STSv1 ; id=1;", "x" * 100_000])
    def test_no_record(self, text):
        result = lint(text)
        assert (result.exit_code, "[no-record]" in result.output) == (1, True)

    def test_json(self):
        result = lint("v=STSv1; id=a-b", "v=spf1 -all", "--json")
        found = json.loads(result.output)
        assert (result.exit_code, found["records"]) == (
            1,
            [{"text": "v=STSv1; id=a-b", "kind": "mta-sts"}, {"text": "v=spf1 -all", "kind": None}],
        )
        assert found["remarks"][0] == {
            "severity": "error",
            "line": 1,
            "column": 13,
            "reason": "id is a-b; it is 1 to 32 letters and digits",
            "key": "id-syntax",
            "facts": ["a-b"],
        }

    @pytest.mark.parametrize("args", [[], ["--nope"], ["v=STSv1; id=1;", "--fail-on", "x"]])
    def test_wrong_use(self, args):
        assert lint(*args).exit_code == 2

    def test_hostile_text_reaches_no_terminal(self):
        output = lint("v=TLSRPTv1; rua=mailto:a@b.example,\x1b[31m\u202e").output
        assert all(line.isprintable() for line in output.split("\n"))


class TestStandardInput:
    """Exit 3: could not test."""

    def test_closed(self, monkeypatch):
        class Closed:
            @property
            def buffer(self):
                raise ValueError("I/O operation on closed file")

        monkeypatch.setattr("trinco.cli.record.sys.stdin", Closed())
        monkeypatch.setattr("trinco.cli.policy.sys.stdin", Closed())
        for read in (record._standard_input, lambda: policy._read("-")):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is click's own
                read()
            assert caught.value.exit_code == 3
