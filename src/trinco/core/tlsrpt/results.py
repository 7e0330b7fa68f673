"""What the words of a TLS report mean to the domain's owner (RFC 8460 sections 4.3 and 4.4).

Each result type, policy type and known reason code has a meaning, a likely cause, what to do, how bad it is and on
whose side it lies. The texts are English sources for translation. A word not known here stays as it is: None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How bad it is for the mail, once the policy is enforced."""

    INFO = "info"
    """Nothing to repair."""
    WARNING = "warning"
    """Mail goes on for now, less well protected or at risk."""
    ERROR = "error"
    """Senders that honour the policy hold mail back."""


class Side(StrEnum):
    """Where the thing to repair is."""

    MAIL_SERVER = "mail-server"
    """The receiving MX: its TLS, its certificate."""
    DNS = "dns"
    """The DNS of the domain or of its MX."""
    POLICY = "policy"
    """The MTA-STS policy: its content, or the host that serves it."""
    SENDER = "sender"
    """The sending side's own rules."""
    UNCLEAR = "unclear"
    """The path between, or a reason that only further words tell."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One word of a report, explained. `word` is the standard's or the vendor's, never translated."""

    word: str
    meaning: str
    cause: str
    action: str
    severity: Severity
    side: Side


NEGOTIATION: tuple[Explanation, ...] = (
    Explanation(
        "starttls-not-supported",
        meaning="The mail server did not offer STARTTLS to this sender.",
        cause="TLS is off or its certificate did not load, a firewall or proxy takes STARTTLS out of the conversation, "
        "or someone on the path downgrades connections on purpose.",
        action="Test each MX from outside on port 25. Turn SMTP inspection off on firewalls. If only some senders see "
        "it, suspect the path to them.",
        severity=Severity.ERROR,
        side=Side.MAIL_SERVER,
    ),
    Explanation(
        "certificate-host-mismatch",
        meaning="The mail server's certificate is not for the name that the sender connected to.",
        cause="The certificate lacks the MX host name (an old name, the provider's own, a wildcard one label off), or "
        "an MX record names a host that the certificate was never made for.",
        action="Get a certificate that holds the MX host name, or point the MX record to the name in the certificate "
        "and change the mx lines of the policy along with it.",
        severity=Severity.ERROR,
        side=Side.MAIL_SERVER,
    ),
    Explanation(
        "certificate-expired",
        meaning="The mail server's certificate has expired.",
        cause="The renewal failed, or the mail server was not told to load the renewed certificate.",
        action="Renew the certificate and reload the mail server. Watch its expiry from now on.",
        severity=Severity.ERROR,
        side=Side.MAIL_SERVER,
    ),
    Explanation(
        "certificate-not-trusted",
        meaning="The sender does not trust the mail server's certificate.",
        cause="It is self-signed or from a private authority, or the server leaves out the intermediate certificate.",
        action="Send the full chain. For MTA-STS use a certificate of a public authority. The reason code, where the "
        "sender gives one, says which it is.",
        severity=Severity.ERROR,
        side=Side.MAIL_SERVER,
    ),
    Explanation(
        "validation-failure",
        meaning="The connection did not meet the policy, for a reason that has no word of its own.",
        cause="Often an MX record that the policy does not list; sometimes a handshake that failed, or TLS versions "
        "without overlap.",
        action="Read the reason code. Compare the MX records in DNS with the mx lines of the policy, then the TLS "
        "versions that the mail server accepts (1.2 at least).",
        severity=Severity.ERROR,
        side=Side.UNCLEAR,
    ),
)
"""RFC 8460 section 4.3.1."""

DANE: tuple[Explanation, ...] = (
    Explanation(
        "tlsa-invalid",
        meaning="None of the TLSA records in DNS fits the mail server's certificate.",
        cause="The certificate or its key was replaced and the TLSA records were not, or their parameters are wrong.",
        action="Publish the TLSA record of the next key before it is put to use. A `3 1 1` record holds the SHA-256 of "
        "the public key: compare it with the certificate in use.",
        severity=Severity.ERROR,
        side=Side.DNS,
    ),
    Explanation(
        "dnssec-invalid",
        meaning="The sender's resolver could not validate the DNS answers that DANE needs.",
        cause="Signatures have expired, or the DS record at the parent does not fit the zone's keys.",
        action="Repair the signing of the zone that the MX host is in; that may be your provider's zone.",
        severity=Severity.ERROR,
        side=Side.DNS,
    ),
    Explanation(
        "dane-required",
        meaning="The sender insists on DANE for this domain, and the mail server has no validated TLSA records.",
        cause="The sender was told to require DANE, by agreement or by mistake, or the TLSA records have gone.",
        action="Publish TLSA records in a signed zone, or tell that partner that you do not.",
        severity=Severity.WARNING,
        side=Side.SENDER,
    ),
)
"""RFC 8460 section 4.3.2.1."""

