"""What stands around the list of domains: its filters, the saved ones, and what a form of the list is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from trinco.core import tags as rules
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains import tags
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.tag_models import SavedFilter, Tag
from trinco.panel.web.overview import STATES, Filter
from trinco.panel.web.presenters.overview import WORDS
from trinco.panel.web.words import MODES

STATE_WORDS: dict[str, Promise] = {
    State.SETUP: _("Waiting for DNS"),
    State.LIVE: _("Live"),
    State.LEAVING: _("Leaving"),
}


@dataclass(frozen=True, slots=True)
class SavedLink:
    """A saved filter above the list."""

    name: str
    query: str
    current: bool


def address(filter_: Filter) -> str:
    """The parameters that ask for it, `?show=ready&tag=x` or nothing."""
    return f"?{urlencode(filter_.parameters)}" if filter_.parameters else ""


def parameters(saved: SavedFilter) -> dict[str, str]:
    """What a saved filter asks for; its tag as it is called now."""
    told = {str(name): str(value) for name, value in saved.asked.items()}
    return {**told, "tag": saved.tag.name} if saved.tag else told


def tags_of(domain: HostedDomain) -> dict[str, list[str]]:
    """For `_tags.html`. Two queries."""
    return {"tags": tags.names_of(domain), "known_tags": tags.known(domain.organisation)}


def query_of(saved: SavedFilter) -> str:
    """The parameters of its address."""
    return urlencode(parameters(saved))


def saved_of(organisation: Organisation) -> list[SavedFilter]:
    """One query."""
    return list(SavedFilter.objects.of(organisation).select_related("tag"))


def choices(filter_: Filter) -> dict[str, Any]:
    """What the selects of a filter offer, and what is chosen."""
    return {
        "filter": filter_,
        "states": [(state.value, STATE_WORDS[state]) for state in STATES],
        "mode_choices": [(mode.mode.value, mode.word) for mode in reversed(MODES.values())],
        "urgencies": list(WORDS.items()),
    }


def around(organisation: Organisation, filter_: Filter) -> dict[str, Any]:
    """For `_domains.html` and the form above it. Two queries."""
    links = [_link(saved, filter_) for saved in saved_of(organisation)]
    known, tag = list(Tag.objects.of(organisation)), rules.key(filter_.tag)
    rest = {name: value for name, value in filter_.parameters.items() if name != "show"}
    return {
        **choices(filter_),
        "chip_query": f"{urlencode(rest)}&" if rest else "",
        "posted": {("was" if name == "mode" else name): value for name, value in filter_.parameters.items()},
        "saved": links,
        "savable": bool(filter_.parameters) and not any(link.current for link in links),
        "tags": known,
        "tag_key": tag,
        "tag_known": any(each.key == tag for each in known),
    }


def _link(saved: SavedFilter, filter_: Filter) -> SavedLink:
    asked, shown = parameters(saved), filter_.parameters
    same = {**asked, "tag": rules.key(asked.get("tag", ""))} == {**shown, "tag": rules.key(filter_.tag)}
    return SavedLink(saved.name, urlencode(asked), same)
