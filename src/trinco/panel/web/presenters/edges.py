"""The edges in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.panel.policies.models import EdgeNode
from trinco.panel.policies.rotation import Rotation, state

_WORDS: dict[Rotation, tuple[Promise, Promise | str]] = {
    Rotation.SERVING: (_("Serving"), ""),
    Rotation.LAGGING: (_("Behind"), _("New policies wait for it.")),
    Rotation.WAIVED: (_("Behind"), _("New policies no longer wait for it.")),
    Rotation.RETURNING: (_("Coming back"), _("Its addresses return to DNS when it has the newest policies.")),
    Rotation.AWAY: (_("Away"), _("It has not been heard of. Nothing waits for it, and it answers with nothing old.")),
}


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """A line of the table."""

    edge: EdgeNode
    word: Promise
    note: Promise | str
    good: bool


def edge_rows(edges: Iterable[EdgeNode], now: datetime) -> list[EdgeRow]:
    """One line for each."""
    states = [(edge, state(edge, now)) for edge in edges]
    return [EdgeRow(edge, *_WORDS[found], good=found is Rotation.SERVING) for edge, found in states]
