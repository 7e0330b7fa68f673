"""Why a deed is refused, as a problem: those on domains and policies are each of a kind of their own; `denied` has the
others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trinco.core.errors import TrincoError
from trinco.panel.accounts import errors as accounts
from trinco.panel.api import denied, kinds
from trinco.panel.api.conditions import changed, etag_of
from trinco.panel.api.kinds import Kind
from trinco.panel.api.problems import Problem
from trinco.panel.domains import errors as domains
from trinco.panel.policies import errors as policies

PLAIN: dict[type[TrincoError], Kind] = {
    policies.MxUnknown: kinds.MX_UNKNOWN,
    policies.NothingToUndo: kinds.NOTHING_TO_UNDO,
    policies.NoMxYet: kinds.NO_MX_YET,
    policies.AlreadyStarted: kinds.ALREADY_STARTED,
    policies.NotStarted: kinds.NOT_STARTED,
    domains.NotInSetup: kinds.NOT_IN_SETUP,
    domains.OurOwnName: kinds.OUR_OWN_NAME,
    accounts.HostRefused: kinds.OUR_OWN_NAME,
}
"""Those whose kind says it all."""


def _uncovered(error: policies.UncoveredMx) -> Problem:
    return Problem(kinds.UNCOVERED_MX, hosts=list(error.hosts))


def _too_wide(error: policies.WildcardTooWide) -> Problem:
    return Problem(kinds.WILDCARD_TOO_WIDE, pattern=error.pattern)


def _not_hosted(error: policies.NotHosted) -> Problem:
    return Problem(kinds.NOT_HOSTED, f"This is not possible while the domain is `{error.state}`.", state=error.state)


def _too_faint(error: accounts.AccentTooFaint) -> Problem:
    return Problem(kinds.ACCENT_TOO_FAINT, contrast=round(error.contrast, 1), nearest=error.nearest)


def _in_use(error: accounts.StillInUse) -> Problem:
    return Problem(kinds.STILL_IN_USE, domains=list(error.domains), clients=error.clients, importing=error.importing)


def _conflict(error: policies.Conflict) -> Problem:
    return changed(etag_of(error.number))


_TOLD: dict[type[TrincoError], Callable[[Any], Problem]] = {
    policies.UncoveredMx: _uncovered,
    policies.WildcardTooWide: _too_wide,
    policies.NotHosted: _not_hosted,
    policies.Conflict: _conflict,
    accounts.AccentTooFaint: _too_faint,
    accounts.StillInUse: _in_use,
}


def problem_of(error: TrincoError) -> Problem:
    """The problem that a refusal is."""
    if type(error) in _TOLD:
        return _TOLD[type(error)](error)
    kind = PLAIN.get(type(error))
    return denied.problem_of(error) if kind is None else Problem(kind)
