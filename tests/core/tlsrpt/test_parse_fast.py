"""The short way through the decoder says the same as the long one; so does Python's own zlib in place of isal's."""

from __future__ import annotations

import gzip
import importlib
import json
import sys

import pytest

from trinco.core.errors import ReportSyntaxError, TooLarge
from trinco.core.tlsrpt import archive, parse

DETAIL = {"result-type": "certificate-expired", "receiving-mx-hostname": "mx1.a.example", "failed-session-count": 3}
DOCUMENT = {
    "organization-name": 'A "quoted": name',
    "date-range": {"start-datetime": "2026-11-01T00:00:00Z", "end-datetime": "2026-11-01T23:59:59Z"},
    "contact-info": "tls@sender.example",
    "report-id": "1",
    "policies": [
        {
            "policy": {"policy-type": "sts", "policy-domain": "a.example"},
            "summary": {"total-successful-session-count": 5, "total-failure-session-count": 3},
            "failure-details": [DETAIL],
        }
    ],
}
LAYOUTS = {
    "minified": json.dumps(DOCUMENT, separators=(",", ":")),
    "python": json.dumps(DOCUMENT),
    "indented": json.dumps(DOCUMENT, indent=2),
    "tabs": json.dumps(DOCUMENT, indent="\t").replace("\n", "\r\n"),
    "colons apart": json.dumps(DOCUMENT, separators=(" , ", " : ")),
}
COUNT = '"failed-session-count"'


class TestDuplicateNames:
    """RFC 7493 section 2.3: objects in I-JSON messages MUST NOT have members with duplicate names."""

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_without_any_the_layout_makes_no_difference(self, layout: str) -> None:
        assert parse.reports(LAYOUTS[layout].encode()) == parse.reports(LAYOUTS["minified"].encode())

    @pytest.mark.parametrize("between", [":", ": ", " :", "  : ", "\t:", "\n:", "\r\n: "])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_are_refused_however_they_are_laid_out(self, layout: str, between: str) -> None:
        text = LAYOUTS[layout].replace(COUNT, f"{COUNT}{between}999999, {COUNT}")
        with pytest.raises(ReportSyntaxError, match="twice"):
            parse.reports(text.encode())


@pytest.fixture
def without_isal(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setitem(sys.modules, "isal", None)
    yield importlib.reload(archive)
    monkeypatch.undo()
    importlib.reload(archive)


@pytest.mark.usefixtures("without_isal")
class TestWithoutIsal:
    """The extra `fast` changes how long it takes and nothing else."""

    def test_members_come_out_one_after_the_other(self) -> None:
        assert archive.gunzip(gzip.compress(b"a" * 1000) + gzip.compress(b"b") + b"rest") == b"a" * 1000 + b"b"

    def test_bombs_end_at_the_bound(self) -> None:
        with pytest.raises(TooLarge):
            archive.gunzip(gzip.compress(b"\0" * (archive.MAX_UNPACKED + 1)))

    @pytest.mark.parametrize("data", [b"\x1f\x8b", b"\x1f\x8b\x08garbage", gzip.compress(b"whole", mtime=0)[:-4]])
    def test_damage_is_said(self, data: bytes) -> None:
        with pytest.raises(ReportSyntaxError):
            archive.gunzip(data)
