"""The `_smtp._tls` TXT record and where it wants reports (RFC 8460 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from trinco.core import records
from trinco.core.errors import RecordSyntaxError
from trinco.core.remarks import Fault, Kind, Remark, shown
from trinco.core.txt import KINDS, WSP, Field, is_extension, split

VERSION = "v=TLSRPTv1"

# RFC 3986 characters without `,` `!` `;`, which section 3 wants percent-encoded inside a URI.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@$&'()*+=]|%[0-9A-Fa-f]{2})+")
_MAILBOX = re.compile(r"mailto:[^@/?#\[\]:]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:\?[^#]*)?", re.IGNORECASE)
_HTTPS = re.compile(r"https://[A-Za-z0-9.\-\[\]:]+(?:[/?].*)?", re.IGNORECASE)

_KINDS: Mapping[str, Kind] = {
    **KINDS,
    "rua-missing": Kind("error", "the field rua is missing", fatal=True),
    "rua-empty": Kind("error", "an empty address in rua", fatal=True),
    "rua-syntax": Kind("error", "rua holds {0}, no URI; each address needs its own mailto: or https:", fatal=True),
    "rua-unencoded": Kind("error", "rua holds {0}: write ! as %21 inside an address", fatal=True),
    "rua-scheme": Kind("error", "{0} is neither mailto: nor https: no sender delivers there"),
    "rua-mailto": Kind("error", "{0} does not name a mailbox"),
    "rua-https": Kind("error", "{0} does not name a host"),
    "rua-again": Kind("warning", "{0} stands here again"),
    "rua-twice": Kind("error", "a second rua: put all addresses into the first, with commas"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A record that may be published. `rua` are URIs, in the order of the record."""

    rua: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.rua, list | tuple) or not self.rua or not all(isinstance(uri, str) for uri in self.rua):
            raise RecordSyntaxError("rua is one URI or more")
        for uri in self.rua:
            if not _URI.fullmatch(uri):
                raise RecordSyntaxError(f"{shown(uri, 80)} is no URI of a rua", source=uri, span=(0, len(uri)))
        object.__setattr__(self, "rua", tuple(self.rua))


def parse(text: str) -> Record | None:
    """The record; None: `text` does not begin with `v=TLSRPTv1;` and so is none. RecordSyntaxError: one, but broken."""
    return records.parse(STANDARD, text)


def select(texts: Iterable[str]) -> Record:
    """The one record among the TXT of a name. Raises NoRecord, MultipleRecords, RecordSyntaxError: each means that the
    domain wants no reports.
    """
    return records.select(STANDARD, texts)


def lint(texts: Iterable[str]) -> tuple[Remark, ...]:
    """All that is wrong or doubtful in the TXT records of one name. A remark's line is the record's number."""
    return records.lint([STANDARD], texts)


def render(record: Record) -> str:
    """The text to publish."""
    return f"{VERSION}; rua={','.join(record.rua)}"


def _read(text: str) -> tuple[Record | None, tuple[Fault, ...]]:
    split_fields = split(text, VERSION)
    faults = list(split_fields.faults)
    ruas = [field for field in split_fields.fields if field.name == "rua"]
    for field in split_fields.fields:
        if field.name != "rua":
            faults += _extension(field)
    if not ruas:
        return None, (*faults, Fault(len(text), len(text), "rua-missing"))
    faults += [Fault(field.start, field.end, "rua-twice") for field in ruas[1:]]
    uris = list(_uris(ruas[0]))
    faults += _uri_faults(uris)
    if all(_URI.fullmatch(uri) for _, uri in uris):
        return Record(tuple(uri for _, uri in uris)), tuple(faults)
    return None, tuple(faults)


def _uris(field: Field) -> Iterator[tuple[int, str]]:
    """(offset, URI) of each address, without the white space around the commas."""
    at = field.value_start
    for piece in field.value.split(","):
        yield at + len(piece) - len(piece.lstrip(WSP)), piece.strip(WSP)
        at += len(piece) + 1


def _uri_faults(uris: list[tuple[int, str]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, uri in uris:
        if key := ("rua-again" if uri in seen else _uri_fault(uri)):
            yield Fault(at, at + len(uri), key, () if key == "rua-empty" else (shown(uri, 80),))
        seen.add(uri)


def _uri_fault(uri: str) -> str | None:
    if not uri:
        return "rua-empty"
    if not _URI.fullmatch(uri):
        return "rua-unencoded" if "!" in uri else "rua-syntax"
    scheme = uri.partition(":")[0].lower()
    if scheme not in {"mailto", "https"}:
        return "rua-scheme"
    shape = _MAILBOX if scheme == "mailto" else _HTTPS
    return None if shape.fullmatch(uri) else f"rua-{scheme}"


def _extension(field: Field) -> list[Fault]:
    if not is_extension(field):
        return [Fault(field.start, field.end, "field-syntax", (shown(f"{field.name}={field.value}"),))]
    if field.name.lower() == "rua":
        return [Fault(field.start, field.end, "field-case", (field.name, "rua"))]
    return []


STANDARD = records.Standard(VERSION, _KINDS, _read)
