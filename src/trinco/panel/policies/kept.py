"""Credentials of a domain's DNS provider, kept so that its texts can be written after each change.

They rest under the seal of this installation, bound to the domain's label, as private keys do (`panel.seal`). Whoever
gave them can have them forgotten at any moment; they go by themselves when the domain is no longer served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet

from trinco.net.dnsbooks import Access
from trinco.panel import clock, keyring
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.asking import ALWAYS, Question
from trinco.panel.domains.models import HostedDomain, KeptAccess, State, Way
from trinco.panel.domains.services import locked
from trinco.panel.policies.errors import NotHosted
from trinco.panel.policies.ways import Ways, set_ways


@transaction.atomic
def keep_access(*, domain: HostedDomain, actor: Actor, access: Access) -> KeptAccess:
    """Keep them, in place of what was kept before. Nothing is written yet. Raises NotHosted."""
    row = locked(domain)
    if row.state == State.GONE:
        raise NotHosted(row.state)
    fresh = {"failures": 0, "trouble": "", "said": "", "tried_at": None}
    facts = {"provider": access.provider, "kept_at": clock.now(), "kept_by": actor.name, "due_at": clock.now()}
    kept = KeptAccess.objects.everywhere().filter(domain=row).first() or KeptAccess(domain=row)
    for name, value in {**fresh, **facts}.items():
        setattr(kept, name, value)
    kept.sealed_key = keyring.current().seal(_packed(access.credentials), kept.seal_name)
    kept.save()
    after = {"provider": access.provider}
    record(organisation=row.organisation, actor=actor, action="domain.access-kept", subject=row.name, after=after)
    return kept


@transaction.atomic
def forget_access(*, domain: HostedDomain, actor: Actor) -> bool:
    """Forget them; what was written with them is the owner's to change from now on. False: there were none."""
    row = locked(domain)
    kept = KeptAccess.objects.everywhere().filter(domain=row).first()
    if kept is None:
        return False
    ways: Ways = {}
    if row.sts_way == Way.PROVIDER:
        ways["sts"] = Way.TXT
    if row.tlsrpt_way == Way.PROVIDER:
        ways["tlsrpt"] = Way.TXT
    kept.delete()
    before = {"provider": kept.provider}
    record(
        organisation=row.organisation, actor=actor, action="domain.access-forgotten", subject=row.name, before=before
    )
    set_ways(domain=row, actor=actor, **ways)
    domain.refresh_from_db()
    return True


def access_of(kept: KeptAccess) -> Access:
    """The credentials in the clear, for one conversation. Raises SealError."""
    plain = keyring.current().open(bytes(kept.sealed_key), kept.seal_name)
    return Access(kept.provider, {str(name): str(value) for name, value in json.loads(plain).items()})


def forget_gone() -> int:
    """Forget those of domains that are no longer served. How many."""
    return _gone().delete()[0] if _SOME_GONE.holds(ALWAYS) else 0


def _gone() -> QuerySet[KeptAccess]:
    return KeptAccess.objects.everywhere().filter(domain__state=State.GONE)


_SOME_GONE = Question(lambda _now: _gone())


def _packed(credentials: Mapping[str, str]) -> bytes:
    return json.dumps(dict(credentials)).encode()
