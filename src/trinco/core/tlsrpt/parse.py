"""Reading TLS reports (RFC 8460 sections 4.4 and 5): octets in, Reports out, whatever they came packed in.

JSON, gzip, zip and mail are told apart by what they begin with, never by a label. No input raises anything but
ReportSyntaxError and TooLarge, and each has bounds: see `archive`, `message` and `json_rules`, which also has the rules
for JSON itself (encoding, duplicate names, NaN, depth).

Two paths lead to the same value. A report as nearly all senders write it is decoded straight into types. Whatever that
path does not take for certain goes the other: strict JSON first, then the tolerances below, each named for the sender
that needs it, then the same types. The rules of both:

- a count is a whole number from 0 to 2**63-1: no boolean, no fraction or exponent, nothing negative. Digits in a string
  are taken for a number: no sender is known to write them so, readers that others test against do take them;
- a text holds no NUL, no half of a character (lone surrogate), and at most 16,384 characters;
- names that are not the standard's are passed over; result and policy types that are not stay as text;
- the organisation, the date range, the report-id, each policy's type and summary, and each detail's result type and
  count have to be there. What else is missing is an empty text, an empty tuple or a 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import methodcaller
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from trinco.core.errors import ReportSyntaxError, TooLarge
from trinco.core.remarks import shown
from trinco.core.tlsrpt import archive, json_rules, message
from trinco.core.tlsrpt.report import Count, FailureDetail, PolicyResult, Report, Text, utc

MAX_REPORT = archive.MAX_UNPACKED
"""Octets of a report's JSON."""

_FAST = 1024 * 1024
"""Octets: what is larger goes the path that counts values before it builds them."""

