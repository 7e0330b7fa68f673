"""Tables of the TLS reports as files: what is in them, who gets them, and what a stranger's texts can do there."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from tests import support_api, support_panel, support_web
from tests.support_api import DAY, report

from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.domains import turned_away
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import exports, listing
from trinco.panel.reports.models import FailureRow, Report
from trinco.panel.reports.scope import Scope

KINDS = ["by-result", "by-source", "by-day", "by-mx", "details", "turned-away", "reports"]
RANGE = "from=2026-11-19&to=2026-11-20"


def address(kind: str, form: str = "csv", more: str = "") -> str:
    return f"/reports/export/{kind}.{form}?{RANGE}{more}"


def octets(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.fixture
def told(domain: HostedDomain) -> Report:
    turned_away.note({domain.label: 95}, date(2026, 11, 20))
    return support_api.counted(domain)


@pytest.fixture
def owner(told: Report) -> Client:
    return support_web.browser(support_web.owner_of(told.organisation))


def sheet(client: Client, kind: str, more: str = "") -> list[dict[str, str]]:
    """The rows of a CSV file, as a spreadsheet reads them."""
    text = octets(client.get(address(kind, more=more))).decode("utf-8-sig")
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestWhoGetsThem:
    """RELIABILITY 2, row 29: exports, too, are one organisation's."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_owner_and_a_viewer(self, told: Report, owner: Client, kind: str) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", told.organisation, Role.VIEWER))
        for form in ("csv", "json"):
            both = [octets(client.get(address(kind, form))) for client in (owner, viewer)]
            assert both[0] == both[1]
            word = b"correio.example" if kind == "turned-away" else b"google.com"
            assert b"certificate-expired" in both[0] or word in both[0] or kind == "by-day"

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("form", ["csv", "json"])
    def test_a_stranger_gets_nothing_of_ours(self, told: Report, theirs: Organisation, kind: str, form: str) -> None:
        client = support_web.browser(support_web.owner_of(theirs))
        text = octets(client.get(address(kind, form))).decode()
        assert [word for word in ("google", "certificate-expired", "correio") if word in text] == []
        assert client.get(address(kind, form, "&domain=correio.example")).status_code == 404

    def test_nobody_is_sent_to_sign_in(self, db: None) -> None:
        assert {Client().get(address(kind)).status_code for kind in KINDS} == {302}

    @pytest.mark.parametrize("path", ["by-result.xls", "by-organisation.csv", "by-result.", "..csv"])
    def test_what_is_no_table_is_no_page(self, owner: Client, path: str) -> None:
        assert owner.get(f"/reports/export/{path}").status_code == 404


