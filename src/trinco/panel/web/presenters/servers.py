"""The mail servers as they were last seen, beside what the policy says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import ngettext

from trinco.core.mtasts import mx as mx_patterns
from trinco.panel.domains.models import MxSighting, Starttls

TLS_LOOKS = {Starttls.OK: "ok", Starttls.UNTESTED: "mute", Starttls.UNREACHABLE: "warn"}


@dataclass(frozen=True, slots=True)
class Tls:
    """How STARTTLS went."""

    look: str
    word: str | Promise


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One MX host."""

    host: str
    preference: int
    covered: bool
    starttls: str
    tls_version: str
    problem: str
    not_after: datetime | None
    probed_at: datetime | None

    @property
    def tls(self) -> Tls:
        state = Starttls(self.starttls)
        works = state is Starttls.OK and bool(self.tls_version)
        return Tls(TLS_LOOKS.get(state, "bad"), self.tls_version.replace("TLSv", "TLS ") if works else state.label)

    @property
    def failing(self) -> bool:
        return self.starttls not in (Starttls.OK, Starttls.UNTESTED)

    @property
    def days(self) -> int | None:
        return None if self.not_after is None else (self.not_after - timezone.now()).days


def server_rows(sightings: Iterable[MxSighting], patterns: Iterable[str]) -> tuple[ServerRow, ...]:
    """The MX hosts by preference."""
    held = tuple(patterns)
    return tuple(_row(sighting, held) for sighting in sightings)


def _row(sighting: MxSighting, patterns: tuple[str, ...]) -> ServerRow:
    return ServerRow(
        sighting.host,
        sighting.preference,
        covers(patterns, sighting.host),
        sighting.starttls,
        sighting.tls_version,
        "" if sighting.starttls == Starttls.NOT_OFFERED else sighting.problem,
        sighting.not_after,
        sighting.probed_at,
    )


def covers(patterns: Iterable[str], host: str) -> bool:
    """Whether one of the patterns matches the host (RFC 8461 section 4.1)."""
    return any(mx_patterns.matches(pattern, host) for pattern in patterns)


def unused(patterns: Iterable[str], rows: Iterable[ServerRow]) -> tuple[str, ...]:
    """The patterns that match none of the hosts."""
    hosts = [row.host for row in rows]
    return tuple(pattern for pattern in patterns if not any(mx_patterns.matches(pattern, host) for host in hosts))


def in_short(rows: Iterable[ServerRow], *, policy: bool) -> Tls:
    """One word for all of them, for the line under the title. `policy`: whether one names them at all."""
    rows = tuple(rows)
    troubled = sum(row.failing or (policy and not row.covered) for row in rows)
    if not troubled:
        return Tls("ok", ngettext("%(n)d MX in order", "%(n)d MX in order", len(rows)) % {"n": len(rows)})
    text = ngettext("%(n)d of %(all)d MX needs attention", "%(n)d of %(all)d MX need attention", troubled)
    return Tls("warn", text % {"n": troubled, "all": len(rows)})


def last_probe(rows: Iterable[ServerRow]) -> datetime | None:
    """When a server was last talked to."""
    return max((row.probed_at for row in rows if row.probed_at), default=None)
