"""What the words of a TLS report mean, in the reader's language: `core.tlsrpt.results`, translated.

The catalogue takes its texts from core itself, so each of them stands in one place alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trinco.core.tlsrpt import results
from trinco.core.tlsrpt.results import Explanation, Severity, Side

LOOKS = {Severity.INFO: "mute", Severity.WARNING: "warn", Severity.ERROR: "bad"}
"""Colour and icon of each severity."""

SIDES: dict[Side, Promise] = {
    Side.MAIL_SERVER: _("Your mail server"),
    Side.DNS: _("DNS"),
    Side.POLICY: _("The policy"),
    Side.SENDER: _("The sender"),
    Side.UNCLEAR: _("Not clear"),
}
"""Where the thing to repair is."""

POLICY_TYPES: dict[str, Promise] = {
    "sts": _("MTA-STS"),
    "tlsa": _("DANE"),
    "no-policy-found": _("No policy found"),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """One word of a report, explained. `word` is the standard's or the vendor's, never translated."""

    word: str
    meaning: str
    cause: str
    action: str
    look: str
    side: Promise | str


def result_meaning(word: str) -> Meaning:
    """What a result type means; one that the standard does not have is shown as it is, with nothing known of it."""
    found = results.result(word)
    return _translated(found) if found else _unknown(word, gettext("This result type is not one of the standard."))


def reason_meaning(text: str) -> Meaning | None:
    """What a reason code means; None: free text."""
    found = results.reason_code(text)
    return _translated(found) if found else None


def policy_meaning(word: str) -> Meaning:
    """What a policy type means; one that the standard does not have is shown as it is."""
    found = results.policy_type(word)
    return _translated(found) if found else _unknown(word, gettext("This policy type is not one of the standard."))


def policy_word(word: str) -> str:
    """A policy type as people say it."""
    return str(POLICY_TYPES.get(word, word))


def _translated(one: Explanation) -> Meaning:
    return Meaning(
        one.word, gettext(one.meaning), gettext(one.cause), gettext(one.action), LOOKS[one.severity], SIDES[one.side]
    )


def _unknown(word: str, meaning: str) -> Meaning:
    return Meaning(word, meaning, "", "", "warn", SIDES[Side.UNCLEAR])
