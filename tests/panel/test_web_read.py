"""Read a report: whatever is dropped on the public page is explained or refused in words, and nothing of it stays."""

from __future__ import annotations

import gzip
import io
import json
import logging
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests import support_web
from tests.support_reports import detail, mail, policy, report_json

from trinco.panel import limits
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.reports.models import RawReport
from trinco.panel.web import uploads

READ = "/read/"
FAILING = report_json(
    policy(details=[detail("certificate-expired", 3, receiving_mx_hostname="mx1.correio.example")], successful=97)
)


def drop(body: bytes, client: Client | None = None, name: str = "report") -> Any:
    return (client or Client()).post(READ, {"file": SimpleUploadedFile(name, body), "text": ""})


def zipped(body: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.json", body)
    return held.getvalue()


class TestExplained:
    """UX, page 6: drop a file, see it explained."""

    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped, mail])
    def test_in_whatever_it_comes(self, db: None, pack: Any) -> None:
        answer = drop(pack(FAILING))
        text = support_web.text_of(answer)
        assert answer.status_code == 200
        assert "Google Inc. : 3 of 100 sessions failed." in text
        assert "certificate-expired 3 sessions Your mail server The mail server's certificate has expired." in text
        assert "What to do Renew the certificate and reload the mail server." in text
        assert "mx1.correio.example" in text

    def test_as_pasted_text(self, db: None) -> None:
        answer = Client().post(READ, {"text": FAILING.decode()})
        assert "3 of 100 sessions failed." in support_web.text_of(answer)

    def test_a_pasted_mail(self, db: None) -> None:
        answer = Client().post(READ, {"text": mail(FAILING).decode()})
        assert "3 of 100 sessions failed." in support_web.text_of(answer)

    def test_sts_and_tlsa_are_never_added(self, db: None) -> None:
        """PROTOCOL 4: one sender puts the same sessions into both."""
        both = report_json(policy(successful=2), policy(policy_type="tlsa", successful=2))
        text = support_web.text_of(drop(both))
        assert "MTA-STS and DANE count the same sessions here: do not add them up." in text
        assert text.count("2 sessions, and none failed.") == 2
        assert "4 sessions" not in text

    def test_summary_and_details_that_differ(self, db: None) -> None:
        text = support_web.text_of(drop(report_json(policy(failed=1, details=[detail(failed=2)]))))
        assert "The details add up to 2 sessions, the summary says 1: one session can fail in several ways." in text
        text = support_web.text_of(drop(report_json(policy(failed=5, details=[detail(failed=2)]))))
        assert "the summary says 5: the sender tells details of some only." in text
        text = support_web.text_of(drop(report_json(policy(failed=5))))
        assert "The sender gives no details of the failures." in text

    def test_words_that_the_standard_does_not_have(self, db: None) -> None:
        text = support_web.text_of(drop(report_json(policy(policy_type="novel", details=[detail("strange", 1)]))))
        assert "This policy type is not one of the standard." in text
        assert "This result type is not one of the standard." in text

    def test_it_says_that_nobody_vouches(self, db: None) -> None:
        assert "Nobody was asked whether this is genuine." in support_web.text_of(drop(FAILING))

    def test_a_member_reads_it_within_the_panel(self, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        assert "Sign out" in support_web.text_of(drop(FAILING, client))
        assert "Sign in" in support_web.text_of(drop(FAILING))

    def test_in_portuguese(self, db: None) -> None:
        client = Client(headers={"accept-language": "pt-PT"})
        assert "Ler um relatório" in support_web.text_of(client.get(READ))


class TestHostile:
    """RELIABILITY 2: what a stranger wrote is shown, and is never markup, a link or a formula."""

    def test_markup_in_every_field(self, db: None) -> None:
        evil = "<img src=x onerror=alert(1)>"
        body = report_json(
            policy(
                domain=evil,
                policy_type=evil,
                strings=[evil],
                details=[
                    detail(
                        evil,
                        1,
                        receiving_mx_hostname=evil,
                        receiving_mx_helo=evil,
                        receiving_ip=evil,
                        sending_mta_ip=evil,
                        failure_reason_code=evil,
                        additional_information=evil,
                    )
                ],
            ),
            organization_name=evil,
            report_id=evil,
            submitter=f'"{evil}"@example.com',
        )
        page = drop(body).content.decode()
        assert "<img" not in page
        assert page.count("&lt;img src=x onerror=alert(1)&gt;") > 10

    @pytest.mark.parametrize(
        "link",
        [
            "javascript:alert(1)",
            "http://a.example/",
            "https://u:p@a.example/",
            "https://",
            "https://a b/",
            "https://[",
            "data:x",
        ],
    )
    def test_what_is_no_plain_https_link_is_text(self, db: None, link: str) -> None:
        page = drop(report_json(policy(details=[detail(additional_information=link)]))).content.decode()
        assert f'href="{link}' not in page
        assert 'rel="noopener' not in page

    def test_a_https_link_leads_out_without_a_trace(self, db: None) -> None:
        link = "https://support.example/why?a=1"
        page = drop(report_json(policy(details=[detail(additional_information=link)]))).content.decode()
        assert f'<a href="{link}" rel="noopener noreferrer nofollow">' in page

    def test_characters_that_turn_a_text_round(self, db: None) -> None:
        page = drop(
            report_json(policy(), organization_name="Goo\u202egle\u2066\x00".replace("\x00", ""))
        ).content.decode()
        assert [character for character in "\u202e\u2066" if character in page] == []
        assert "Goo?gle?" in page
        assert "\\u202e" in page  # in the JSON

    def test_a_report_of_thousands_of_details_makes_a_page_of_bearable_size(self, db: None) -> None:
        details = [detail(f"kind-{n % 300}", 1, failure_reason_code="x" * 1000) for n in range(2000)]
        answer = drop(report_json(*[policy(details=details)] * 4))
        assert answer.status_code == 200
        assert len(answer.content) < 2_000_000
        assert "more result types" in support_web.text_of(answer)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"hello", "neither JSON nor gzip, zip or mail"),
            (b"<feedback/>", "XML, as reports of DMARC are; a TLS report is JSON"),
            (b"{", "not JSON: "),
            (b'{"organization-name": 1}', "organization-name: Expected `str`, got `int`"),
            (b"{}", "Object missing required field `organization-name`"),
            (b"\x1f\x8b\x08\x00", "gzip that is cut off"),
            (gzip.compress(gzip.compress(FAILING, mtime=0), mtime=0), "packed twice: one layer is read"),
            (b"From: a@b.example\r\n\r\nhello\r\n", "no part of this mail is a report"),
        ],
    )
    def test_what_cannot_be_read_is_refused_in_a_sentence(self, db: None, body: bytes, reason: str) -> None:
        answer = drop(body)
        assert answer.status_code == 400
        assert f"This cannot be read as a TLS report: {reason}" in support_web.text_of(answer)

    def test_a_bomb_costs_bounded_time(self, db: None) -> None:
        bomb = gzip.compress(b'{"a": "' + b"x" * (200 * 1024 * 1024) + b'"}', compresslevel=1)
        started = time.process_time()
        answer = drop(bomb)
        assert time.process_time() - started < 5
        assert answer.status_code == 400
        assert "octets unpacked" in support_web.text_of(answer)