STS: tuple[Explanation, ...] = (
    Explanation(
        "sts-policy-fetch-error",
        meaning="DNS announces an MTA-STS policy, and the sender could not fetch it.",
        cause="The policy host answered with an error or a redirect or too late, its name does not resolve, or "
        "something in front of it turns senders away.",
        action="Open the policy's address from outside and look at the policy host's log of that time. Senders that "
        "hold an older policy go on with it until its max_age has passed.",
        severity=Severity.WARNING,
        side=Side.POLICY,
    ),
    Explanation(
        "sts-policy-invalid",
        meaning="The policy was fetched and is not valid.",
        cause="A field is missing or misspelt (version, mode, max_age), there is no mx line, or an mx line is no host "
        "name.",
        action="Check the file line by line with `trinco policy lint`.",
        severity=Severity.WARNING,
        side=Side.POLICY,
    ),
    Explanation(
        "sts-webpki-invalid",
        meaning="The certificate of the policy host is not valid for its name.",
        cause="It has expired, is not for `mta-sts` in front of the domain, or is not from a public authority.",
        action="Renew the certificate of the policy host. CAA records must let its authority issue.",
        severity=Severity.WARNING,
        side=Side.POLICY,
    ),
)
"""RFC 8460 section 4.3.2.2."""

RESULT_TYPES: Mapping[str, Explanation] = MappingProxyType({one.word: one for one in (*NEGOTIATION, *DANE, *STS)})
"""Every result type of RFC 8460 section 4.3."""

POLICY_TYPES: Mapping[str, Explanation] = MappingProxyType(
    {
        one.word: one
        for one in (
            Explanation(
                "sts",
                meaning="The sender applied the domain's MTA-STS policy.",
                cause="DNS announced the policy and the sender fetched it, now or within its max_age.",
                action="The lines of the policy show which version the sender holds; an older one is its cache.",
                severity=Severity.INFO,
                side=Side.POLICY,
            ),
            Explanation(
                "tlsa",
                meaning="The sender applied DANE: the TLSA records of the mail server.",
                cause="The mail server's zone is signed and has TLSA records. DANE goes before MTA-STS.",
                action="Nothing, while it succeeds. The same sessions may be counted under MTA-STS as well.",
                severity=Severity.INFO,
                side=Side.DNS,
            ),
            Explanation(
                "no-policy-found",
                meaning="The sender found no policy and used TLS where it could.",
                cause="The record is new and was not seen yet, DNS failed, or this sender does not do MTA-STS.",
                action="If a policy has been published for more than a day, check the `_mta-sts` record from outside.",
                severity=Severity.INFO,
                side=Side.UNCLEAR,
            ),
        )
    }
)
"""Every policy type of RFC 8460 section 4.4."""

REASON_CODES: Mapping[str, Explanation] = MappingProxyType(
    {
        one.word: one
        for one in (
            Explanation(
                "MX_HOSTS_MISMATCH",
                meaning="An MX record names a host that no mx line of the policy covers.",
                cause="The MX records changed and the policy did not, or the sender holds the older policy.",
                action="Add the host to the policy. Add a new mail server to the policy before its MX record.",
                severity=Severity.ERROR,
                side=Side.POLICY,
            ),
            Explanation(
                "VALIDATION_FAILURE",
                meaning="The sender says no more than that the policy was not met.",
                cause="An MX record that the policy does not list, or a certificate that does not fit.",
                action="Check each MX host against the policy and its certificate.",
                severity=Severity.ERROR,
                side=Side.UNCLEAR,
            ),
            Explanation(
                "tls-handshake-failure",
                meaning="STARTTLS was offered, and the TLS handshake failed.",
                cause="No TLS version or cipher in common, or a connection that was cut in between.",
                action="Let the mail server accept TLS 1.2 and 1.3 with common ciphers, then test it from outside.",
                severity=Severity.ERROR,
                side=Side.MAIL_SERVER,
            ),
            Explanation(
                "all-TLSA-records-unusable",
                meaning="There are TLSA records, and none has parameters that SMTP can use.",
                cause="Certificate usages 0 or 1, or a matching type that the sender does not know.",
                action="Publish `3 1 1` or `2 1 1` records.",
                severity=Severity.ERROR,
                side=Side.DNS,
            ),
            Explanation(
                "all-fingerprints-unusable",
                meaning="None of the fingerprints that the sender was given for this server can be used.",
                cause="The sender's own settings list fingerprints in a form or digest that it does not accept.",
                action="Tell the sender's postmaster; nothing on your side changes it.",
                severity=Severity.WARNING,
                side=Side.SENDER,
            ),
            Explanation(
                "all-trust-anchors-unusable",
                meaning="None of the trust anchors that the sender was given for this server can be used.",
                cause="The sender's own settings name trust anchor files that do not load.",
                action="Tell the sender's postmaster; nothing on your side changes it.",
                severity=Severity.WARNING,
                side=Side.SENDER,
            ),
        )
    }
)
"""Reason codes that senders write: Microsoft's in capitals, Postfix's in lower case. The field is free text."""


def result(word: str) -> Explanation | None:
    """What this result type means; None: a word that the standard does not have, to be shown as it is."""
    return RESULT_TYPES.get(word)


def policy_type(word: str) -> Explanation | None:
    """What this policy type means; None: not one of the standard's."""
    return POLICY_TYPES.get(word)


def reason_code(text: str) -> Explanation | None:
    """What this failure-reason-code means; None: a text that is not known here."""
    return REASON_CODES.get(text)