_PACKED = (archive.GZIP, archive.ZIP)
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{")
_XML = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*<")
_MAIL = re.compile(rb"[\r\n]*(?:From |[!-9;-~]+[ \t]*:)")
_COUNT = re.compile(r"[0-9]{1,19}")
_BLANK = " \t\r\n"


# --- the standard's names: each field is one, with hyphens -----------------------------------------------------------


class _DateRange(msgspec.Struct, rename="kebab"):
    start_datetime: Text
    end_datetime: Text


class _Policy(msgspec.Struct, rename="kebab"):
    policy_type: Text
    policy_string: tuple[Text, ...] | Text | UnsetType = UNSET
    policy_domain: Text | UnsetType = UNSET
    mx_host: tuple[Text, ...] | Text | UnsetType = UNSET


class _Summary(msgspec.Struct, rename="kebab"):
    total_successful_session_count: Count | UnsetType = UNSET
    total_failure_session_count: Count | UnsetType = UNSET


class _Result(msgspec.Struct, rename="kebab"):
    policy: _Policy
    summary: _Summary
    failure_details: tuple[FailureDetail, ...] | UnsetType = UNSET


class _Document(msgspec.Struct, rename="kebab", kw_only=True):
    organization_name: Text
    date_range: _DateRange
    contact_info: Text | UnsetType = UNSET
    report_id: Text
    policies: tuple[_Result, ...]


_decode = msgspec.json.Decoder(_Document).decode
_encode = msgspec.json.Encoder().encode


# --- containers ------------------------------------------------------------------------------------------------------


def reports(data: bytes) -> list[Report]:
    """Every report in `data`: JSON, gzip or zip of it, or a mail (RFC 5322) with any of these in its parts.

    At least one: otherwise ReportSyntaxError, with the reason. TooLarge when it is more than the bounds.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ReportSyntaxError("a report is read from octets")
    data = bytes(data)
    if _begins_as_one(data) or _XML.match(data):
        return [_read(piece, "") for piece in _unpacked(data, MAX_REPORT)]
    if _MAIL.match(data):
        return in_mail(message.read(data))
    raise ReportSyntaxError("neither JSON nor gzip, zip or mail" if data else "empty")


def in_mail(mail: message.Mail) -> list[Report]:
    """Every report in the parts of a mail, as `reports` does.

    Parts that are none, as the text around it, are passed over. So is a part that begins as a report and cannot be
    read, while another one can. Mails within the mail are looked into where it has no report itself (`forwarded`).
    Where a report names no policy domain, the TLS-Report-Domain is taken, and marked.
    """
    parts = mail.enclosed if forwarded(mail) else mail.parts
    found: list[Report] = []
    faults: list[ReportSyntaxError] = []
    room = MAX_REPORT
    for part in filter(_begins_as_one, parts):
        try:
            pieces = _unpacked(part, room)
            room -= sum(map(len, pieces))
            found += [_read(piece, mail.domain) for piece in pieces]
        except ReportSyntaxError as error:
            faults.append(error)
            room //= 2  # what a damaged part cost is not known
    if not found:
        raise faults[0] if faults else ReportSyntaxError("no part of this mail is a report")
    return found


def forwarded(mail: message.Mail) -> bool:
    """Whether the reports are looked for in the mails within this one, for which its signature does not speak."""
    return bool(mail.enclosed) and not any(map(_begins_as_one, mail.parts))


def _begins_as_one(data: bytes) -> bool:
    return data.startswith(_PACKED) or _is_wide(data) or _JSON.match(data) is not None


def _is_wide(data: bytes) -> bool:
    """UTF-16 and UTF-32 show a BOM or a NUL at once."""
    return data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]


def _unpacked(data: bytes, room: int) -> list[bytes]:
    if data.startswith(archive.GZIP):
        return [archive.gunzip(data, room)]
    if data.startswith(archive.ZIP):
        return archive.unzip(data, room)
    if len(data) > room:
        raise TooLarge(f"larger than {MAX_REPORT} octets")
    return [data]


# --- JSON ------------------------------------------------------------------------------------------------------------


def _read(data: bytes, domain: str) -> Report:
    """The report that stands in `data`, unpacked. `domain` is that of the mail around it."""
    if data.startswith(b'{"'):  # as nearly all are
        return _parsed(data, domain)
    if data.startswith(_PACKED):
        raise ReportSyntaxError("packed twice: one layer is read")
    if _is_wide(data):
        raise ReportSyntaxError("not UTF-8: this looks like UTF-16 or UTF-32, or is no text")
    if _XML.match(data):
        raise ReportSyntaxError("XML, as reports of DMARC are; a TLS report is JSON")
    return _parsed(data, domain)


def _parsed(data: bytes, domain: str) -> Report:
    if document := _fast(data):
        return _report(document, domain)
    report = _report(_tolerant(data), domain)
    if b"\\u" in data:
        _refuse_unwritable(report)
    return report


def _fast(data: bytes) -> _Document | None:
    """The document, if it is certain that the other path gives the same; None otherwise. `\\u`, which could hide what
    `_is_whole` counts, is left to the other path.
    """
    if len(data) > _FAST or (b"\\" in data and b"\\u" in data):
        return None
    try:
        document = _decode(data)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return document if _is_whole(data, _encode(document)) else None


def _is_whole(data: bytes, again: bytes) -> bool:
    """Whether the decoder passed over nothing. A name that stands there twice, or is unknown, is not written `again`,
    nor is its colon: so the colons are counted, and where each stands right behind its name, which costs half as much,
    with the quotation mark in front.
    """
    if len(data) == len(again):
        return True
    apart = b'" ' in data or b"\n" in data or b"\t" in data or b"\r" in data
    colon = b":" if apart else b'":'
    return data.count(colon) == again.count(colon)


def _tolerant(data: bytes) -> _Document:
    document = json_rules.load(data)
    for tolerance in TOLERANCES:
        tolerance(document)
    try:
        return msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise ReportSyntaxError(_reason(error)) from error
    except UnicodeEncodeError as error:
        raise ReportSyntaxError("half of a character in a name") from error


def _reason(error: msgspec.ValidationError) -> str:
    """`policies[0].summary: Expected ...`: the path first, as in every message that has one."""
    what, _, path = str(error).partition(" - at `$")
    return f"{path.strip('.`')}: {what}" if path else what


def _refuse_unwritable(report: Report) -> None:
    """Only an escape can bring in what no database and no file takes."""
    for text in _texts(report):
        if "\0" in text:
            raise ReportSyntaxError(f"a NUL in {shown(text)}")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ReportSyntaxError(f"half of a character in {shown(text)}")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        yield from _texts(msgspec.structs.astuple(value))
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)


# --- from the wire's types to ours -----------------------------------------------------------------------------------


def _report(document: _Document, domain: str) -> Report:
    contact = document.contact_info
    return Report(
        document.organization_name,
        "" if contact is UNSET else contact,
        document.report_id,
        _instant(document.date_range.start_datetime),
        _instant(document.date_range.end_datetime),
        tuple([_policy_result(result, domain) for result in document.policies]),
    )


def _policy_result(result: _Result, domain: str) -> PolicyResult:
    policy, summary, details = result.policy, result.summary, result.failure_details
    succeeded, failed = summary.total_successful_session_count, summary.total_failure_session_count
    stated = "" if policy.policy_domain is UNSET else policy.policy_domain
    return PolicyResult(
        policy.policy_type,
        _unwrapped(_lines(policy.policy_string)),
        stated or domain,
        tuple([_without_key(host) for host in _lines(policy.mx_host)]),
        0 if succeeded is UNSET else succeeded,
        0 if failed is UNSET else failed,
        () if details is UNSET else details,
        policy_domain_inferred=not stated and bool(domain),
    )


def _instant(text: str) -> datetime:
    """RFC 3339. Without a zone (Microsoft until 2023) it is UTC, as section 4.4 wants the day to be."""
    try:
        return utc(msgspec.convert(text, datetime))
    except (ValueError, OverflowError) as error:  # also what cannot be turned into UTF-8
        raise ReportSyntaxError(f"date-range: {shown(text)} is no date and time of RFC 3339") from error


def _lines(value: tuple[str, ...] | str | UnsetType) -> tuple[str, ...]:
    """Without the blanks at the ends of items (Google 2020: a space, 2022: the CR of the policy file).

    One string stands for an array of one: `mx-host` in the standard's own example (erratum 6241).
    """
    if value is UNSET:
        return ()
    items = (value,) if isinstance(value, str) else value
    return tuple(map(_without_blanks, items))


_without_blanks = methodcaller("rstrip", _BLANK)


def _unwrapped(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The TLSA records where one string holds a whole JSON array of them (Microsoft)."""
    if len(lines) != 1 or not lines[0].startswith("["):
        return lines
    try:
        return _lines(msgspec.json.decode(lines[0], type=tuple[str, ...]))
    except (ValueError, RecursionError):
        return lines


def _without_key(host: str) -> str:
    """Without `mx:` in front (seen beside a report of Stalwart's)."""
    return host[3:].strip(_BLANK) if host.startswith("mx:") else host


# --- tolerances of structure: each changes a document that is not yet known to be one --------------------------------


def _policies_in_one_object(document: Any) -> None:
    """One policy stands there without an array around it (readers' own samples; section 4.4 has an array always)."""
    if isinstance(document, dict) and isinstance(document.get("policies"), dict):
        document["policies"] = [document["policies"]]


def _nothing_is_absent(document: Any) -> None:
    """`null` for what is not known: `contact-info` of a Stalwart server without a contact set."""
    for each in _objects(document):
        for name in [name for name, value in each.items() if value is None]:
            del each[name]


def _counts_in_strings(document: Any) -> None:
    """Digits in quotes: see the rules above."""
    for each in _objects(document):
        for name, value in each.items():
            if name.endswith("-session-count") and isinstance(value, str) and _COUNT.fullmatch(value):
                each[name] = int(value)


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """The objects in which the standard's names stand: the report, its policies, their parts and details."""
    results = [result for result in _items(document, "policies") if isinstance(result, dict)]
    below = [part for result in results for part in (result.get("policy"), result.get("summary"))]
    details = [detail for result in results for detail in _items(result, "failure-details")]
    whole = [document, *results, *below, *details]
    yield from (each for each in whole if isinstance(each, dict))


def _items(container: Any, name: str) -> list[Any]:
    items = container.get(name) if isinstance(container, dict) else None
    return items if isinstance(items, list) else []


TOLERANCES: tuple[Callable[[Any], None], ...] = (_policies_in_one_object, _nothing_is_absent, _counts_in_strings)
