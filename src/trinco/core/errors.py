"""One error tree.

What a foreign library raises is mapped into this tree at the border, so that whoever calls Trinco catches
`TrincoError` and nothing else. A class carries the RFC 8460 section 4.3 result type that a sender would report for it,
where there is one.
"""

from __future__ import annotations

from typing import ClassVar


class TrincoError(Exception):
    """The root. `result_type` is the RFC 8460 section 4.3 word for this failure; None: the standard has none."""

    result_type: ClassVar[str | None] = None


class InputError(TrincoError):
    """Something that was given to us is not what it should be.

    `source` is what was read (None when it is too large or not text) and `span` the offsets of the fault in it, so that
    a page can underline the fault.
    """

    def __init__(self, reason: str, *, source: str | None = None, span: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
        self.span = span

    @property
    def line(self) -> int | None:
        """The line of the fault, counted from 1 over LF alone (never the Unicode line ends), or None."""
        if self.source is None or self.span is None:
            return None
        return self.source.count("\n", 0, self.span[0]) + 1

    @property
    def column(self) -> int | None:
        """The column of the fault in its line, counted from 1, or None."""
        if self.source is None or self.span is None:
            return None
        return self.span[0] - self.source.rfind("\n", 0, self.span[0])


class DomainSyntaxError(InputError):
    """Not a name under which a mail domain can be hosted."""


class TagSyntaxError(InputError):
    """Not a tag that a domain can have."""


class RecordSyntaxError(InputError):
    """A TXT record of ours (`_mta-sts`, `_smtp._tls`) that breaks the grammar of its standard."""


class PolicySyntaxError(InputError):
    """A policy file that breaks RFC 8461 section 3.2."""

    result_type = "sts-policy-invalid"


class ReportSyntaxError(InputError):
    """A TLS report that breaks RFC 8460 section 4.4 beyond what any known sender needs."""


class TooLarge(InputError):
    """More than the limit for this kind of input."""


class LookupFailure(TrincoError):
    """DNS gave no usable record."""


class NoRecord(LookupFailure):
    """No record of ours at this name (RFC 8461 section 3.1: assume that the domain has no policy)."""


class MultipleRecords(LookupFailure):
    """More than one record of ours at this name: treated as none (RFC 8461 section 3.1, RFC 8460 section 3)."""


class DnsFailure(LookupFailure):
    """DNS could not be asked, or did not answer: nothing is known, which is not the same as "no record"."""


class FetchFailure(TrincoError):
    """The policy could not be fetched over HTTPS (RFC 8461 section 3.3)."""

    result_type = "sts-policy-fetch-error"


class NoPolicy(FetchFailure):
    """Nobody answered at the policy host, or not in time."""


class PolicyTlsError(FetchFailure):
    """The policy host's certificate is not valid for `mta-sts.<domain>`."""

    result_type = "sts-webpki-invalid"


class PolicyHttpError(FetchFailure):
    """The policy host answered, but not with 200 and a text/plain body of bearable size."""


class Refused(TrincoError):
    """An edge's answer to a stranger's request that it will not serve."""

    def __init__(self, reason: str, *, http_status: int | None = None, smtp_reply: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.http_status = http_status
        self.smtp_reply = smtp_reply


class FeedUnavailable(TrincoError):
    """The database behind an edge's feed is away. The edge goes on serving what it holds, and says since when."""


class LeaseLost(TrincoError):
    """The database is there, but this edge's lease is not: it ran out, or belongs to another process of this name.

    The edge registers anew, takes the changes, and only then answers again.
    """
