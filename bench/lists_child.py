"""Fills an empty database with many domains and times the lists over them: python -m bench.lists_child DOMAINS

The database is the one of TRINCO_DATABASE. Prints one line of JSON: the seconds of an import of as many domains,
and each page's milliseconds, queries and octets.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "trinco.panel.settings"
os.environ["TRINCO_PLAYGROUND"] = "true"  # the pages answer to `localhost` as well
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from tests import support_wall  # noqa: E402

from bench import lists_fill  # noqa: E402
from bench.pages_child import BACKEND, page_of  # noqa: E402
from trinco.panel.accounts.actors import CLI  # noqa: E402
from trinco.panel.accounts.models import User  # noqa: E402
from trinco.panel.accounts.services import create_account, membership_of  # noqa: E402
from trinco.panel.policies import imports  # noqa: E402

CLIENTS, LINES = 200, 500_000
TYPED = {"HX-Request": "true"}
LARGE: dict[str, tuple[str, dict[str, str]]] = {
    "overview": ("/", {}),
    "overview, last page": ("/?page=9999", {}),
    "domains, ready": ("/?show=ready", {}),
    "domains, one mode": ("/?mode=none", {}),
    "domains, one state": ("/?state=setup", {}),
    "domains, one tag": ("/?tag=tag+03", {}),
    "domains, mode, state, tag and a name": ("/?mode=enforce&state=live&tag=tag+03&q=example", {}),
    "search as typed, many fit": ("/?q=a00", TYPED),
    "search as typed, a mail server": ("/?q=backup.a09", TYPED),
    "search as typed, none fits": ("/?q=zulu", TYPED),
    "API list": ("/api/v1/domains?limit=100", {}),
    "activity": ("/activity/", {}),
    "activity, one domain": ("/activity/?domain=a10007.example", {}),
    "reports by result, 30 days": ("/reports/", {}),
    "reports by source, 30 days": ("/reports/sources/", {}),
    "one domain's page": ("/domains/a00007.example/", {}),
}
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "all clients": ("/clients/", {}),
    "all clients, a name": ("/clients/?q=b00", {}),
    "all clients, by client": ("/clients/by-client/", {}),
    "activity of the provider": ("/activity/", {}),
    "organisations": ("/organisations/", {}),
}


def imported(domains: int) -> float:
    """Seconds from the list to the last of its domains, with mail servers and two tags each."""
    person = create_account(email="eva@example.com", password="correct horse battery")
    organisation = membership_of(person).organisation
    lines = (f"i{number}.example,mx.i{number}.example,t{number % 50}|gov" for number in range(domains))
    began = time.monotonic()
    imports.start(organisation=organisation, text="\n".join(["domain,mx,tags", *lines]), actor=CLI)
    while imports.imports_due(timezone.now()):
        pass
    return time.monotonic() - began


def main(domains: int) -> None:
    call_command("migrate", verbosity=0)
    if connection.vendor == "postgresql":
        support_wall.built()  # the pages are asked from within, as people ask them
    began = time.monotonic()
    owners = lists_fill.fill(domains, CLIENTS, LINES)
    took = time.monotonic() - began
    pages: dict[str, Any] = {}
    for owner, email, asked in zip(owners, ("ana@example.com", "msp@example.com"), (LARGE, PROVIDERS), strict=True):
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.get(email=email), backend=BACKEND)
        for name, (path, headers) in asked.items():
            pages[name] = page_of(client, f"/o/{owner.pk}{path}", headers)
    connection.close()  # from here on the disk is waited for
    spent = imported(domains)
    print(json.dumps({"import": spent, "facts": lists_fill.facts(), "seconds": took, "pages": pages}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
