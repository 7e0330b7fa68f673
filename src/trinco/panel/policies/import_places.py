"""Whose domains one list may add: the organisation that it is given to, and its clients, by the names that it uses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.db.models import Q

from trinco.panel.accounts import mfa, sso_terms
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.policies.import_models import Ending


class Places:
    """Organisations by name. `locked`: those that want a second factor, which the person lacks."""

    def __init__(self, organisations: Iterable[Organisation], locked: Iterable[int] = ()) -> None:
        self._locked = frozenset(locked)
        self._by_name: dict[str, list[Organisation]] = {}
        for each in organisations:
            self._by_name.setdefault(_folded(each.name), []).append(each)

    def find(self, name: str) -> Organisation | Ending:
        """The one of that name, or why there is none. Capitals do not matter, unless they tell two apart."""
        found = self._by_name.get(_folded(name), [])
        exact = [each for each in found if each.name == name]
        if len(exact or found) != 1:
            return Ending.SEVERAL if found else Ending.CLIENT
        (one,) = exact or found
        return Ending.FACTOR if one.pk in self._locked else one


def places_of(access: Access) -> Places:
    """Where the person may add domains: they act in the clients as they do here (`accounts.access`). Two queries."""
    here = access.organisation
    clients = sso_terms.open_to(access, Organisation.objects.filter(parent=here))
    rows = list(Organisation.objects.filter(Q(pk=here.pk) | Q(pk__in=clients)))
    demanding = [row.pk for row in rows if row.mfa_required]
    lacking = demanding and not mfa.having([access.user_id])
    return Places(rows, demanding if lacking else ())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()
