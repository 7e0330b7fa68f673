"""What can go wrong with certificates."""

from __future__ import annotations

from enum import StrEnum

from trinco.core.errors import TrincoError


class IssuanceFailed(TrincoError):
    """No certificate could be had. The text says why, to the domain's owner."""


class AuthorityUnusable(IssuanceFailed):
    """The development CA's files are there but cannot be used: torn, or sealed under another key."""


class Fault(StrEnum):
    """What is wrong with a certificate that somebody brings."""

    TOO_LARGE = "this is more than a certificate with its chain and its key"
    ENCRYPTED = "the key is encrypted: take its passphrase off first"
    NO_CERTIFICATE = "there is no certificate in PEM (-----BEGIN CERTIFICATE-----); DER and PKCS #12 are not read"
    NO_KEY = "there is no private key in PEM (-----BEGIN PRIVATE KEY-----)"
    SEVERAL_KEYS = "there are several private keys"
    GARBAGE = "a block of it cannot be read"
    KEY_KIND = "the key is neither P-256 nor P-384 nor RSA with 2048 to 4096 bits"
    KEY = "the key belongs to another certificate"
    ORDER = "the certificates are not in order: the host's first, then each with the one that issued it next"
    NAME = "it is not for this host"
    EXPIRED = "it has expired"
    NOT_YET = "it is not valid yet"
    ENDS_SOON = "it ends too soon to be worth it"
    PURPOSE = "it is not for servers"
    SENDERS = "senders would refuse it: it, or who issued it, may not be used for this host"
    CHAIN = "its chain does not lead to an authority that is trusted here: add the intermediate certificates"


class CertificateRefused(TrincoError):
    """A certificate that somebody brings is not taken. `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault
