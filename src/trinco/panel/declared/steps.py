"""The steps by which the tables come in line with a file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trinco.core.errors import TrincoError
from trinco.panel.accounts.actors import Actor
from trinco.panel.declared.comparing import Difference


class Kind(StrEnum):
    """What a step does."""

    ADD = "add"
    CHANGE = "change"
    LEAVE = "leave"
    """`mode: none` until no sender holds an older policy."""
    GIVE_UP = "give up"
    """A domain that was never served is no longer waited for."""
    NONE = "none"
    """It is as it is declared, or cannot be otherwise: see `problem`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One organisation (`domain` is "") or one domain. `path`: the provider's name, and the client's.

    `problem`: why nothing of it is done. `unjudged`: whether the domain may enforce is said by a look at DNS, which a
    dry run does not take.
    """

    path: tuple[str, ...]
    domain: str
    kind: Kind
    differences: tuple[Difference, ...] = ()
    problem: TrincoError | None = None
    unjudged: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """`prune`: domains that neither the file nor `keep` names leave, where the file says which domains an organisation
    has. `dry`: only say what would be done."""

    actor: Actor
    prune: bool = False
    dry: bool = False
    keep: frozenset[str] = frozenset()
