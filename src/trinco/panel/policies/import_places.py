"""Whose domains one list may add: the organisation that it is given to, and its clients, by the names that it uses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from django.db.models import Q

from trinco.panel.accounts import mfa, sso_terms
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.policies.import_models import Ending


class Places:
    """Organisations by name. `locked`: the keys of those that want of the person what they lack, and what that is."""

    def __init__(self, organisations: Iterable[Organisation], locked: Mapping[int, Ending] | None = None) -> None:
        self._locked = dict(locked or {})
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
        return self._locked.get(one.pk, one)


def places_of(access: Access) -> Places:
    """Where the person may add domains: they act in the clients as they do here (`accounts.access`). Of a client that
    wants of them what they lack it is said: they know their clients (`mfa.open_clients`). Four queries at most."""
    here = access.organisation
    clients = Organisation.objects.filter(parent=here)
    rows = list(Organisation.objects.filter(Q(pk=here.pk) | Q(parent=here)))
    open_ = set(mfa.open_clients(access).values_list("pk", flat=True))
    by_sso = set(sso_terms.open_to(access, clients).values_list("pk", flat=True))
    shut = [row.pk for row in rows if row.parent_id == here.pk and row.pk not in open_]
    return Places(rows, {key: Ending.FACTOR if key in by_sso else Ending.SSO for key in shut})


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()
