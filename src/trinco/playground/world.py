"""The made-up internet's zones, and what a name server finds in them (RFC 1034 section 4.3.2, wildcards by RFC 4592).

Names are A-labels in lower case without the final dot. A TXT value is the plain text; all other values are in the
presentation format of their type.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from trinco.core.errors import TrincoError

TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "TXT")
"""The types that the playground holds."""

MAX_RECORDS = 5_000


class RecordRefused(TrincoError):
    """This record cannot be published: it is malformed, outside every zone, or a CNAME would stand beside others."""


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One record. `Record.parse` checks it; the constructor trusts."""

    name: str
    type: str
    value: str

    @classmethod
    def parse(cls, name: str, rtype: str, value: str) -> Record:
        """The record in its normal spelling. Raises RecordRefused."""
        kind = rtype.upper()
        if kind not in TYPES:
            raise RecordRefused(f"records of type {rtype} are not kept here: only {', '.join(TYPES)}")
        record = cls(_name(name), kind, value.strip())
        text = record.rdata.to_text()
        return record if kind == "TXT" else cls(record.name, kind, text)

    @property
    def rdata(self) -> dns.rdata.Rdata:
        """The value as dnspython knows it. Raises RecordRefused."""
        text = _quoted(self.value) if self.type == "TXT" else self.value
        try:
            return dns.rdata.from_text("IN", self.type, text, origin=dns.name.root, relativize=False)
        except (dns.exception.DNSException, ValueError) as error:
            raise RecordRefused(f"{self.value!r} is not a value of type {self.type}: {error}") from error


def _name(text: str) -> str:
    try:
        return dns.name.from_text(text.strip().lower()).to_text(omit_final_dot=True)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise RecordRefused(f"{text!r} is not a name: {error}") from error


def _quoted(text: str) -> str:
    """A TXT value as quoted strings of at most 255 octets each (RFC 1035 section 3.3.14)."""
    data = text.encode() or b""
    parts = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{octet:03d}" for octet in part) + '"' for part in parts)


class Outcome(Enum):
    """What a name server finds."""

    ANSWER = auto()
    ALIAS = auto()
    """A CNAME where another type was asked for."""
    NO_DATA = auto()
    NO_NAME = auto()
    REFERRAL = auto()
    """The name lies below a delegation: the records are the NS of the child."""
    FOREIGN = auto()
    """No zone of ours holds the name."""


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome, its records (owner = the name asked for), and the zone that answered ("" if none)."""

    outcome: Outcome
    zone: str
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone's name and what it is there to show."""

    origin: str
    note: str = ""


