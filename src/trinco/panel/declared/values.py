"""What a file declares. None is what it does not say: that stays as it is, or as it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trinco.core.mtasts.policy import Mode


@dataclass(frozen=True, slots=True)
class DeclaredPolicy:
    """`max_age` in seconds; `force`: published although the checks refuse `enforce`, and the log says so."""

    mode: Mode | None = None
    mx: tuple[str, ...] | None = None
    max_age: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredDomain:
    """A mail domain by its A-labels. `reporting` has keys of `domains.services.Reporting`; `tags`: all that it has, as
    they are kept; None: nothing is said about tags. `ways`: by keys of `policies.ways.Ways`, what is said."""

    name: str
    policy: DeclaredPolicy | None = None
    reporting: Mapping[str, bool] = field(default_factory=dict)
    tags: tuple[str, ...] | None = None
    ways: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredOrganisation:
    """A provider or a client. `domains`: all that it has; None: nothing is said about domains, or about a term."""

    name: str
    second_factor: bool | None = None
    domains: tuple[DeclaredDomain, ...] | None = None
    clients: tuple[DeclaredOrganisation, ...] = ()
    single_sign_on: bool | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A whole file."""

    organisations: tuple[DeclaredOrganisation, ...] = ()
