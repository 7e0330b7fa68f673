"""Deeds on tags: put on and taken off domains, renamed, removed. Each domain's change has its audit line.

What is about many domains is done in portions, each of which is one transaction. Locks are taken in one order: domains
by primary key, then tags by primary key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404

from trinco.core import tags as rules
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.accounts.services import Details, entry, record, record_all
from trinco.panel.domains.errors import NameTaken, TooManyTags
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.tag_models import SavedFilter, Tag, Tagging

MOST = 100
"""Tags of an organisation."""
_AT_ONCE = 500
"""Domains per transaction."""


def counted(organisation: Organisation) -> QuerySet[Tag]:
    """Its tags by name; `domains` of each is on how many domains it is. One query."""
    there = ~Q(hosted_with__state=State.GONE)
    return Tag.objects.of(organisation).annotate(domains=Count("hosted_with", filter=there)).order_by("key")


def names_of(domain: HostedDomain) -> list[str]:
    """The tags of a domain by name."""
    return list(domain.tags.order_by("key").values_list("name", flat=True))


def known(organisation: Organisation) -> list[str]:
    """Its tags by name."""
    return list(Tag.objects.of(organisation).order_by("key").values_list("name", flat=True))


def put_on(*, organisation: Organisation, domains: Sequence[HostedDomain], names: Sequence[str], actor: Actor) -> int:
    """Put these tags on these domains of the organisation; new ones come into being. On how many domains something
    changed. Raises TagSyntaxError, TooManyTags."""
    wanted = rules.once(map(rules.parse, names))
    require_room(organisation, wanted)
    return _in_portions(organisation, {domain.pk: wanted for domain in domains}, actor)


def take_off(*, organisation: Organisation, domains: Sequence[HostedDomain], names: Sequence[str], actor: Actor) -> int:
    """Take these tags off these domains of the organisation. From how many domains one went."""
    keys = {rules.key(name) for name in names}
    return sum(_less(organisation, some, keys, actor) for some in _portions([domain.pk for domain in domains]))


@transaction.atomic
def set_tags(*, domain: HostedDomain, names: Sequence[str], actor: Actor) -> bool:
    """Give the domain these tags and no others. False: it had them. Raises TagSyntaxError, TooManyTags."""
    wanted = rules.once(map(rules.parse, names))
    require_room(domain.organisation, wanted)
    keys = {rules.key(name) for name in wanted}
    rest = [name for name in names_of(domain) if rules.key(name) not in keys]
    gone = take_off(organisation=domain.organisation, domains=[domain], names=rest, actor=actor) if rest else 0
    return bool(gone + put_each(organisation=domain.organisation, wanted={domain.pk: wanted}, actor=actor))


@transaction.atomic
def rename(*, tag: Tag, name: str, actor: Actor) -> None:
    """Another name for a tag, on all its domains. Raises TagSyntaxError, NameTaken, and Http404 where it was removed
    meanwhile."""
    after = rules.parse(name)
    row = get_object_or_404(Tag.objects.of(tag.organisation).select_for_update(), pk=tag.pk)
    give_name(row, after, actor, "tag.renamed")


def give_name(row: Tag | SavedFilter, name: str, actor: Actor, action: str) -> None:
    """Another name for what the caller holds, and the line of this action. In a transaction. Raises NameTaken."""
    before = row.name
    if before == name:
        return
    row.name, row.key = name, rules.key(name)
    try:
        with transaction.atomic():
            row.save(update_fields=["name", "key"])
    except IntegrityError:
        raise NameTaken(name) from None
    change: Details = {"before": {"name": before}, "after": {"name": name}}
    record(organisation=row.organisation, actor=actor, action=action, subject=name, **change)


@transaction.atomic
def remove(*, tag: Tag, actor: Actor) -> None:
    """Take a tag off all its domains and forget it, and the saved filters that ask for it. Raises Http404: it was
    removed meanwhile."""
    row = get_object_or_404(Tag.objects.of(tag.organisation).select_for_update(), pk=tag.pk)
    count = Tagging.objects.of(row.organisation).filter(tag=row).exclude(domain__state=State.GONE).count()
    row.delete()
    facts = {"domains": count}
    record(organisation=row.organisation, actor=actor, action="tag.removed", subject=row.name, before=facts)


def require_room(organisation: Organisation, names: Iterable[str]) -> None:
    """Raises TooManyTags where these would be too many beside those that there are."""
    there = set(Tag.objects.of(organisation).values_list("key", flat=True))
    if (new := {rules.key(name) for name in names} - there) and len(there | new) > MOST:
        raise TooManyTags


def _in_portions(organisation: Organisation, wanted: Mapping[int, Sequence[str]], actor: Actor) -> int:
    portions = _portions(wanted)
    return sum(
        put_each(organisation=organisation, wanted={key: wanted[key] for key in some}, actor=actor) for some in portions
    )


def _portions(keys: Iterable[int]) -> list[list[int]]:
    ordered = sorted(keys)
    return [ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE)]


def called(organisation: Organisation, names: Iterable[str]) -> dict[str, str]:
    """What the tags of these names (parsed) are called here, by their keys: as they are already, or as they come first.
    One query."""
    first = {rules.key(name): name for name in reversed(list(names))}
    return {**first, **dict(Tag.objects.of(organisation).filter(key__in=first).values_list("key", "name"))}


@transaction.atomic
def put_each(
    *, organisation: Organisation, wanted: Mapping[int, Sequence[str]], actor: Actor, told: Collection[int] = ()
) -> int:
    """Put on each domain, by its primary key, its own tags (parsed, each once): a bounded number of queries. The caller
    has asked `require_room`. `told`: domains with a line that says so already. How many domains changed."""
    rows = _locked(organisation, wanted)
    known = _made(organisation, rules.once(name for names in wanted.values() for name in names))
    before = _on(organisation, [row.pk for row in rows])
    added: dict[int, list[Tag]] = {}
    for row in rows:
        tags = [known[rules.key(name)] for name in wanted[row.pk] if rules.key(name) in known]
        if new := [tag for tag in tags if tag.key not in before[row.pk]]:
            added[row.pk] = new
    fresh = [Tagging(domain_id=key, tag=tag) for key, tags in added.items() for tag in tags]
    Tagging.objects.everywhere().bulk_create(fresh, ignore_conflicts=True)
    after = {key: {**before[key], **{tag.key: tag.name for tag in tags}} for key, tags in added.items()}
    _note([row for row in rows if row.pk in added and row.pk not in told], before, after, actor)
    return len(added)


@transaction.atomic
def _less(organisation: Organisation, keys: Sequence[int], gone: set[str], actor: Actor) -> int:
    rows = _locked(organisation, keys)
    before = _on(organisation, [row.pk for row in rows])
    changed = [row for row in rows if before[row.pk].keys() & gone]
    Tagging.objects.of(organisation).filter(domain__in=changed, tag__key__in=gone).delete()
    after = {row.pk: {key: name for key, name in before[row.pk].items() if key not in gone} for row in changed}
    _note(changed, before, after, actor)
    return len(changed)


def _locked(organisation: Organisation, keys: Iterable[int]) -> list[HostedDomain]:
    rows = HostedDomain.objects.of(organisation).exclude(state=State.GONE).filter(pk__in=list(keys))
    return list(rows.select_for_update(of=("self",)).select_related("organisation").order_by("pk"))


def _made(organisation: Organisation, names: Sequence[str]) -> dict[str, Tag]:
    """The tags of these names by their keys, which nobody removes until the transaction ends."""
    drafts = [Tag(organisation=organisation, name=name, key=rules.key(name)) for name in names]
    Tag.objects.everywhere().bulk_create(drafts, ignore_conflicts=True)
    rows = Tag.objects.of(organisation).filter(key__in=[draft.key for draft in drafts])
    return {tag.key: tag for tag in rows.select_for_update().order_by("pk")}


def _on(organisation: Organisation, keys: Sequence[int]) -> defaultdict[int, dict[str, str]]:
    """The tags of domains: key and name."""
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    rows = Tagging.objects.of(organisation).filter(domain__in=keys).order_by("tag__key")
    for domain, key, name in rows.values_list("domain", "tag__key", "tag__name"):
        found[domain][key] = name
    return found


def _note(
    rows: Sequence[HostedDomain],
    before: Mapping[int, Mapping[str, str]],
    after: Mapping[int, Mapping[str, str]],
    actor: Actor,
) -> None:
    """An audit line for each domain."""
    if rows:
        record_all([_line(row, before[row.pk], after[row.pk], actor) for row in rows])


def _line(row: HostedDomain, before: Mapping[str, str], after: Mapping[str, str], actor: Actor) -> AuditEntry:
    facts: Details = {"before": _told(before), "after": _told(after)}
    return entry(organisation=row.organisation, actor=actor, action="domain.tagged", subject=row.name, **facts)


def _told(tags: Mapping[str, str]) -> dict[str, list[str]]:
    return {"tags": [tags[key] for key in sorted(tags)]}
