"""What `trinco domain` says when a deed is refused: the same reasons as the pages, in one line and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from trinco.cli import orm
from trinco.core.errors import DnsFailure
from trinco.panel.domains import errors as domains
from trinco.panel.policies import errors as policies
from trinco.panel.policies.ways import CHOICES

Words = Callable[[Any], str]

_FINDINGS: dict[type[Exception], Words] = {
    policies.UncoveredMx: lambda error: (
        f"enforce would stop mail to {', '.join(error.hosts)}: no mx of the policy covers it (--override goes on)"
    ),
    policies.MxUnknown: lambda _: "enforce wants MX that were seen in the last hour, and there are none (--override)",
    domains.AlreadyAdded: lambda error: f"{error.name} is here already",
}
_USAGE: dict[type[Exception], Words] = {
    policies.WildcardTooWide: lambda error: (
        f"{error.pattern} stands for hosts of other owners; name the hosts of the MX records"
    ),
    policies.AlreadyStarted: lambda _: "it has a policy already; change it with `trinco domain mode`",
    policies.NotStarted: lambda _: "it has no policy yet; repeat `trinco domain add` with --mx or --accept-mx",
    policies.NoMxYet: lambda _: "it never had an mx list; publish one on its page first",
    policies.NotHosted: lambda error: f"not while the domain is {error.state}",
    policies.NoSuchWay: lambda error: f"{error.record} cannot be published so: {', '.join(CHOICES[error.record])}",
    policies.NoAccess: lambda _: "no credentials of its DNS provider are kept; give them on its page",
    domains.OurOwnName: lambda error: f"{error.name} is part of the zone that Trinco itself serves",
    domains.NotInSetup: lambda error: f"{error.name} is served; it can only leave",
}


def words(error: Exception) -> str:
    """Why a deed was refused, in one line."""
    return {**_FINDINGS, **_USAGE}.get(type(error), str)(error)


@contextmanager
def refused() -> Iterator[None]:
    """Turn a refusal into its line: exit 1 for what the checks found, 2 for wrong use, 3 for a DNS that is silent."""
    try:
        yield
    except tuple(_FINDINGS) as error:
        raise orm.ended(_FINDINGS[type(error)](error), orm.EXIT_FINDING) from error
    except tuple(_USAGE) as error:
        raise orm.ended(_USAGE[type(error)](error), orm.EXIT_USAGE) from error
    except DnsFailure as error:
        raise orm.ended(f"DNS could not be asked: {error}", orm.EXIT_UNTESTED) from error
