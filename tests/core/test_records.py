"""Records of both standards at one name, as a person pastes them."""

import pytest

from trinco.core.mtasts.record import STANDARD as STS
from trinco.core.records import lint, resembled
from trinco.core.tlsrpt.record import STANDARD as TLSRPT

BOTH = [STS, TLSRPT]


def said(*texts: str) -> list[tuple[str, int, int, str]]:
    return [(remark.severity, remark.line, remark.column, remark.key) for remark in lint(BOTH, texts)]


class TestLint:
    """Each text is held against the standard that it was written for, told by its version."""

    def test_one_of_each_is_clean(self):
        assert said("v=STSv1; id=1;", "v=TLSRPTv1; rua=mailto:a@b.example") == []

    def test_each_standard_counts_its_own(self):
        assert said("v=STSv1; id=1;", "v=TLSRPTv1; rua=mailto:a@b.example", "v=STSv1; id=2;") == [
            ("error", 3, 1, "multiple-records")
        ]

    def test_neither(self):
        remarks = lint(BOTH, ["v=spf1 -all"])
        assert [remark.key for remark in remarks] == ["foreign", "no-record"]
        assert remarks[1].reason == "no record begins with v=STSv1; or v=TLSRPTv1;"

    def test_the_one_that_was_meant(self):
        assert lint(BOTH, ["v=tlsrptv1; rua=x"])[1].reason == "no record begins with v=TLSRPTv1;"

    def test_one_that_counts_is_enough(self):
        assert said("v=stsv1; id=1", "v=TLSRPTv1; rua=mailto:a@b.example") == [("error", 1, 1, "near-miss")]


class TestResembled:
    """What a record was surely meant to be."""

    @pytest.mark.parametrize(
        ("text", "standard"),
        [
            ("v=STSv1; id=1;", STS),
            (' "V = stsV1', STS),
            ("v=TLSRPTv1", TLSRPT),
            ("v=spf1", None),
            ("", None),
            (None, None),
            (" " * 100 + "v=STSv1", None),
        ],
    )
    def test_told_apart(self, text, standard):
        assert resembled(BOTH, text) is standard
