"""What became of each step, in English: as facts for programs, and why one was refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trinco.core.errors import InputError, TrincoError
from trinco.panel.accounts.errors import NoClients, NoSingleSignOn
from trinco.panel.declared.errors import AmbiguousOrganisation, NotAllowed, OtherOrganisation
from trinco.panel.declared.steps import Kind, Step
from trinco.panel.domains import errors as domains
from trinco.panel.policies import errors as policies

_OVERRIDE = "`force: true` goes on, on the record"
_WORDS: dict[type[TrincoError], Callable[[Any], str]] = {
    AmbiguousOrganisation: lambda _: "several organisations have this name; rename all but one",
    OtherOrganisation: lambda error: f"the token is about {error.name} alone",
    NotAllowed: lambda error: f"your role, or the token's scope, does not allow this; {error.takes} would",
    NoClients: lambda _: "a client has no clients of its own",
    NoSingleSignOn: lambda _: "this installation has no provider for single sign-on (docs/sso.md)",
    domains.TooManyTags: lambda _: "an organisation has 100 tags at most",
    policies.NoMxYet: lambda _: "the policy wants an mx list, and the domain never had one",
    policies.UncoveredMx: lambda error: (
        f"enforce would stop mail to {', '.join(error.hosts)}: no mx of the policy covers it ({_OVERRIDE})"
    ),
    policies.MxUnknown: lambda _: f"enforce wants MX that DNS shows now, and it shows none or is silent ({_OVERRIDE})",
    policies.WildcardTooWide: lambda error: (
        f"{error.pattern} stands for hosts of other owners; name the hosts of the MX records"
    ),
    policies.NotHosted: lambda error: f"not while the domain is {error.state}",
    policies.Conflict: lambda _: "somebody changed its policy at this moment; look, and apply the file again",
    domains.OurOwnName: lambda error: f"{error.name} is part of the zone that Trinco itself serves",
    domains.AlreadyAdded: lambda _: "somebody added it at this moment; apply the file again",
    domains.NotInSetup: lambda error: f"{error.name} is served; it can only leave",
}


def why(problem: TrincoError) -> str:
    """The reason of a refusal, one line."""
    if type(problem) in _WORDS:
        return _WORDS[type(problem)](problem)
    return problem.reason if isinstance(problem, InputError) else str(problem) or type(problem).__name__


def matters(step: Step) -> bool:
    """Whether something is done, or refused."""
    return step.kind is not Kind.NONE or step.problem is not None


def facts(step: Step) -> dict[str, Any]:
    """For programs."""
    differences = {each.name: {"before": each.before, "after": each.after} for each in step.differences}
    where = {"organisation": list(step.path), "domain": step.domain or None}
    refused = why(step.problem) if step.problem else None
    told = {**where, "step": str(step.kind), "differences": differences, "refused": refused}
    return {**told, "unjudged": True} if step.unjudged else told
