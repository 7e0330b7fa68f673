"""The playground's first day: an account, its domains in every state, and the customers' zones to go with them.

Everything is done by the panel's own services; only the dates are written afterwards, so that there is a past. A second
call finds the account and changes nothing. Import this module after `django.setup()` alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from trinco.cli.place import Login
from trinco.config import Config
from trinco.core.mtasts.ids import policy_id
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts import audit
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import AuditEntry, Organisation, User
from trinco.panel.accounts.services import create_account, membership_of
from trinco.panel.certificates.services import issue_due
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, RecordName, RecordSighting, State
from trinco.panel.domains.services import add, mark_live
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.services import DEFAULT_MAX_AGE, leave, publish, start
from trinco.playground import cast, senders, senders_keys, store
from trinco.playground.cast import CUSTOMERS, Customer, Story
from trinco.playground.senders import SENDERS
from trinco.playground.store import Held
from trinco.playground.world import World

EMAIL, PASSWORD = "ana@trinco.example", "abre-te-sesamo"
"""Known to everybody: the playground listens on loopback alone."""
ORGANISATION = "Atlântico"
_ACTOR = Actor(EMAIL)


def seed(settings: Config) -> Login:
    """Make what is missing, and give the login."""
    user = User.objects.filter(email=EMAIL).first()
    world = World([], []) if user is None else _saved(settings)  # new domains have new labels: all zones anew
    if user is None:
        store.save_sent(settings.data, set())
    organisation = membership_of(user or _first_day()).organisation
    _complete(world, settings, organisation)
    store.save_policies(settings.data, _seen_by_senders(organisation))
    store.token(settings.data)
    store.save(settings.data, world)
    return Login(EMAIL, PASSWORD)


@transaction.atomic
def _first_day() -> User:
    """The lines of the log go into their chain once they are dated."""
    with audit.loosely():
        user = _lived()
    audit.take_in(membership_of(user).organisation.pk)
    return user


def _lived() -> User:
    user = create_account(email=EMAIL, password=PASSWORD)
    User.objects.filter(pk=user.pk).update(name="Ana")
    organisation = membership_of(user).organisation
    Organisation.objects.filter(pk=organisation.pk).update(name=ORGANISATION)
    for customer in CUSTOMERS:
        if customer.story is not Story.STRANGER:
            _tell(organisation, customer)
    issue_due(timezone.now())
    return user


def _tell(organisation: Organisation, customer: Customer) -> None:
    """Live through a customer's story, and date it back."""
    domain = add(organisation=organisation, name=customer.domain, actor=_ACTOR)
    if customer.story is Story.WAITING:
        return
    HostedDomain.objects.everywhere().filter(pk=domain.pk).update(
        tlsrpt_https=customer.https, trust_https=customer.https
    )
    domain.refresh_from_db()
    start(domain=domain, mx=customer.mx or (f"mx1.{customer.domain}",), actor=_ACTOR)
    _see(domain, customer)
    mark_live(domain)
    _go_on(domain, customer)
    _date_back(domain, customer)


def _see(domain: HostedDomain, customer: Customer) -> None:
    """What a look at the customer's DNS will find once the made-up internet runs: the proof for `mark_live`."""
    for record in RecordName:
        RecordSighting.objects.everywhere().create(domain=domain, record=record, finding=Finding.FOUND)
    for server in customer.mail:
        if server.in_policy:
            host = f"{server.label}.{customer.domain}"
            MxSighting.objects.everywhere().create(domain=domain, host=host, preference=server.preference)
    domain.mx_checked_at = timezone.now()
    domain.save(update_fields=["mx_checked_at"])


