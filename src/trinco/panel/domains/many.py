"""Adding many domains at once: the number of queries does not grow with each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.accounts.services import entry, record_all
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import new_label, next_revision


@transaction.atomic
def add_many(
    *, organisation: Organisation, names: Sequence[str], actor: Actor, tags: Mapping[str, Sequence[str]] | None = None
) -> list[HostedDomain]:
    """Host the names (A-labels, none of them ours, each once) as `services.add` does, with an audit line each. `tags`:
    what the caller puts on whichever of them is new, in this transaction; the line says that too.

    The domains that are new: a name that the organisation has, even by a deed of this moment, is not among them.
    """
    hosted = HostedDomain.objects.everywhere()
    drafts = [HostedDomain(organisation=organisation, name=name, label=new_label()) for name in names]
    hosted.bulk_create(drafts, ignore_conflicts=True)  # the database's constraint says which are there already
    ours = hosted.filter(label__in=[draft.label for draft in drafts])
    added = list(ours.select_related("organisation").order_by("pk"))
    if added:
        revision = next_revision()
        ours.update(revision=revision)
        for domain in added:
            domain.revision = revision
        record_all([_line(domain, (tags or {}).get(domain.name, ()), actor) for domain in added])
    return added


def _line(domain: HostedDomain, tags: Sequence[str], actor: Actor) -> AuditEntry:
    after = {"label": domain.label, **({"tags": list(tags)} if tags else {})}
    whose = domain.organisation
    return entry(organisation=whose, actor=actor, action="domain.added", subject=domain.name, after=after)
