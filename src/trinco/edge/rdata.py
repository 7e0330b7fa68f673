"""The record types of our zone, one class each with the same verbs: TYPE, `parts` (wire form) and `text` (zone file).

Wire form comes as `Parts`: stretches of bytes between which a two-octet pointer to the zone's apex belongs (RFC 1035
section 4.1.4). The apex stands at a different offset in each question, so `pointer.join(parts)` finishes a record.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import ClassVar, Protocol

from trinco.edge import wire

Parts = tuple[bytes, ...]


class Rdata(Protocol):
    """The data of one record. `mnemonic` is the type's name in a zone file."""

    TYPE: ClassVar[int]
    mnemonic: ClassVar[str]

    def parts(self, base: str) -> Parts:
        """RDATA in wire form, for a zone whose apex is `base`."""

    def text(self) -> str:
        """RDATA as a zone file has it; names are absolute."""


@dataclass(frozen=True, slots=True)
class Soa:
    """RFC 1035 section 3.3.13; `minimum` is the negative TTL of RFC 2308 section 4. Times in seconds."""

    TYPE: ClassVar[int] = wire.SOA
    mnemonic: ClassVar[str] = "SOA"
    mname: str
    rname: str
    times: tuple[int, int, int, int, int]
    """Serial, refresh, retry, expire, minimum."""

    def parts(self, base: str) -> Parts:
        return concat(name_parts(self.mname, base), name_parts(self.rname, base), (struct.pack("!5I", *self.times),))

    def text(self) -> str:
        return f"{self.mname}. {self.rname}. {' '.join(map(str, self.times))}"


@dataclass(frozen=True, slots=True)
class Ns:
    """RFC 1035 section 3.3.11."""

    TYPE: ClassVar[int] = wire.NS
    mnemonic: ClassVar[str] = "NS"
    host: str

    def parts(self, base: str) -> Parts:
        return name_parts(self.host, base)

    def text(self) -> str:
        return f"{self.host}."


@dataclass(frozen=True, slots=True)
class A:
    """RFC 1035 section 3.4.1."""

    TYPE: ClassVar[int] = wire.A
    mnemonic: ClassVar[str] = "A"
    address: str

    def parts(self, base: str) -> Parts:  # noqa: ARG002 - the same verb for every type
        return (ipaddress.IPv4Address(self.address).packed,)

    def text(self) -> str:
        return self.address


@dataclass(frozen=True, slots=True)
class Aaaa:
    """RFC 3596 section 2.2."""

    TYPE: ClassVar[int] = wire.AAAA
    mnemonic: ClassVar[str] = "AAAA"
    address: str

    def parts(self, base: str) -> Parts:  # noqa: ARG002
        return (ipaddress.IPv6Address(self.address).packed,)

    def text(self) -> str:
        return self.address


@dataclass(frozen=True, slots=True)
class Mx:
    """RFC 1035 section 3.3.9."""

    TYPE: ClassVar[int] = wire.MX
    mnemonic: ClassVar[str] = "MX"
    preference: int
    host: str

    def parts(self, base: str) -> Parts:
        return concat((struct.pack("!H", self.preference),), name_parts(self.host, base))

    def text(self) -> str:
        return f"{self.preference} {self.host}."


@dataclass(frozen=True, slots=True)
class Caa:
    """RFC 8659 section 4.1, flags 0."""

    TYPE: ClassVar[int] = wire.CAA
    mnemonic: ClassVar[str] = "CAA"
    tag: str
    value: str

    def parts(self, base: str) -> Parts:  # noqa: ARG002
        tag = self.tag.encode("ascii")
        return (b"\0" + bytes((len(tag),)) + tag + self.value.encode("ascii"),)

    def text(self) -> str:
        return f"0 {self.tag} {quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Txt:
    """RFC 1035 section 3.3.14: one text, in as many strings of up to 255 octets as it needs."""

    TYPE: ClassVar[int] = wire.TXT
    mnemonic: ClassVar[str] = "TXT"
    value: str

    def parts(self, base: str) -> Parts:  # noqa: ARG002
        return (b"".join(bytes((len(string),)) + string.encode("ascii") for string in self._strings()),)

    def text(self) -> str:
        return " ".join(quoted(string) for string in self._strings())

    def _strings(self) -> list[str]:
        return [self.value[at : at + 255] for at in range(0, len(self.value), 255)] or [""]


def address(text: str) -> A | Aaaa:
    """The record that holds this IPv4 or IPv6 address."""
    return Aaaa(text) if ":" in text else A(text)


def quoted(text: str) -> str:
    """A character-string of a zone file (RFC 1035 section 5.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def concat(*pieces: Parts) -> Parts:
    """The pieces one behind the other."""
    joined = [b""]
    for piece in pieces:
        joined[-1] += piece[0]
        joined.extend(piece[1:])
    return tuple(joined)


def name_parts(host: str, base: str) -> Parts:
    """A name: what stands before `base` and the pointer to it; the whole name when it lies outside the zone."""
    if host == base:
        return (b"", b"")
    if host.endswith("." + base):
        return (wire.name(host.removesuffix("." + base))[:-1], b"")
    return (wire.name(host),)


def record(owner: Parts, rdata: Rdata, ttl: int, base: str) -> Parts:
    """A whole record with RFC 1035 section 4.1.3's fixed fields; `ttl` in seconds."""
    data = rdata.parts(base)
    length = sum(map(len, data)) + 2 * (len(data) - 1)
    return concat(owner, (struct.pack("!HHIH", rdata.TYPE, wire.IN, ttl, length),), data)
