"""Who vouches for a report (RFC 8460 section 3): the verdict on an arrival, and what it means for each report in it.

By mail: a DKIM signature of the submitter's domain or of one above it; not for what a mail within the mail says, nor
for a domain that stands in a header field which is not signed. By HTTPS: nobody, since the token stands in DNS.
Imported: a signature that still holds, or else the operator, who says so with `--trusted`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from trinco.core.errors import DnsFailure
from trinco.core.tlsrpt import message, parse
from trinco.core.tlsrpt.archive import GZIP, ZIP
from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import Report
from trinco.net import dkim
from trinco.net.dkim import Verdict
from trinco.net.dns import Dns, configured
from trinco.panel.reports.models import DOMAIN_LENGTH, TEXT_LENGTH, RawReport, Trust

VOUCHED = "x-trinco/vouched"
"""The media type of an import of which the operator says that it can be believed."""

Verify = Callable[[bytes, Dns, float], Awaitable[Verdict]]
"""As `net.dkim.verify`."""

_AT_ONCE = 32
_LONGEST_SECONDS = 10.0
"""Of one mail's look-ups: a batch full of signers with dead name servers ends within its lease."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """The verdict on an arrival, as its row keeps it: the best trust of any report in it, and why it is no better."""

    trust: Trust
    signer: str = ""
    reason: str = ""


def signed(raw: RawReport, body: bytes) -> bytes:
    """The mail whose signature is to be looked at; empty: it is none."""
    mail = _mail(raw, body)
    return b"" if mail and parse.forwarded(message.read(mail)) else mail


def _mail(raw: RawReport, body: bytes) -> bytes:
    if raw.channel == Channel.MAIL:
        return body
    if raw.channel == Channel.HTTPS or body.startswith((GZIP, ZIP)) or body.lstrip()[:1] in (b"{", b"<", b""):
        return b""
    return body if b"\r\n" in body else body.replace(b"\n", b"\r\n")  # as it went over the wire


def verdicts(mails: Mapping[int, tuple[bytes, float]], verify: Verify) -> dict[int, Verdict | Exception]:
    """For each mail (octets, Unix seconds of its arrival) the verdict, or what kept it from being known."""
    return asyncio.run(_verdicts(mails, verify)) if mails else {}


async def _verdicts(mails: Mapping[int, tuple[bytes, float]], verify: Verify) -> dict[int, Verdict | Exception]:
    dns, turns = configured(settings.CONFIG), asyncio.Semaphore(_AT_ONCE)

    async def one(mail: bytes, received_at: float) -> Verdict | Exception:
        try:
            async with turns, asyncio.timeout(_LONGEST_SECONDS):
                return await verify(mail, dns, received_at)
        except TimeoutError:
            return DnsFailure("the name servers took too long")
        except Exception as error:  # noqa: BLE001 - the outermost loop of one mail: it stops no other
            return error

    found = await asyncio.gather(*(one(*mail) for mail in mails.values()))
    return dict(zip(mails, found, strict=True))


def voucher(raw: RawReport, reports: Iterable[Report], verdict: Verdict | None) -> Voucher:
    """The verdict to keep. `verdict` None: it is no mail."""
    submitters = [report.submitter for report in reports]
    if verdict is not None:
        signers = [signer for submitter in submitters if (signer := dkim.vouches(verdict, submitter))]
        if signers:
            return Voucher(Trust.DKIM, signers[0][:DOMAIN_LENGTH])
    without = _without_signature(raw)
    return Voucher(without, reason=_reason(verdict, submitters) if without is Trust.NONE else "")


def trust_of(raw: RawReport, kept: Voucher, report: Report) -> tuple[Trust, str]:
    """Trust and signer of one report in an arrival with this verdict: each report is its own submitter's."""
    signer = dkim.vouches(Verdict((kept.signer,)), report.submitter) if kept.trust is Trust.DKIM else ""
    if signer and any(one.policy_domain_inferred for one in report.policies) and not domain_signed(raw, signer):
        signer = ""
    return (Trust.DKIM, signer) if signer else (_without_signature(raw), "")


def domain_signed(raw: RawReport, signer: str) -> bool:
    """Whether this signer vouches for the TLS-Report-Domain of the mail, too. Google signs it, Microsoft does not."""
    mail = _mail(raw, zlib.decompress(bytes(raw.body)))
    return bool(mail) and dkim.signed(mail, signer, message.DOMAIN)


def speaks_of(raw: RawReport, name: str) -> bool:
    """Whether the mail is about this domain by its TLS-Report-Domain, and each signature on it, if any, covers that. By
    HTTPS there is no such header, and nobody's signature to borrow."""
    if raw.channel == Channel.HTTPS:
        return True
    mail = _mail(raw, zlib.decompress(bytes(raw.body)))
    return bool(mail) and message.read(mail).domain == name and dkim.all_cover(mail, message.DOMAIN)


def _without_signature(raw: RawReport) -> Trust:
    if raw.channel == Channel.HTTPS:
        return Trust.HTTPS
    return Trust.OPERATOR if raw.channel == Channel.IMPORT and raw.media_type == VOUCHED else Trust.NONE


def _reason(verdict: Verdict | None, submitters: Sequence[str]) -> str:
    if verdict is None:
        return "nobody vouches for it"
    if not verdict.holds:
        return verdict.reason[:TEXT_LENGTH]
    claimed = submitters[0] if submitters else ""
    told = f"signed by {', '.join(verdict.signers)}, not by the domain of its contact ({claimed or 'none'})"
    return told[:TEXT_LENGTH]
