"""Fills an empty database with reports and times the pages over them: python -m bench.pages_child DAYS

The database is the one of TRINCO_DATABASE. Prints one line of JSON: each page's milliseconds, queries and octets.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from statistics import median

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "trinco.panel.settings"
os.environ["TRINCO_PLAYGROUND"] = "true"  # the pages answer to `localhost` as well
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from bench import pages_fill  # noqa: E402
from trinco.panel.accounts.models import User  # noqa: E402
from trinco.panel.reports.models import FailureRow  # noqa: E402

REPEATS = 7
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def main(days: int) -> None:
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    last = pages_fill.fill(days)
    took = time.monotonic() - began
    failures = FailureRow.objects.everywhere().count()
    span = f"?from={last - timedelta(days=days - 1)}&to={last}"
    paths = {
        "by-result page, 30 days": "/reports/",
        "by-result page, all days of one domain": f"/reports/{span}&domain=d000007.example",
        "by-result page, all days": f"/reports/{span}",
        "by-source page, 30 days": "/reports/sources/",
        "by-source page, all days": f"/reports/sources/{span}",
    }
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(), backend=BACKEND)
    pages = {name: page_of(client, path) for name, path in paths.items()}
    print(json.dumps({"failures": failures, "seconds": took, "pages": pages}))


def page_of(client: Client, path: str, headers: Mapping[str, str] | None = None) -> dict[str, float]:
    """What a page costs: milliseconds within the panel, queries, octets."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path, headers=headers)
    assert answer.status_code == 200, (path, answer.status_code)
    asked = len(queries)  # the next request empties the log
    taken = median(_milliseconds(client, path, headers) for _ in range(REPEATS))
    return {"milliseconds": taken, "queries": asked, "octets": len(answer.content)}


def _milliseconds(client: Client, path: str, headers: Mapping[str, str] | None) -> float:
    began = time.perf_counter()
    client.get(path, headers=headers)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]))
