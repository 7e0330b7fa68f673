"""What stands at the three names after a writing, and why one failed, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.net.dnswriting import Found, Place, State, Trouble, WritingFailed

WORDS = {
    State.RIGHT: _("In place"),
    State.FREE: _("Not written"),
    State.TAKEN: _("Something else is there"),
}
LOOKS = {State.RIGHT: "ok", State.FREE: "warn", State.TAKEN: "warn"}
TROUBLES = {
    Trouble.CREDENTIALS: _("The provider does not accept these credentials for this zone."),
    Trouble.ANSWER: _("The provider refused, or said something that is not understood."),
    Trouble.SILENCE: _(
        "The provider did not answer in time. Some records may have been written: they are found by DNS."
    ),
    Trouble.ADDRESS: _("This address is not dialled."),
}


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One of the three names."""

    name: str
    word: Promise
    look: str
    in_the_way: tuple[Found, ...]


def place_rows(places: Iterable[Place]) -> tuple[PlaceRow, ...]:
    """One for each name."""
    return tuple(_row(place) for place in places)


def _row(place: Place) -> PlaceRow:
    in_the_way = place.found if place.state is State.TAKEN else ()
    return PlaceRow(place.wanted.name, WORDS[place.state], LOOKS[place.state], in_the_way)


def trouble_words(error: WritingFailed) -> str:
    """One sentence of ours, and behind it what the provider said."""
    ours = str(TROUBLES[error.trouble])
    return f"{ours} “{error.said}”" if error.said else ours
