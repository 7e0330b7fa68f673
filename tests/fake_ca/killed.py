"""Workers that are killed: `python -m tests.fake_ca.killed DIRECTORY KILLS DOMAINS`, with TRINCO_DATA in the environment.

For each of `orders.POINTS` every certificate becomes due. So many workers, one after the other, die there by SIGKILL; the
last one may live until all have a certificate. Says, as JSON, how many died where, and what the tables hold at the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django


def main(directory: str, kills: int, domains: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "trinco.panel.settings"
    django.setup()
    from django.core.management import call_command
    from tests.support_panel import edge, live, organisation

    call_command("migrate", verbosity=0)
    owner = organisation()
    for number in range(domains):
        live(owner, f"d{number}.example")
    edge(acknowledged=2**40)
    from trinco.panel.certificates.models import AccountKey
    from trinco.panel.certificates.orders import POINTS

    died: dict[str, int] = {}
    clock = datetime.now(UTC)
    for point in POINTS:
        due_again(clock)
        for _ in range(kills):
            clock += timedelta(minutes=11)  # the lease of the one before is over
            died[point] = died.get(point, 0) + (life(directory, clock, point) == signal.SIGKILL)
        clock += timedelta(minutes=11)
        assert life(directory, clock, "") == 0
        clock += timedelta(minutes=11)
    print(json.dumps({"died": died, "keys": AccountKey.objects.count(), **held()}))


def due_again(clock: datetime) -> None:
    from trinco.panel.certificates.models import Certificate, HostCertificate

    Certificate.objects.everywhere().update(renew_due_at=clock)
    HostCertificate.objects.update(due_at=clock)


def life(directory: str, clock: datetime, point: str) -> int:
    """One worker's life in a process of its own; how it ended, 0: well."""
    from django.db import connections

    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            work(directory, clock, point)
        finally:
            os._exit(int(sys.exc_info()[0] is not None))
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def work(directory: str, clock: datetime, point: str) -> None:
    from trinco.net.acme import Conversation
    from trinco.net.acme_words import Place, Registration
    from trinco.panel.certificates import queue
    from trinco.panel.certificates.account import Site, Talks
    from trinco.panel.certificates.models import Order
    from trinco.panel.certificates.orders import Desk

    def reached(where: str) -> None:
        if where == point:
            os.kill(os.getpid(), signal.SIGKILL)

    site = Site(Place(directory), Registration(("mailto:ana@example.com",), True))
    talks = Talks(lambda site, key: Conversation(site.place, key))
    deadline = time.monotonic() + 60
    while True:
        queue.turn(Desk(clock, (site,), talks, reached=reached))
        pending = Order.objects.everywhere().filter(ended_at__isnull=True)
        if not pending.exists() and not queue.queued(clock).exists():
            return
        assert time.monotonic() < deadline
        clock += timedelta(seconds=3)


def held() -> dict[str, Any]:
    """What is in the tables: every certificate with whether its key opens and fits it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    from trinco.panel import keyring
    from trinco.panel.certificates.models import Certificate, Order

    fits = 0
    rows = Certificate.objects.everywhere().select_related("domain")
    for row in rows:
        key = serialization.load_der_private_key(
            keyring.current().open(bytes(row.sealed_key), row.domain.policy_host), None
        )
        fits += key.public_key() == x509.load_der_x509_certificate(bytes(row.leaf)).public_key()
    failed = list(Order.objects.everywhere().filter(stage="failed").values_list("host", "problem"))
    return {"certificates": len(rows), "fit": fits, "failed": failed}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