def _go_on(domain: HostedDomain, customer: Customer) -> None:
    """From testing to where the customer stands now."""
    if customer.story is Story.NONE:
        publish(domain=domain, policy=Policy(Mode.NONE, (), DEFAULT_MAX_AGE[Mode.NONE]), actor=_ACTOR)
    if customer.story in (Story.ENFORCE, Story.LEAVING):
        policy = Policy(Mode.ENFORCE, customer.mx, DEFAULT_MAX_AGE[Mode.ENFORCE])
        publish(domain=domain, policy=policy, actor=_ACTOR)
    if customer.story is Story.LEAVING:
        leave(domain=domain, actor=_ACTOR)


def _date_back(domain: HostedDomain, customer: Customer) -> None:
    """Spread the versions over the weeks: each was served from its day on, and announced a moment later."""
    now = timezone.now()
    began = now - timedelta(weeks=customer.weeks)
    versions = list(PolicyVersion.objects.everywhere().filter(domain=domain).order_by("number"))
    days = _days(began, now)[: len(versions)]
    for version, day, following in zip(versions, days, [*days[1:], None], strict=True):
        _date(version, day, following)
    last = versions[-1]
    Standing.objects.everywhere().filter(domain=domain).update(announced=last)
    leaving = days[-1] if domain.state == State.LEAVING else None
    HostedDomain.objects.everywhere().filter(pk=domain.pk).update(
        created_at=began, verified_at=began + timedelta(minutes=20), leaving_at=leaving
    )
    _date_log(domain)


def _days(began: datetime, now: datetime) -> list[datetime]:
    """When each version was published: the first at the beginning, the next halfway, the third two days ago."""
    return [began + timedelta(minutes=5), began + (now - began) / 2, now - timedelta(days=2)]


def _date(version: PolicyVersion, day: datetime, following: datetime | None) -> None:
    moment = timedelta(seconds=2)
    PolicyVersion.objects.everywhere().filter(pk=version.pk).update(
        policy_id=policy_id(bytes(version.body), day, ""),
        created_at=day,
        announced_at=day + moment,
        served_from=day,
        served_until=following + moment if following else None,
    )


def _date_log(domain: HostedDomain) -> None:
    """The audit lines of the versions, with their days and ids; what else there is belongs to the first day."""
    dated = PolicyVersion.objects.everywhere().filter(domain=domain).order_by("number")
    versions = list(dated.values_list("created_at", "policy_id"))
    published = iter(zip(versions, [None, *versions], strict=False))
    for entry in AuditEntry.objects.loose().filter(subject=domain.name).order_by("id"):
        entry.at = versions[0][0]
        if "id" in entry.after:
            (entry.at, entry.after["id"]), before = next(published)
            entry.before = {**entry.before, "id": before[1]} if before else {}
        AuditEntry.objects.loose().filter(pk=entry.pk).update(at=entry.at, before=entry.before, after=entry.after)


def _complete(world: World, settings: Config, organisation: Organisation) -> None:
    """Add the customers' zones that are missing, and lay the surroundings out as the settings want them."""
    known = {zone.origin for zone in world.zones}
    labels = dict(HostedDomain.objects.of(organisation).values_list("name", "label"))
    server = settings.nameservers[0]
    for zone, records in cast.surroundings(cast.Delegation(settings.base, server.host, server.addresses)):
        world.replace(zone, records)
    for sender in SENDERS:
        world.replace(*senders.zone(sender, senders_keys.published(settings.data, sender)))
    for customer in CUSTOMERS:
        name = str(customer.domain)
        if name not in known:
            world.replace(customer.zone, cast.records(customer, settings.base, labels.get(name, "")))


def _seen_by_senders(organisation: Organisation) -> store.Policies:
    """The ledger, as far as the made-up senders can have fetched it."""
    served = PolicyVersion.objects.of(organisation).order_by("domain__name", "number")
    found: dict[str, tuple[Held, ...]] = {}
    for version in served.select_related("domain"):
        if version.served_from:
            name = version.domain.name
            found[name] = (*found.get(name, ()), Held(version.served_from, bytes(version.body).decode()))
    return found


def _saved(settings: Config) -> World:
    try:
        return store.load(settings.data)
    except FileNotFoundError:
        return World([], [])
