"""What stands at the three names after a writing, and why one failed, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.net.dnstexts import TextPlace, TextState
from trinco.net.dnswriting import Found, Place, State, Trouble, WritingFailed
from trinco.panel.checks.publishing import TAKEN
from trinco.panel.web.foreign import plain

WORDS = {
    State.RIGHT: _("In place"),
    State.FREE: _("Not written"),
    State.TAKEN: _("Something else is there"),
}
LOOKS = {State.RIGHT: "ok", State.FREE: "warn", State.TAKEN: "warn"}
TROUBLES: dict[str, Promise] = {
    Trouble.CREDENTIALS: _("The provider does not accept these credentials for this zone."),
    Trouble.ANSWER: _("The provider refused, or said something that is not understood."),
    Trouble.SILENCE: _(
        "The provider did not answer in time. Some records may have been written: they are found by DNS."
    ),
    Trouble.ADDRESS: _("This address is not dialled."),
    Trouble.TOGETHER: _(
        "The provider keeps all records of this name together, and others stand there as well: change the text by hand."
    ),
    TAKEN: _("Something is there that we do not replace: take it away, and we write again."),
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


TEXT_WORDS: dict[str, Promise] = {
    TextState.RIGHT: _("In place"),
    TextState.FREE: _("Will be written"),
    TextState.STALE: _("Will be replaced"),
    TextState.TAKEN: _("Something else is there"),
}
TEXT_LOOKS = {TextState.RIGHT: "ok", TextState.FREE: "mute", TextState.STALE: "mute", TextState.TAKEN: "warn"}


@dataclass(frozen=True, slots=True)
class TextRow:
    """A name at which a text would be written: `text`, in place of what `there` is."""

    name: str
    text: str
    word: Promise
    look: str
    there: tuple[Found, ...]


def text_rows(places: Iterable[TextPlace]) -> tuple[TextRow, ...]:
    """One for each name: what a writing would do there now."""
    return tuple(
        TextRow(
            place.wanted.name,
            place.wanted.text,
            TEXT_WORDS[place.state],
            TEXT_LOOKS[place.state],
            () if place.state is TextState.RIGHT else place.found,
        )
        for place in places
    )


def kept_words(trouble: str, said: str) -> str:
    """As `trouble_words`, of what was noted; "" for no trouble."""
    if trouble not in TROUBLES:
        return ""
    ours = str(TROUBLES[trouble])
    return f"{ours} “{plain(said)}”" if said else ours


def trouble_words(error: WritingFailed) -> str:
    """One sentence of ours, and behind it what the provider said."""
    ours = str(TROUBLES[error.trouble])
    return f"{ours} “{error.said}”" if error.said else ours
