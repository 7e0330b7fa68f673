"""Deeds on saved filters: an organisation's names for what it looks at again and again."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404

from trinco.core import tags as rules
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import record
from trinco.panel.domains.errors import NameTaken, NoSuchTag, TooManyFilters
from trinco.panel.domains.tag_models import SavedFilter, Tag
from trinco.panel.domains.tags import give_name

MOST = 30
"""Filters of an organisation."""


@transaction.atomic
def save(*, organisation: Organisation, name: str, asked: Mapping[str, str], actor: Actor) -> SavedFilter:
    """Keep the parameters of an address under a name. Raises NameTaken, TooManyFilters, and NoSuchTag for `tag`."""
    # The organisation's row is the lock: of two requests at once the second counts what the first has made.
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    if SavedFilter.objects.of(organisation).count() >= MOST:
        raise TooManyFilters
    shown = unicodedata.normalize("NFKC", name)
    rest = {parameter: value for parameter, value in asked.items() if parameter != "tag"}
    facts = {"organisation": organisation, "name": shown, "key": rules.key(shown), "asked": rest}
    try:
        with transaction.atomic():
            made = SavedFilter.objects.everywhere().create(**facts, tag=_tag(organisation, asked.get("tag", "")))
    except IntegrityError:
        raise NameTaken(name) from None
    record(organisation=organisation, actor=actor, action="filter.saved", subject=shown, after={"asked": dict(asked)})
    return made


def _tag(organisation: Organisation, name: str) -> Tag | None:
    if not name:
        return None
    found = Tag.objects.of(organisation).select_for_update().filter(key=rules.key(name)).first()
    if found is None:
        raise NoSuchTag(name)
    return found


@transaction.atomic
def rename(*, saved: SavedFilter, name: str, actor: Actor) -> None:
    """Another name for it. Raises NameTaken; Http404: it was removed meanwhile."""
    row = get_object_or_404(SavedFilter.objects.of(saved.organisation).select_for_update(of=("self",)), pk=saved.pk)
    give_name(row, unicodedata.normalize("NFKC", name), actor, "filter.renamed")
    saved.refresh_from_db()


@transaction.atomic
def remove(*, saved: SavedFilter, actor: Actor) -> None:
    """Forget it; the domains stay as they are."""
    gone, _ = SavedFilter.objects.of(saved.organisation).filter(pk=saved.pk).delete()
    if gone:
        record(organisation=saved.organisation, actor=actor, action="filter.removed", subject=saved.name)