class TestNothingIsKept:
    """The page says so: read in memory, explained, and forgotten."""

    def test_no_row_no_file_no_log(
        self, ours: Organisation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        before = AuditEntry.objects.of(ours).count()
        client = support_web.browser(support_web.owner_of(ours))
        with caplog.at_level(logging.DEBUG):
            body = report_json(policy(), organization_name="Confidential " + "x" * 4_000_000)
            assert drop(body, client).status_code == 400  # longer than any text of a report
            assert drop(report_json(policy(), organization_name="Confidential"), client).status_code == 200
        assert "Confidential" not in caplog.text
        assert (AuditEntry.objects.of(ours).count(), RawReport.objects.everywhere().count()) == (before, 0)
        assert list(tmp_path.iterdir()) == []

    def test_a_large_file_stays_in_memory(self) -> None:
        handler = uploads.InMemory()
        handler.handle_raw_input(None, {}, 10**7, b"x")
        assert handler.activated

    def test_nobody_else_keeps_the_page(self, db: None) -> None:
        assert "no-store" in drop(FAILING)["Cache-Control"]


class TestBounds:
    """Anybody may use it: what it costs is bounded."""

    def test_a_large_upload_is_refused_before_it_is_read(self, db: None) -> None:
        answer = drop(b"x" * (uploads.MOST + 1))
        assert (answer.status_code, "10 MiB of a file" in support_web.text_of(answer)) == (413, True)
        answer = drop(b"x" * (uploads.MOST + 100_000))
        assert answer.status_code == 413

    @pytest.mark.parametrize("length", ["abc", "-1", "٣", "9" * 30])
    def test_a_length_that_is_none(self, db: None, length: str) -> None:
        assert Client().post(READ, {"text": "{}"}, CONTENT_LENGTH=length).status_code == 400

    def test_much_pasted_text_too(self, db: None) -> None:
        assert Client().post(READ, {"text": "x" * 3_000_000}).status_code == 413

    def test_nothing_given(self, db: None) -> None:
        answer = Client().post(READ, {"text": " "})
        assert (answer.status_code, "Choose a file" in support_web.text_of(answer)) == (400, True)

    def test_so_many_a_minute_from_one_address(self, db: None) -> None:
        client = Client()
        answers = {client.post(READ, {"text": "x"}).status_code for _ in range(limits.READINGS)}
        last = client.post(READ, {"text": "x"})
        assert (answers, last.status_code) == ({400}, 429)
        assert "Wait a minute, then go on." in support_web.text_of(last)
        assert client.get(READ).status_code == 200
        assert Client(REMOTE_ADDR="192.0.2.9").post(READ, {"text": "x"}).status_code == 400

    def test_an_ipv6_network_is_one_address(self, db: None) -> None:
        assert limits.allowed("t", "2001:db8::1", 1)
        assert not limits.allowed("t", "2001:db8::2", 1)
        assert limits.allowed("t", "2001:db8:0:1::1", 1)
        assert limits.allowed("t", "no address", 1)

    def test_a_counter_that_was_pushed_out_lets_through(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits.cache, "add", lambda *_: False)
        assert limits.allowed("t", "192.0.2.9", 0)

    def test_the_form_is_protected(self, db: None) -> None:
        client = Client(enforce_csrf_checks=True)
        assert client.post(READ, {"text": FAILING.decode()}).status_code == 403
        client.get(READ)
        token = client.cookies["trinco_csrf"].value
        fields = {"text": FAILING.decode(), "csrfmiddlewaretoken": token}
        assert client.post(READ, fields).status_code == 200

    def test_more_reports_than_are_shown(self, db: None) -> None:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for number in range(10):
                archive.writestr(f"{number}.json", report_json(policy(), report_id=str(number)))
        assert "and 2 more reports in this file" in support_web.text_of(drop(held.getvalue()))

    def test_the_json_is_cut(self, db: None) -> None:
        body = report_json(*[policy(details=[detail(f"k{n}") for n in range(500)])] * 3)
        assert "It goes on: your file has all of it." in support_web.text_of(drop(body))
        assert json.loads(body)


def test_it_is_linked_where_people_sign_in(db: None) -> None:
    page = Client().get("/account/login/").content.decode()
    assert 'href="/read/"' in page
