"""How the text of a setting is read: each function gives the value, or raises ValueError that says what is wanted."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from trinco.core.hosting import NameServer
from trinco.core.names import Domain

Endpoint = tuple[str, int]
TSIG_ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A secret that is shared with our secondaries (RFC 8945)."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def words(text: str) -> list[str]:
    """Words between spaces or commas."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def endpoint(text: str) -> Endpoint:
    """An address and a port."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("wants ADDRESS:PORT, an IPv6 address in brackets")
    return address(host), int(port)


def endpoints(text: str) -> tuple[Endpoint, ...]:
    """Any number of them."""
    return tuple(endpoint(word) for word in words(text))


def resolvers(text: str) -> tuple[Endpoint, ...]:
    """Addresses with or without a port, which is 53 then."""
    return tuple(endpoint(word) if has_port(word) else (address(word), 53) for word in words(text))


def tsig_key(text: str) -> TsigKey | None:
    """`[ALGORITHM:]NAME:SECRET`, the secret in base 64, or nothing."""
    if not text:
        return None
    algorithm, name, secret = text.split(":") if text.count(":") == 2 else (TSIG_ALGORITHMS[0], *halves(text))
    if algorithm.lower() not in TSIG_ALGORITHMS:
        raise ValueError("wants an algorithm of " + ", ".join(TSIG_ALGORITHMS))
    if not re.fullmatch(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", name.rstrip(".").lower()) or len(name) > 250:
        raise ValueError("wants the name of the key as a host name")
    octets = base64.b64decode(secret, validate=True)
    if len(octets) < 16:
        raise ValueError("wants a secret of at least 16 octets")
    return TsigKey(name.rstrip(".").lower(), algorithm.lower(), octets)


def halves(text: str) -> tuple[str, str]:
    """What is before the colon, and what behind it."""
    name, _, secret = text.partition(":")
    return name, secret


def has_port(word: str) -> bool:
    """Whether a port is said."""
    return word.startswith("[") or word.count(":") == 1


def address(text: str) -> str:
    """An IPv4 or IPv6 address in its normal spelling."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None


def addresses(text: str) -> tuple[str, ...]:
    """Any number of them."""
    return tuple(address(word) for word in words(text))


def networks(text: str) -> tuple[Network, ...]:
    """Any number of networks."""
    return tuple(ipaddress.ip_network(word) for word in words(text))


def host(text: str) -> str:
    """A host name of at least two labels, in lower case."""
    name = text.strip().rstrip(".").lower()
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", name):
        raise ValueError(f"{text!r} is not a host name")
    return name


def optional_host(text: str) -> str:
    """A host name, or nothing."""
    return host(text) if text.strip() else ""


def optional_domain(text: str) -> Domain | None:
    """A mail domain, or nothing."""
    return Domain.parse(text.strip()) if text.strip() else None


def domains(text: str) -> tuple[Domain, ...]:
    """Mail domains, or nothing."""
    return tuple(map(Domain.parse, words(text)))


def nameservers(text: str) -> tuple[NameServer, ...]:
    """Hosts with their addresses."""
    servers = []
    for entry in text.split():
        name, _, where = entry.partition("=")
        servers.append(NameServer(host(name), addresses(where)))
    return tuple(servers)


def mx(text: str) -> tuple[tuple[int, str], ...]:
    """Preferences with hosts."""
    pairs = [entry.strip().split() for entry in text.split(",") if entry.strip()]
    if any(len(pair) != 2 or not re.fullmatch(r"[0-9]{1,5}", pair[0]) for pair in pairs):
        raise ValueError("wants PREFERENCE HOST, several with commas between")
    return tuple((int(preference), host(name)) for preference, name in pairs)


def caa(text: str) -> tuple[str, ...]:
    """Values of CAA records."""
    return tuple(value.strip() for value in text.split(",") if value.strip())


def flag(text: str) -> bool:
    """On or off."""
    values = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}
    if text.lower() not in values:
        raise ValueError("wants on or off")
    return values[text.lower()]


def port(text: str) -> int:
    """A port number."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError("wants a port number")
    return int(text)


def url(*schemes: str) -> Callable[[str], str]:
    """URLs of these schemes; nothing is fine."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if text and (parts.scheme not in schemes or not parts.hostname or parts.port == 0):
            raise ValueError("wants " + " or ".join(f"{scheme}://HOST" for scheme in schemes))
        return parts.geturl()  # the scheme in lower case

    return parse


def contacts(text: str) -> tuple[str, ...]:
    """Mail addresses, as URLs."""
    addresses = words(text)
    if any(not re.fullmatch(r"[^@\s]+@[^@\s]+", address) for address in addresses):
        raise ValueError("wants mail addresses")
    return tuple(f"mailto:{address}" for address in addresses)


def path(text: str) -> Path | None:
    """A file that is there, or nothing."""
    if text and not Path(text).is_file():
        raise ValueError(f"there is no file {text}")
    return Path(text).absolute() if text else None


def count(text: str) -> int:
    """A number from 1 on."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError("wants a number from 1 on")
    return int(text)


def eab_key(text: str) -> str:
    """A key in base 64 of either kind, as that for URLs."""
    if not re.fullmatch(r"[A-Za-z0-9_+/-]*=*", text):
        raise ValueError("wants base 64")
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def seal_key(text: str) -> str:
    """Keys of 32 octets in hexadecimal digits, or nothing: the first seals, the others open, as `panel.seal` has it."""
    if text and not re.fullmatch(r"[0-9A-Fa-f]{64}(\s+\+?[0-9A-Fa-f]{64})*", text):
        raise ValueError("wants 64 hexadecimal digits")
    return text


def database(text: str) -> str:
    """The URL of a database."""
    if urlsplit(text).scheme not in ("sqlite", "postgresql"):
        raise ValueError("wants sqlite:///PATH or postgresql://USER@HOST/NAME")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError("wants one of " + ", ".join(words))
        return text.lower()

    return parse
