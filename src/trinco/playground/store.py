"""The made-up internet on disk, `<data>/playground/`: each file is replaced whole at every change.

zones.json     the zones
policies.json  which policy each customer had since when, as far as senders can have seen it
sent.json      the days whose reports were sent
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import msgspec

from trinco.playground.world import Record, World, Zone

TOKEN = "playground.token"  # noqa: S105 - the file's name


class _Zone(msgspec.Struct, frozen=True):
    name: str
    note: str
    records: tuple[tuple[str, str, str], ...]


class Held(msgspec.Struct, frozen=True):
    """A policy as a sender fetched it, and since when it could."""

    since: datetime
    body: str


Policies = Mapping[str, tuple[Held, ...]]
"""By the customer's name, the oldest first."""


def path(data: Path) -> Path:
    """Where the zones of this data directory rest."""
    return data / "playground" / "zones.json"


def load(data: Path) -> World:
    """The world as it was saved. Raises FileNotFoundError before the first save."""
    saved = msgspec.json.decode(path(data).read_bytes(), type=list[_Zone])
    zones = (Zone(zone.name, zone.note) for zone in saved)
    return World(zones, (Record(*record) for zone in saved for record in zone.records))


def save(data: Path, world: World) -> None:
    """Write the world, so that a reader sees the old file or the new one and nothing between."""
    zones = [
        _Zone(zone.origin, zone.note, tuple((r.name, r.type, r.value) for r in world.records(zone.origin)))
        for zone in world.zones
    ]
    replace(path(data), msgspec.json.format(msgspec.json.encode(zones), indent=1))


def policies(data: Path) -> Policies:
    """What `save_policies` saved last; nothing before."""
    try:
        return msgspec.json.decode(_policies(data).read_bytes(), type=dict[str, tuple[Held, ...]])
    except FileNotFoundError:
        return {}


def save_policies(data: Path, known: Policies) -> None:
    """Remember these in place of the ones before."""
    replace(_policies(data), msgspec.json.format(msgspec.json.encode(known), indent=1))


def sent(data: Path) -> set[date]:
    """The days whose reports are all sent."""
    try:
        return msgspec.json.decode(_sent(data).read_bytes(), type=set[date])
    except FileNotFoundError:
        return set()


def save_sent(data: Path, days: set[date]) -> None:
    """Remember these days; none: all is to be sent anew."""
    replace(_sent(data), msgspec.json.encode(sorted(days)))


def _policies(data: Path) -> Path:
    return data / "playground" / "policies.json"


def _sent(data: Path) -> Path:
    return data / "playground" / "sent.json"


def replace(target: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file under another name and move it into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.touch(mode=mode)
    draft.write_bytes(content)
    draft.replace(target)


def token(data: Path) -> str:
    """The secret of the control interface: made once, readable by the owner alone."""
    held = data / TOKEN
    if not held.exists():
        replace(held, secrets.token_urlsafe(24).encode(), mode=0o600)
    return held.read_text(encoding="ascii").strip()
