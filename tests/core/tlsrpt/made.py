"""Reports as senders write them, made here: the same oddities as real ones, and no name of anybody.

The standard's names stand here a second time, by hand: a misspelt one in the code does not go unnoticed.
"""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from trinco.core.errors import InputError
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report

POLICY = ("version: STSv1", "mode: testing", "mx: *.mail.receiver.example", "max_age: 86400")


def document(**changes: Any) -> dict[str, Any]:
    """The report of section 4.4 with every field; a keyword `organization_name` replaces `organization-name`."""
    whole: dict[str, Any] = {
        "organization-name": "Sender Inc.",
        "date-range": {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-01T23:59:59Z"},
        "contact-info": "tls-reports@sender.example",
        "report-id": "5065427c-23d3",
        "policies": [result()],
    }
    return {**whole, **{name.replace("_", "-"): value for name, value in changes.items()}}


def result(policy: Any = None, summary: Any = None, details: Any = None) -> dict[str, Any]:
    """One entry of `policies`."""
    found: dict[str, Any] = {
        "policy": policy
        if policy is not None
        else {
            "policy-type": "sts",
            "policy-string": list(POLICY),
            "policy-domain": "receiver.example",
            "mx-host": ["*.mail.receiver.example"],
        },
        "summary": summary
        if summary is not None
        else {"total-successful-session-count": 5326, "total-failure-session-count": 300},
    }
    return found if details is None else {**found, "failure-details": details}


DETAIL = {
    "result-type": "validation-failure",
    "sending-mta-ip": "2001:db8::1",
    "receiving-mx-hostname": "mx1.mail.receiver.example",
    "receiving-mx-helo": "mx1",
    "receiving-ip": "203.0.113.56",
    "failed-session-count": 300,
    "additional-information": "https://reports.sender.example/5065427c",
    "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
}


def octets(value: Any) -> bytes:
    return msgspec.json.encode(value)


def complaint(call: Callable[[bytes], Any], data: bytes) -> str:
    """Why it was refused; empty when it was not. Anything but our own errors goes through."""
    try:
        call(data)
    except InputError as error:
        return error.reason
    return ""


def report(**changes: Any) -> Report:
    """What `document()` says."""
    fields: dict[str, Any] = {
        "organization_name": "Sender Inc.",
        "contact_info": "tls-reports@sender.example",
        "report_id": "5065427c-23d3",
        "start": datetime(2026, 4, 1, tzinfo=UTC),
        "end": datetime(2026, 4, 1, 23, 59, 59, tzinfo=UTC),
        "policies": (policy_result(),),
    }
    return Report(**{**fields, **changes})


def policy_result(**changes: Any) -> PolicyResult:
    """What `result()` says."""
    fields: dict[str, Any] = {
        "policy_type": "sts",
        "policy_string": POLICY,
        "policy_domain": "receiver.example",
        "mx_host": ("*.mail.receiver.example",),
        "successful_session_count": 5326,
        "failed_session_count": 300,
    }
    return PolicyResult(**{**fields, **changes})


def detail(**changes: Any) -> FailureDetail:
    """What `DETAIL` says."""
    fields: dict[str, Any] = {
        "result_type": "validation-failure",
        "sending_mta_ip": "2001:db8::1",
        "receiving_mx_hostname": "mx1.mail.receiver.example",
        "receiving_mx_helo": "mx1",
        "receiving_ip": "203.0.113.56",
        "failed_session_count": 300,
        "additional_information": "https://reports.sender.example/5065427c",
        "failure_reason_code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
    }
    return FailureDetail(**{**fields, **changes})


def packed(*members: bytes) -> bytes:
    return b"".join(gzip.compress(member, mtime=0) for member in members)


def zipped(*members: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for number, member in enumerate(members):
            archive.writestr(zipfile.ZipInfo(f"../../{number}.exe"), member, method)
    return made.getvalue()


def part(content: bytes, *headers: str) -> bytes:
    """A part in base64, with the headers given."""
    head = "".join(f"{header}\r\n" for header in (*headers, "Content-Transfer-Encoding: base64"))
    return head.encode() + b"\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


SUBJECT = "Subject: Report Domain: receiver.example Submitter: sender.example Report-ID: <5065427c@sender.example>"
LABELS = (
    'Content-Type: application/tlsrpt+gzip; name="sender.example!receiver.example!1774999800!1775086199!001.json.gz"',
    'Content-Disposition: attachment;\r\n\tfilename="sender.example!receiver.example!1774999800!1775086199!001.json.gz"',
)
TEXT = b"Content-Type: text/plain\r\n\r\nThis is an aggregate TLS report from sender.example\r\n"


def mail(*parts: bytes, headers: tuple[str, ...] = (SUBJECT,)) -> bytes:
    """A mail of section 5.3 around these parts."""
    head = (
        "From: tls-reports@sender.example",
        "To: reports@receiver.example",
        "TLS-Report-Domain: receiver.example",
        "TLS-Report-Submitter: sender.example",
        *headers,
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=tlsrpt; boundary="=_1"',
    )
    body = b"".join(b"--=_1\r\n" + each + b"\r\n" for each in parts)
    return "".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + body + b"--=_1--\r\n"
