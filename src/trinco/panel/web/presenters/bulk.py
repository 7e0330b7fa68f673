"""What a change of many policies does, domain by domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.core.mtasts.policy import Mode
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.errors import NothingChanged
from trinco.panel.policies.services import Consequence
from trinco.panel.web import words
from trinco.panel.web.refusals import refusal


@dataclass(frozen=True, slots=True)
class Changing:
    """A domain that would change."""

    domain: HostedDomain
    before: Mode | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Staying:
    """A domain that would stay as it is, and why."""

    domain: HostedDomain
    before: Mode | None
    why: str


def bulk_view(consequences: Sequence[Consequence], mode: Mode) -> dict[str, Any]:
    """For `bulk.html`."""
    refused = [each for each in consequences if each.problem and not isinstance(each.problem, NothingChanged)]
    return {
        "mode": words.MODES[mode],
        "changing": [Changing(each.domain, each.before, _meaning(each)) for each in consequences if each.policy],
        "refused": [Staying(each.domain, each.before, refusal(each.problem)) for each in refused if each.problem],
        "same": sum(isinstance(each.problem, NothingChanged) for each in consequences),
    }


def _meaning(each: Consequence) -> str:
    policy = each.policy
    if policy is None or policy.mode is Mode.NONE:
        return _("Senders are told to forget the policy.")
    if policy.mode is Mode.TESTING:
        return _("Mail is delivered even when verification fails.")
    text = ngettext(
        "Mail goes to %(n)d named server over verified connections alone.",
        "Mail goes to %(n)d named servers over verified connections alone.",
        len(policy.mx),
    )
    return text % {"n": len(policy.mx)}
