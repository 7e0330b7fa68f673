"""A report as its sender writes it: the JSON with the sender's oddities, and the signed mail around it.

Reports are written by `core.tlsrpt.render` (RFC 8460 sections 4.4, 5.1, 5.3); what is done to them afterwards is what
real senders were seen to do.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import dkim

from trinco.core.names import Domain
from trinco.core.tlsrpt import render
from trinco.core.tlsrpt.report import Report
from trinco.playground.senders import Manner, Sender

Part = tuple[tuple[str, ...], str]
"""The header fields of a part, and its content as it stands in the mail."""

_NEW_TIMES = timedelta(days=21)
"""So long ago the one in the manner of Microsoft began to write its times with a zone."""
SIGNED = ("From", "To", "Subject", "Date", "Message-ID", "TLS-Report-Domain", "TLS-Report-Submitter", "Content-Type")


def content(sender: Sender, report: Report, now: datetime) -> bytes:
    """The JSON. Raises ReportSyntaxError for a report that cannot be written."""
    plain = render.to_json(report)
    if sender.manner is Manner.MICROSOFT:
        return _in_microsofts_manner(report, old=report.end < now - _NEW_TIMES)
    if sender.manner is Manner.MAIL_RU:
        return json.dumps(render.document(report), sort_keys=True, separators=(",", ":")).encode()
    return _with_empty_details(report) if sender.manner is Manner.STALWART else plain


def _in_microsofts_manner(report: Report, *, old: bool) -> bytes:
    document = render.document(report)
    for result in document["policies"]:
        policy = result["policy"]
        policy.pop("mx-host", None)
        if policy["policy-type"] == "tlsa":
            policy["policy-string"] = [json.dumps(policy["policy-string"], separators=(",", ":"))]
    if old:
        span = document["date-range"]
        document["date-range"] = {name: instant.removesuffix("Z") for name, instant in span.items()}
    return json.dumps(document).encode()


def _with_empty_details(report: Report) -> bytes:
    document = render.document(report)
    for result in document["policies"]:
        result.setdefault("failure-details", [])
    return json.dumps(document).encode()


def packed(body: bytes) -> bytes:
    """The report in gzip; the same octets every time."""
    return gzip.compress(body, mtime=0)


def mail(sender: Sender, report: Report, domain: Domain, to: str, now: datetime) -> bytes:
    """The whole message with CRLF, not signed yet, on `domain`, to this address."""
    boundary = f"=_{_number(report)}"
    head = [
        f"From: {sender.organization_name} <{sender.address}>",
        f"To: {to}",
        _subject(sender, report, domain),
        f"Date: {format_datetime(min(now, report.end + timedelta(hours=4)).astimezone(UTC))}",
        f"Message-ID: <{_number(report)}.{report.start:%Y%m%d}@{sender.domain}>",
        f"TLS-Report-Domain: {domain}",
        f"TLS-Report-Submitter: {report.submitter}",
        *(["TLS-Required: No"] if sender.manner is Manner.POSTFIX else []),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type="tlsrpt"; boundary="{boundary}"',
    ]
    return _joined(head, boundary, _parts(sender, report, domain, now))


def _subject(sender: Sender, report: Report, domain: Domain) -> str:
    text = render.subject(report, domain)
    if sender.manner is Manner.MICROSOFT:
        text = text.replace(" Submitter:", "\r\n Submitter:").replace("<", "").replace(">", "")
    if sender.manner is Manner.MAIL_RU:
        text = text.replace(" ", "\r\n ")
    return f"Subject: {text}"


def _number(report: Report) -> str:
    """Digits that belong to this report."""
    return str(int.from_bytes(report.report_id.encode(), "big") % 10**18).zfill(18)


def _parts(sender: Sender, report: Report, domain: Domain, now: datetime) -> Iterable[Part]:
    words = f"This is an aggregate TLS report from {sender.domain}."
    if sender.manner is Manner.MICROSOFT:
        yield ('Content-Type: text/html; charset="us-ascii"',), f"<html><body><p>{words}</p></body></html>"
    else:
        yield ("Content-Type: text/plain; charset=UTF-8",), words
    unique = {Manner.GOOGLE: "001", Manner.MICROSOFT: _number(report)}.get(sender.manner, "")
    name = render.file_name(report, domain, unique)
    label = f'; name="{name}"' if sender.manner in (Manner.GOOGLE, Manner.MAIL_RU) else ""
    yield (
        (
            f"Content-Type: application/tlsrpt+gzip{label}",
            f'Content-Disposition: attachment; filename="{name}"',
            "Content-Transfer-Encoding: base64",
        ),
        _wrapped(base64.b64encode(packed(content(sender, report, now))).decode()),
    )
    if sender.manner is Manner.MAIL_RU:
        yield ("Content-Type: text/plain; charset=utf-8",), ""


def _wrapped(text: str) -> str:
    return "\r\n".join(re.findall(".{1,76}", text))


def _joined(head: Sequence[str], boundary: str, parts: Iterable[Part]) -> bytes:
    lines = [*head, "", "This is a message in MIME format.", ""]
    for fields, body in parts:
        lines += [f"--{boundary}", *fields, "", body]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode()


def signed(sender: Sender, message: bytes, key: bytes) -> bytes:
    """The message with the sender's signature in front (RFC 6376): relaxed, over the fields that RFC 8460 names."""
    field: Any = dkim.sign(
        message,
        sender.selector.encode(),
        sender.domain.encode(),
        key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.lower().encode() for name in SIGNED],
    )
    return bytes(field) + message
