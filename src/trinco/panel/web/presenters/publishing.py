"""What a change asks of the owner, by the way in which the three records are published (`policies.ways`)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from trinco.panel.domains.models import Finding, HostedDomain, RecordName, Way
from trinco.panel.policies.ways import way_at


def effect(domain: HostedDomain) -> str:
    """When a change of the policy takes effect, and who makes it known."""
    if domain.sts_way == Way.TXT:
        return _("Takes effect here at once. Its id is then yours to publish, as a TXT record.")
    if domain.sts_way == Way.PROVIDER:
        return _("Takes effect here at once. Its id is then written at your DNS provider.")
    return _("Takes effect here at once. No DNS change on your side.")


def what_follows(domain: HostedDomain) -> str:
    """What follows a change, before it is made and after."""
    if domain.sts_way == Way.TXT:
        return _("The file goes to every edge first; then you publish its id, and senders learn of it.")
    if domain.sts_way == Way.PROVIDER:
        return _("The file goes to every edge first; then its id is written at your DNS provider.")
    return _("The file goes to every edge first, then DNS announces it.")


def none_goes_out(domain: HostedDomain) -> str:
    """The first thing that happens when a domain leaves."""
    if domain.sts_way == Way.TXT:
        return _("Now: mode none goes to every edge, then you publish its id. Mail flows as without MTA-STS.")
    if domain.sts_way == Way.PROVIDER:
        return _(
            "Now: mode none goes to every edge, then its id is written at your DNS provider."
            " Mail flows as without MTA-STS."
        )
    return _("Now: mode none goes to every edge, then DNS announces it. Mail flows as without MTA-STS.")


def record_change(domain: HostedDomain) -> str:
    """Whether a change of the policy changes a record of the owner."""
    if domain.sts_way == Way.TXT:
        return _("Three records. The one with the id changes with every change of the policy.")
    if domain.sts_way == Way.PROVIDER:
        return _("Three records. The one with the id is changed at your DNS provider with every change of the policy.")
    return _("Three records, none of which changes with the policy.")


def again(domain: HostedDomain, record: str, finding: str) -> str:
    """What to do about a record that was there and is not as it should be."""
    way = way_at(domain, record)
    if record == RecordName.MTA_STS and way == Way.ADDRESSES:
        return _("Senders fetch the policy there. Publish the addresses that the records page shows, and no others.")
    if way == Way.CNAME:
        return _("Senders that hold the policy go on applying it; others no longer find it. Publish the CNAME again.")
    if way == Way.PROVIDER and finding != Finding.ELSEWHERE:
        return _("Senders take what DNS says. We write the text again at your DNS provider.")
    return _("Senders take what DNS says. Publish the text again that the records page shows, and that one alone.")
