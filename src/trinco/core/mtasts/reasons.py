"""The links of a decision's reason chain, in English words that can be translated."""

from __future__ import annotations

from dataclasses import dataclass

TEXTS: dict[str, str] = {
    "expired": "the policy that was held ran out at {0}",
    "clock": "the policy that is held was fetched in the future: the clock was set back; it applies until {0}",
    "held": "a policy of mode {0} is held under id {1} and applies until {2}",
    "announced": "DNS announces id {0}",
    "no-record": "DNS has no MTA-STS record",
    "multiple-records": "DNS has more than one MTA-STS record, which counts as none",
    "broken-record": "the MTA-STS record breaks the grammar, which counts as none: {0}",
    "dns-failure": "DNS did not answer: {0}",
    "recently": "DNS announced id {0} less than five minutes ago",
    "recently-none": "DNS had no usable MTA-STS record less than five minutes ago",
    "nothing-held": "no policy is held, and one is announced",
    "new-id": "the policy is held under id {0}, and DNS announces {1}",
    "refresh-due": "the policy that is held was fetched at {0} and is due to be fetched again",
    "waits": "fetching id {0} failed; the next attempt comes no sooner than {1}",
    "fetched": "the policy was fetched under id {0} and applies until {1}",
    "fetch-failed": "the policy could not be fetched: {0} ({1})",
    "unannounced": "a policy was fetched that nothing announces: it is not used",
    "mode-none": "the policy has mode none: deliver as if there were none",
    "applies": "the policy applies, in mode {0}",
    "unknown": "whether there is a policy is not known",
    "no-policy": "no policy applies: deliver as if the domain had no MTA-STS",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One link: `key` into TEXTS and the facts of the case."""

    key: str
    facts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The reason in English."""
        return TEXTS[self.key].format(*self.facts)
