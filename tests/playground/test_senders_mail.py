"""Reports as their senders write them: each with the oddities of a real one, and each read as what it says."""

from __future__ import annotations

import email
import gzip
import json
from datetime import date, timedelta
from email.message import Message
from typing import Any

import pytest
from tests.playground.senders_rig import NOW, customer, held

from trinco.core.names import Domain
from trinco.core.tlsrpt import message, parse
from trinco.core.tlsrpt.report import Report
from trinco.playground.senders import SENDERS, Manner, Sender
from trinco.playground.senders_mail import content, mail
from trinco.playground.senders_story import View, told

DOMAIN = Domain.parse("correio.example")
BY_MANNER = {sender.manner: sender for sender in SENDERS}
LAST_WEEK = NOW.date() - timedelta(days=6)


def report(sender: Sender, day: date = LAST_WEEK) -> Report:
    found = told(View(sender, customer(str(DOMAIN)), held(str(DOMAIN)), day, "1"))
    assert found is not None
    return found


def written(manner: Manner, day: date = LAST_WEEK) -> dict[str, Any]:
    """The JSON of this sender."""
    sender = BY_MANNER[manner]
    found: dict[str, Any] = json.loads(content(sender, report(sender, day), NOW))
    return found


def mailed(manner: Manner) -> Message:
    sender = BY_MANNER[manner]
    return email.message_from_bytes(mail(sender, report(sender), DOMAIN, "to@reports.trinco.example", NOW))


def parts(manner: Manner) -> list[tuple[str, str]]:
    """(content type, file name) of each part."""
    return [(each.get_content_type(), each.get_filename("")) for each in mailed(manner).walk()][1:]


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.domain)
class TestEach:
    def test_is_read_as_what_it_says(self, sender: Sender) -> None:
        told = report(sender)
        whole = mail(sender, told, DOMAIN, "to@reports.trinco.example", NOW)
        read = parse.reports(whole)
        assert [each.totals for each in read] == [told.totals]
        assert [each.report_id for each in read] == [told.report_id]
        assert read == parse.reports(content(sender, told, NOW))

    def test_says_in_its_headers_what_it_is_about(self, sender: Sender) -> None:
        read = message.read(mail(sender, report(sender), DOMAIN, "to@reports.trinco.example", NOW))
        assert (read.domain, read.submitter, read.repeated) == (str(DOMAIN), sender.domain, ())
        assert read.subject is not None
        assert (read.subject.domain, read.subject.submitter) == (str(DOMAIN), sender.domain)
        assert [name.sender for name in read.file_names][:1] == [sender.domain]

    def test_its_lines_end_and_fit(self, sender: Sender) -> None:
        lines = mail(sender, report(sender), DOMAIN, "to@reports.trinco.example", NOW).split(b"\r\n")
        assert max(map(len, lines)) <= 998  # RFC 5322 section 2.1.1
        assert not any(b"\n" in line or b"\r" in line for line in lines)


class TestOddities:
    """PROTOCOL section 4: who writes what how."""

    def test_microsoft_names_no_mx_hosts_and_wraps_tlsa_in_one_string(self) -> None:
        sts, tlsa = (result["policy"] for result in written(Manner.MICROSOFT)["policies"])
        assert ("mx-host" in sts, len(tlsa["policy-string"]), len(json.loads(tlsa["policy-string"][0]))) == (
            False,
            1,
            2,
        )
        assert tlsa["policy-domain"] == "correio.example"

    def test_microsoft_once_wrote_times_without_a_zone(self) -> None:
        old = LAST_WEEK - timedelta(days=30)
        assert [written(Manner.MICROSOFT, day)["date-range"]["start-datetime"] for day in (old, LAST_WEEK)] == [
            f"{old}T00:00:00",
            f"{LAST_WEEK}T00:00:00Z",
        ]

    def test_microsoft_begins_with_html_and_names_no_ids_in_brackets(self) -> None:
        assert parts(Manner.MICROSOFT)[0] == ("text/html", "")
        assert "<" not in str(mailed(Manner.MICROSOFT)["Subject"])

    def test_microsoft_tells_neither_addresses_nor_servers(self) -> None:
        details = written(Manner.MICROSOFT)["policies"][0]["failure-details"]
        assert {name for detail in details for name in detail} <= {"result-type", "failed-session-count"}

    def test_mail_ru_folds_its_subject_and_adds_an_empty_part(self) -> None:
        assert str(mailed(Manner.MAIL_RU)["Subject"]).split("\r\n") == [
            "Report",
            " Domain:",
            " correio.example",
            " Submitter:",
            " posta-norte.example",
            " Report-ID:",
            f" <{report(BY_MANNER[Manner.MAIL_RU]).report_id}>",
        ]
        last = list(mailed(Manner.MAIL_RU).walk())[-1]
        assert (last.get_content_type(), last.get_payload()) == ("text/plain", "")

    @pytest.mark.parametrize("manner", [Manner.MAIL_RU, Manner.STALWART])
    def test_their_days_end_with_the_next_midnight(self, manner: Manner) -> None:
        assert written(manner)["date-range"]["end-datetime"] == f"{LAST_WEEK + timedelta(days=1)}T00:00:00Z"

    def test_postfix_asks_for_no_tls(self) -> None:
        assert [name for name, value in mailed(Manner.POSTFIX).items() if value == "No"] == ["TLS-Required"]
        assert "_idx1_" in written(Manner.POSTFIX)["report-id"]

    def test_stalwart_gives_details_also_where_there_are_none(self) -> None:
        assert [result["failure-details"] for result in written(Manner.STALWART, NOW.date())["policies"]] == [[]]

    def test_google_s_file_has_a_number_and_its_subject_no_colons(self) -> None:
        name = parts(Manner.GOOGLE)[1][1]
        assert name.startswith("gigante-mail.example!correio.example!")
        assert name.endswith("!001.json.gz")
        assert f"{LAST_WEEK}T00.00.00Z" in str(mailed(Manner.GOOGLE)["Subject"])

    def test_the_attachment_is_gzip(self) -> None:
        attachment = list(mailed(Manner.GOOGLE).walk())[-1].get_payload(decode=True)
        assert isinstance(attachment, bytes)
        assert json.loads(gzip.decompress(attachment)) == written(Manner.GOOGLE)
