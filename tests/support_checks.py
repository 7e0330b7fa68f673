"""A panel whose look-ups go to a made-up DNS, for the tests of `checks` and of what stands on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

from tests import support_dns as lab

from trinco.panel.domains.models import HostedDomain

LOOPBACK = (ip_network("127.0.0.0/8"),)


@contextmanager
def customers(settings: Any, zones: dict[str, str], hosts: dict[str, lab.Host] | None = None) -> Iterator[lab.Internet]:
    """Serve these zones, and let the panel ask them."""
    with lab.internet(zones, hosts) as world:
        configure(settings, resolvers=world.resolvers, authority_port=world.port, allow_networks=LOOPBACK)
        yield world


def configure(settings: Any, **values: Any) -> None:
    """Change the configuration for one test (pytest-django's `settings` puts it back)."""
    settings.CONFIG = dataclasses.replace(settings.CONFIG, **values)


def cnames(domain: HostedDomain, base: str = "trinco.example") -> str:
    """The three records that the owner publishes, as master file lines."""
    zones = {"mta-sts": "policy", "_mta-sts": "mta-sts", "_smtp._tls": "tlsrpt"}
    return "".join(f"{name} CNAME {domain.label}.{zone}.{base}.\n" for name, zone in zones.items())
