"""The overview follows a deed at once, and not when the worker comes by."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from trinco.panel.checks.status import refresh_by_key
from trinco.panel.domains.models import HostedDomain


def work_out(domains: Iterable[HostedDomain]) -> None:
    """Work out the levels of these domains anew."""
    refresh_by_key([domain.pk for domain in domains], timezone.now())