class TestFiles:
    def test_the_same_columns_in_both_forms(self, owner: Client) -> None:
        for kind in KINDS:
            [row, *_] = sheet(owner, kind)
            [told, *_] = json.loads(octets(owner.get(address(kind, "json"))))["rows"]
            assert tuple(row) == tuple(told) == exports.KINDS[kind].columns

    def test_what_the_json_is_about(self, owner: Client) -> None:
        whole = json.loads(octets(owner.get(address("by-day", "json", "&domain=correio.example&sender=google.com"))))
        assert {name: value for name, value in whole.items() if name != "rows"} == {
            "table": "by-day",
            "domain": "correio.example",
            "from": "2026-11-19",
            "to": "2026-11-20",
            "sender": "google.com",
            "trust": "counted",
        }

    def test_lists_in_a_cell(self, owner: Client) -> None:
        assert [row["mx"] for row in sheet(owner, "by-result")] == ["mx1.correio.example 1"]
        assert [row["results"] for row in sheet(owner, "by-mx")] == ["certificate-expired 1"]

    def test_a_file_without_rows_has_its_columns(self, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        assert (
            octets(client.get(address("by-result")))
            == ("\ufeff" + ",".join(exports.KINDS["by-result"].columns) + "\r\n").encode()
        )
        assert json.loads(octets(client.get(address("by-result", "json"))))["rows"] == []

    def test_its_name_and_headers(self, owner: Client, ours: Organisation) -> None:
        support_panel.hosted(ours, "câmara.example")
        answer = owner.get(address("by-mx", "csv", "&domain=câmara.example"))
        headers = {name: answer[name] for name in ("Content-Type", "Content-Disposition", "X-Content-Type-Options")}
        assert headers == {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="tls-by-mx-xn--cmara-3qa.example-2026-11-19-2026-11-20.csv"',
            "X-Content-Type-Options": "nosniff",
        }

    def test_details_of_one_kind(self, owner: Client) -> None:
        assert len(sheet(owner, "details", "&result_type=certificate-expired&mx=mx1.correio.example")) == 1
        assert sheet(owner, "details", "&result_type=validation-failure") == []

    def test_a_bad_range_falls_back(self, owner: Client) -> None:
        answer = owner.get("/reports/export/by-day.json?range=31&from=x&to=2026-13-01&day=&trust=some")
        assert len(json.loads(octets(answer))["rows"]) == 30


class TestHostileTexts:
    """RELIABILITY 2, row 27; ASVS 1.2.10: nothing in a cell is a formula, and no text begins a row of its own."""

    TEXTS = (
        "=HYPERLINK(1)",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "\uff1d1",
        'a"b,c',
        "a\r\n=1",
        "a;=1",
        "\u202e=1",
        "<b>",
    )

    @pytest.fixture
    def texts(self, told: Report) -> list[dict[str, str]]:
        """Every cell of every file that a sender's words reach."""
        for number, text in enumerate(self.TEXTS, 10):
            words = {
                "organization_name": text,
                "contact_info": text,
                "report_id": text,
                "submitter": text,
                "signer": text,
            }
            report(told.domain, number, **words)
        named = {"failure_reason_code": "=1", "receiving_mx_hostname": "@mx", "additional_information": "a;+1"}
        FailureRow.objects.everywhere().update(**named)
        client = support_web.browser(support_web.owner_of(told.organisation))
        return [row for kind in KINDS for row in sheet(client, kind)]

    def test_no_cell_is_a_formula(self, texts: list[dict[str, str]]) -> None:
        parts = [part.strip() for row in texts for value in row.values() for part in value.split(";")]
        assert [part for part in parts if part.startswith(tuple("=+-@\t\r\uff0b\uff0d\uff1d\uff20"))] == []

    def test_no_text_begins_a_row(self, texts: list[dict[str, str]]) -> None:
        assert [row for row in texts if None in row or None in row.values()] == []
        assert len([row for row in texts if "report_id" in row]) == len(self.TEXTS) + 1

    def test_json_keeps_them_as_they_are(self, texts: list[dict[str, str]], owner: Client) -> None:
        rows = json.loads(octets(owner.get(address("reports", "json"))))["rows"]
        assert {row["report_id"] for row in rows} == {"1", *self.TEXTS}


class TestPortions:
    """A long list is never in memory as a whole, nor read in one long transaction."""

    def test_every_report_once(
        self, told: Report, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        monkeypatch.setattr(listing, "PORTION", 3)
        for number in range(2, 9):
            report(told.domain, number, day=DAY - timedelta(days=number % 3))
        wanted = Scope(told.organisation, DAY - timedelta(days=9), DAY)
        with django_assert_num_queries(4):
            found = list(listing.portions(wanted))
        assert found == list(Report.objects.everywhere().order_by("-day", "-pk"))

    def test_the_first_lines_do_not_wait_for_the_last(
        self, told: Report, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        monkeypatch.setattr(listing, "PORTION", 2)
        monkeypatch.setattr(exports, "LINES", 2)
        for number in range(2, 9):
            report(told.domain, number)
        kind = exports.KINDS["reports"]
        pieces = exports.csv(kind, kind.rows(Scope(told.organisation, DAY, DAY), exports.Wanted()))
        with django_assert_num_queries(1):
            assert [next(pieces).count("\n"), next(pieces).count("\n")] == [1, 2]
