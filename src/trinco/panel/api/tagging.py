"""The tags of a domain as they are sent: all that it is to have."""

from __future__ import annotations

from collections.abc import Sequence

from trinco.core import tags as rules
from trinco.core.errors import TagSyntaxError
from trinco.panel.accounts.actors import Actor
from trinco.panel.api.bodies import refused
from trinco.panel.domains import tags
from trinco.panel.domains.errors import TooManyTags
from trinco.panel.domains.models import HostedDomain


def set_all(row: HostedDomain, sent: Sequence[str], actor: Actor) -> None:
    """Raises Problem 422 that names the place."""
    names = [_tag(text, f"/tags/{number}") for number, text in enumerate(sent)]
    try:
        tags.set_tags(domain=row, names=names, actor=actor)
    except TooManyTags:
        raise refused("/tags", f"An organisation has {tags.MOST} tags at most.") from None


def _tag(text: str, pointer: str) -> str:
    try:
        return rules.parse(text)
    except TagSyntaxError as error:
        raise refused(pointer, f"It is no tag: {error.reason}.") from None