class World:
    """All zones. Small, mutable, and used from one thread."""

    def __init__(self, zones: Iterable[Zone], records: Iterable[Record]) -> None:
        self._zones = {zone.origin: zone for zone in zones}
        self._records: dict[str, set[Record]] = defaultdict(set)
        for record in records:
            self._records[record.name].add(record)

    @property
    def zones(self) -> tuple[Zone, ...]:
        return tuple(sorted(self._zones.values(), key=lambda zone: zone.origin))

    def zone_of(self, name: str) -> str | None:
        """The origin of the zone that holds this name, or None."""
        return next((origin for origin in ancestors(name) if origin in self._zones), None)

    def records(self, origin: str) -> tuple[Record, ...]:
        """All records of one zone, sorted."""
        every = (record for records in self._records.values() for record in records)
        return tuple(sorted(record for record in every if self.zone_of(record.name) == origin))

    def put(self, record: Record) -> None:
        """Publish a record. Raises RecordRefused; publishing one that is there already changes nothing."""
        if self.zone_of(record.name) is None:
            raise RecordRefused(f"{record.name} lies in no zone of the playground")
        there = self._records.get(record.name, set())
        kinds = {other.type for other in there if other != record}
        if record.type == "CNAME" and kinds:
            raise RecordRefused(f"a CNAME cannot stand beside the {', '.join(sorted(kinds))} at {record.name}")
        if "CNAME" in kinds:
            raise RecordRefused(f"nothing can stand beside the CNAME at {record.name}")
        if sum(map(len, self._records.values())) >= MAX_RECORDS:
            raise RecordRefused(f"the playground holds no more than {MAX_RECORDS} records")
        self._records[record.name].add(record)

    def remove(self, name: str, rtype: str, value: str | None = None) -> int:
        """Take back the records of a name and type, or the one with this value. Gives how many there were."""
        there = self._records.get(name, set())
        gone = {record for record in there if record.type == rtype and value in (None, record.value)}
        there -= gone
        if not there:
            self._records.pop(name, None)
        return len(gone)

    def replace(self, zone: Zone, records: Iterable[Record]) -> None:
        """Make this zone hold exactly these records."""
        for record in self.records(zone.origin):
            self.remove(record.name, record.type, record.value)
        self._zones[zone.origin] = zone
        for record in records:
            self._records[record.name].add(record)

    def look_up(self, name: str, rtype: str) -> Found:
        """What the authoritative server of this name finds. `name` is lower case."""
        zone = self.zone_of(name)
        if zone is None:
            return Found(Outcome.FOREIGN, "")
        if cut := self._delegation(name, zone):
            return Found(Outcome.REFERRAL, zone, self._of(cut, "NS"))
        owner = name if self._exists(name) else self._wildcard(name, zone)
        if owner is None:
            return Found(Outcome.NO_NAME, zone)
        return self._at(owner, name, rtype, zone)

    def held(self, name: str, rtype: str) -> tuple[Record, ...]:
        """The records that stand at a name itself, whatever lies between: for the addresses beside a delegation."""
        return self._of(name, rtype)

    def soa(self, zone: str) -> Record:
        """The SOA of a zone: made up where the zone holds none."""
        held = self._of(zone, "SOA")
        return held[0] if held else Record(zone, "SOA", f"ns1.dns.example. hostmaster.{zone}. 1 3600 600 1209600 60")

    def _at(self, owner: str, name: str, rtype: str, zone: str) -> Found:
        if alias := self._of(owner, "CNAME"):
            wanted = rtype in ("CNAME", "ANY")
            return Found(Outcome.ANSWER if wanted else Outcome.ALIAS, zone, _owned(alias, name))
        if rtype == "SOA" and owner == zone:
            return Found(Outcome.ANSWER, zone, (self.soa(zone),))
        records = self._of(owner, rtype)
        return Found(Outcome.ANSWER if records else Outcome.NO_DATA, zone, _owned(records, name))

    def _of(self, name: str, rtype: str) -> tuple[Record, ...]:
        there = self._records.get(name, set())
        return tuple(sorted(record for record in there if rtype in (record.type, "ANY")))

    def _delegation(self, name: str, zone: str) -> str | None:
        below = [ancestor for ancestor in ancestors(name) if len(ancestor) > len(zone)]
        return next((cut for cut in reversed(below) if self._of(cut, "NS")), None)

    def _exists(self, name: str) -> bool:
        """Whether the name is there, if only because another stands below it (an empty non-terminal), or is a zone."""
        return name in self._records or name in self._zones or any(each.endswith("." + name) for each in self._names())

    def _names(self) -> Iterator[str]:
        yield from self._records
        yield from self._zones

    def _wildcard(self, name: str, zone: str) -> str | None:
        """The owner of the wildcard that synthesises this name (RFC 4592 section 3.3.1), or None."""
        above = (ancestor for ancestor in ancestors(name) if ancestor != name and len(ancestor) >= len(zone))
        encloser = next((ancestor for ancestor in above if self._exists(ancestor)), zone)
        source = f"*.{encloser}"
        return source if source in self._records else None


def _owned(records: tuple[Record, ...], name: str) -> tuple[Record, ...]:
    return tuple(Record(name, record.type, record.value) for record in records)


def ancestors(name: str) -> Iterator[str]:
    """The name itself, its parent, and so on to the top-level domain."""
    while name:
        yield name
        _, _, name = name.partition(".")
