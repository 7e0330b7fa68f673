"""The panel's side of a test with real edges, as a process of its own: it publishes what it is told, and announces.

One request per line on standard input, `[deed, argument, …]` in JSON; one answer per line on standard output.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up

from django.core.management import call_command  # isort: skip - after the set-up
from django.db import DatabaseError, OperationalError, connections
from django.utils import timezone
from tests.support_panel import ANA, live, organisation, standing

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.certificates.services import issue_due
from trinco.panel.domains.models import HostedDomain, Revision
from trinco.panel.policies import services
from trinco.panel.policies.models import EdgeNode

MAX_AGE = 86400


def host(*names: str) -> dict[str, str]:
    """Make the database and host these names, live; their labels."""
    call_command("migrate", interactive=False, verbosity=0)
    ours = organisation()
    labels = {name: live(ours, name, (f"v1.{name}",)).label for name in names}
    issue_due(timezone.now())
    return labels


def publish(name: str, number: int) -> str:
    """The policy whose one MX tells its number; its id."""
    policy = Policy(Mode.TESTING, (f"v{number}.{name}",), MAX_AGE)
    while True:
        try:
            return services.publish(domain=_row(name), policy=policy, actor=ANA).policy_id
        except OperationalError:
            connections.close_all()  # locked: an edge was stopped while it wrote


def current(name: str) -> list[str | None]:
    """The id of the current version and the one that is announced."""
    found = standing(_row(name))
    return [found.current.policy_id, found.announced.policy_id if found.announced else None]


def edges() -> dict[str, Any]:
    """What the edges acknowledged, by name."""
    return {node.name: [node.acknowledged, node.failing] for node in EdgeNode.objects.all()}


def leased() -> list[str]:
    """The edges whose lease runs."""
    return [node.name for node in EdgeNode.objects.filter(lease_until__gt=timezone.now())]


def revision() -> int:
    return Revision.objects.get().number


def close() -> None:
    """Let go of the database."""
    connections.close_all()


def _row(name: str) -> HostedDomain:
    return HostedDomain.objects.everywhere().get(name=name)


def _announce() -> None:
    """What the worker does: announce whatever may be announced, ten times a second."""
    while True:
        try:
            services.announce_due(timezone.now())
        except DatabaseError:
            connections.close_all()
        time.sleep(0.1)


def main() -> None:
    deeds = {deed.__name__: deed for deed in (host, publish, current, edges, leased, revision, close)}
    for line in sys.stdin:
        deed, *arguments = json.loads(line)
        if deed == "announce":
            threading.Thread(target=_announce, daemon=True).start()
        answer = deeds[deed](*arguments) if deed in deeds else None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
