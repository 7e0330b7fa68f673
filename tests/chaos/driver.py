"""The panel's people, as a process of its own: each domain belongs to a tenant of its own, who publishes what he is told.

One request per line on standard input, `[deed, argument, …]` in JSON; one answer per line on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up

from django.core.management import call_command  # isort: skip - after the set-up
from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Sum
from tests.chaos.policies import MAX_AGE, mode
from tests.support_panel import ANA, live, organisation, standing

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.policies.errors import NothingChanged
from trinco.panel.policies.models import EdgeNode
from trinco.panel.reports.models import DailyTotal, RawReport, RawState, Report


def insist(deed: Callable[[], Any]) -> Any:
    """Again, until the database is there."""
    while True:
        try:
            return deed()
        except (DatabaseError, InterfaceError):
            connections.close_all()
            time.sleep(0.2)


def host(*names: str) -> dict[str, str]:
    """Make the database and host these names, live, one tenant each; their labels."""
    call_command("migrate", interactive=False, verbosity=0)
    return {name: live(organisation(f"owner@{name}"), name, (f"v0.{name}",)).label for name in names}


def publish(name: str, number: int) -> str:
    """The policy of this number; its id."""
    policy = Policy(Mode(mode(number)), (f"v{number}.{name}",), MAX_AGE)

    def deed() -> str:
        try:
            return services.publish(domain=_row(name), policy=policy, actor=ANA, override=True).policy_id
        except NothingChanged:  # it was kept, and the answer was lost with the database
            return standing(_row(name)).current.policy_id

    return str(insist(deed))


def current(name: str) -> list[str | None]:
    """The id of the current version, and the one that is announced."""
    found = insist(lambda: standing(_row(name)))
    return [found.current.policy_id, found.announced.policy_id if found.announced else None]


def edges() -> dict[str, Any]:
    """What the edges acknowledged, by name, and what they could not fetch from themselves."""
    return {each.name: [each.acknowledged, each.failing] for each in insist(lambda: list(EdgeNode.objects.all()))}


def reports() -> dict[str, Any]:
    """What there is of reports, as the digest left it."""
    found = Report.objects.everywhere()
    sessions = DailyTotal.objects.everywhere().filter(policy_type="", result_type="")
    return {
        "ids": sorted(found.filter(counted=True).values_list("report_id", flat=True)),
        "sessions": sessions.aggregate(sum=Sum("successful_session_count"))["sum"] or 0,
        "copies": found.aggregate(sum=Sum("copies"))["sum"] or 0,
        "arrivals": RawReport.objects.everywhere().count(),
        "parked": list(RawReport.objects.everywhere().filter(state=RawState.PARKED).values_list("reason", flat=True)),
    }


def _row(name: str) -> HostedDomain:
    return HostedDomain.objects.everywhere().get(name=name)


def main() -> None:
    deeds = {deed.__name__: deed for deed in (host, publish, current, edges, reports)}
    for line in sys.stdin:
        deed, *arguments = json.loads(line)
        print(json.dumps(deeds[deed](*arguments)), flush=True)


if __name__ == "__main__":
    main()
