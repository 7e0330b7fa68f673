"""Every setting, read once from the environment into one frozen value.

A setting is `TRINCO_<NAME>`; a secret may instead be `TRINCO_<NAME>_FILE`, the path of a file that holds it. An unknown
`TRINCO_` variable or a value that does not parse refuses to start and says which. `docs/settings.md` is held against
`SETTINGS` by a test.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trinco.core.errors import DomainSyntaxError, TrincoError
from trinco.core.hosting import NameServer, Zone
from trinco.core.names import Domain

PREFIX = "TRINCO_"
Endpoint = tuple[str, int]
TSIG_ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(TrincoError):
    """A setting is unknown, missing or does not parse. The text names the variable and says what it wants."""


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A secret that is shared with our secondaries (RFC 8945)."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of one Trinco process. Durations are seconds, sizes bytes."""

    data: Path
    database: str
    base: Domain
    nameservers: tuple[NameServer, ...]
    policy_addresses: tuple[str, ...]
    panel_addresses: tuple[str, ...]
    reports_host: str
    reports_addresses: tuple[str, ...]
    reports_mx: tuple[tuple[int, str], ...]
    caa: tuple[str, ...]
    hostmaster: str
    panel_listen: Endpoint
    panel_url: str
    policy_listen: tuple[Endpoint, ...]
    dns_listen: tuple[Endpoint, ...]
    secondaries: tuple[Endpoint, ...]
    tsig_key: TsigKey | None
    smtp_listen: tuple[Endpoint, ...]
    http_listen: tuple[Endpoint, ...]
    edge_name: str
    edge_addresses: tuple[str, ...]
    panel_status_listen: tuple[Endpoint, ...]
    edge_status_listen: tuple[Endpoint, ...]
    worker_status_listen: tuple[Endpoint, ...]
    canary: Domain | None
    resolvers: tuple[Endpoint, ...]
    authority_port: int
    smtp_port: int
    policy_port: int
    allow_networks: tuple[Network, ...]
    secret_key: str
    seal_key: str
    mail_url: str
    mail_from: str
    acme_directory: str
    acme_terms_agreed: bool
    acme_contact: tuple[str, ...]
    acme_profile: str
    acme_eab_kid: str
    acme_eab_key: str
    acme_ca_file: Path | None
    acme_orders: int
    acme_fallback_directory: str
    acme_fallback_eab_kid: str
    acme_fallback_eab_key: str
    signup: bool
    playground: bool
    playground_listen: Endpoint
    log: str

    @property
    def zone(self) -> Zone:
        """Our own zone, as the edges serve it."""
        return Zone(
            base=self.base,
            nameservers=self.nameservers,
            policy_addresses=self.policy_addresses,
            panel_addresses=self.panel_addresses,
            reports_host=self.reports_host,
            reports_addresses=self.reports_addresses,
            reports_mx=self.reports_mx,
            caa=self.caa,
            hostmaster=self.hostmaster,
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: how it is parsed, its default as text (None: required), what it is for, whether it is a secret."""

    name: str
    parse: Callable[[str], Any]
    default: str | None
    help: str
    secret: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("wants ADDRESS:PORT, an IPv6 address in brackets")
    return _address(host), int(port)


def _endpoints(text: str) -> tuple[Endpoint, ...]:
    return tuple(_endpoint(word) for word in _words(text))


def _resolvers(text: str) -> tuple[Endpoint, ...]:
    return tuple(_endpoint(word) if _has_port(word) else (_address(word), 53) for word in _words(text))


def _tsig_key(text: str) -> TsigKey | None:
    if not text:
        return None
    algorithm, name, secret = text.split(":") if text.count(":") == 2 else (TSIG_ALGORITHMS[0], *_halves(text))
    if algorithm.lower() not in TSIG_ALGORITHMS:
        raise ValueError("wants an algorithm of " + ", ".join(TSIG_ALGORITHMS))
    if not re.fullmatch(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", name.rstrip(".").lower()) or len(name) > 250:
        raise ValueError("wants the name of the key as a host name")
    octets = base64.b64decode(secret, validate=True)
    if len(octets) < 16:
        raise ValueError("wants a secret of at least 16 octets")
    return TsigKey(name.rstrip(".").lower(), algorithm.lower(), octets)


def _halves(text: str) -> tuple[str, str]:
    name, _, secret = text.partition(":")
    return name, secret


def _has_port(word: str) -> bool:
    return word.startswith("[") or word.count(":") == 1


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(_address(word) for word in _words(text))


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in _words(text))


def _host(text: str) -> str:
    name = text.strip().rstrip(".").lower()
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", name):
        raise ValueError(f"{text!r} is not a host name")
    return name


def _optional_host(text: str) -> str:
    return _host(text) if text.strip() else ""


def _optional_domain(text: str) -> Domain | None:
    return Domain.parse(text.strip()) if text.strip() else None


def _nameservers(text: str) -> tuple[NameServer, ...]:
    servers = []
    for entry in text.split():
        host, _, addresses = entry.partition("=")
        servers.append(NameServer(_host(host), _addresses(addresses)))
    return tuple(servers)


def _mx(text: str) -> tuple[tuple[int, str], ...]:
    pairs = [entry.strip().split() for entry in text.split(",") if entry.strip()]
    if any(len(pair) != 2 or not re.fullmatch(r"[0-9]{1,5}", pair[0]) for pair in pairs):
        raise ValueError("wants PREFERENCE HOST, several with commas between")
    return tuple((int(preference), _host(host)) for preference, host in pairs)


def _caa(text: str) -> tuple[str, ...]:
    return tuple(value.strip() for value in text.split(",") if value.strip())


def _flag(text: str) -> bool:
    values = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}
    if text.lower() not in values:
        raise ValueError("wants on or off")
    return values[text.lower()]


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError("wants a port number")
    return int(text)


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        if text and (parts.scheme not in schemes or not parts.hostname or parts.port == 0):
            raise ValueError("wants " + " or ".join(f"{scheme}://HOST" for scheme in schemes))
        return parts.geturl()  # the scheme in lower case

    return parse


def _contacts(text: str) -> tuple[str, ...]:
    addresses = _words(text)
    if any(not re.fullmatch(r"[^@\s]+@[^@\s]+", address) for address in addresses):
        raise ValueError("wants mail addresses")
    return tuple(f"mailto:{address}" for address in addresses)


def _path(text: str) -> Path | None:
    if text and not Path(text).is_file():
        raise ValueError(f"there is no file {text}")
    return Path(text).absolute() if text else None


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError("wants a number from 1 on")
    return int(text)


def _eab_key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+/-]*=*", text):
        raise ValueError("wants base 64")
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def _seal_key(text: str) -> str:
    if text and not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise ValueError("wants 64 hexadecimal digits")
    return text


def _database(text: str) -> str:
    if urlsplit(text).scheme not in ("sqlite", "postgresql"):
        raise ValueError("wants sqlite:///PATH or postgresql://USER@HOST/NAME")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError("wants one of " + ", ".join(words))
        return text.lower()

    return parse


SETTINGS: tuple[Setting, ...] = (
    Setting("data", Path, "trinco-data", "Directory of the database, the keys, the snapshots and the development CA."),
    Setting(
        "database", _database, "sqlite:///", "Database; `sqlite:///` alone: `trinco.sqlite3` in the data directory."
    ),
    Setting("base", Domain.parse, "trinco.example", "The zone that Trinco is authoritative for."),
    Setting(
        "nameservers",
        _nameservers,
        "",
        "Name servers of the zone, `host=address,address …`, with addresses: edges ask them; default ns1.<base>.",
    ),
    Setting("policy_addresses", _addresses, "127.0.0.1 ::1", "IPv4 and IPv6 addresses of the policy hosts, as in DNS."),
    Setting("panel_addresses", _addresses, "", "Addresses of <base> itself in DNS; empty: none."),
    Setting("reports_host", _optional_host, "", "Host name of the report mailbox; default reports.<base>."),
    Setting(
        "reports_addresses", _addresses, "", "Addresses of the reports host in DNS; default: the policy addresses."
    ),
    Setting("reports_mx", _mx, "", "MX of the reports host, `10 mx.example.net, …`; default: itself."),
    Setting("caa", _caa, "", "CAA issue values at every policy host, separated by commas; empty: nobody may issue."),
    Setting("hostmaster", _optional_host, "", "RNAME of the SOA as a host name; default hostmaster.<base>."),
    Setting("panel_listen", _endpoint, "127.0.0.1:8080", "Where the panel listens (HTTP; put TLS in front of it)."),
    Setting(
        "panel_url", _url("http", "https"), "", "The panel's address as people type it; default http://<panel_listen>."
    ),
    Setting("policy_listen", _endpoints, "127.0.0.1:8443", "Where the policy host listens (HTTPS)."),
    Setting("dns_listen", _endpoints, "127.0.0.1:8053", "Where the name server listens (UDP and TCP)."),
    Setting(
        "secondaries",
        _resolvers,
        "",
        "Name servers that may transfer the zone and are told of each change, `ADDRESS[:PORT] …`; empty: nobody.",
    ),
    Setting(
        "tsig_key",
        _tsig_key,
        "",
        "Key that is shared with them, `[ALGORITHM:]NAME:BASE64`; the algorithm is hmac-sha256 unless given.",
        secret=True,
    ),
    Setting(
        "smtp_listen", _endpoints, "127.0.0.1:8025", "Where the report mailbox listens (SMTP); set to nothing: nowhere."
    ),
    Setting(
        "http_listen",
        _endpoints,
        "",
        "Where an edge answers the challenges of certificate authorities (HTTP); wants port 80; empty: nowhere.",
    ),
    Setting("edge_name", str, "edge1", "Name of this edge; every edge of an installation has its own."),
    Setting(
        "panel_status_listen",
        _endpoints,
        "",
        "Where the panel says how it is: /healthz, /readyz, /metrics (HTTP, to anybody who asks); empty: nowhere.",
    ),
    Setting("edge_status_listen", _endpoints, "", "The same of an edge, `127.0.0.1:9102`; empty: nowhere."),
    Setting("worker_status_listen", _endpoints, "", "The same of the worker, and of the tables; empty: nowhere."),
    Setting(
        "canary",
        _optional_domain,
        "",
        "A mail domain of your own, hosted here, that the worker looks at each minute as a sender does; empty: none.",
    ),
    Setting(
        "edge_addresses",
        _addresses,
        "",
        "Which of the policy hosts' addresses are this edge's own: they leave DNS while it is away; empty: none.",
    ),
    Setting("resolvers", _resolvers, "", "Resolvers for look-ups, `ADDRESS[:PORT] …`; default: those of the system."),
    Setting("authority_port", _port, "53", "Port at which authoritative servers of others are asked."),
    Setting("smtp_port", _port, "25", "Port at which mail servers of others are probed."),
    Setting("policy_port", _port, "443", "Port at which policy hosts are fetched from."),
    Setting("allow_networks", _networks, "", "Networks that may be dialled although they are private (tests, labs)."),
    Setting(
        "secret_key",
        str,
        "",
        "Secret of sessions and forms; default: made once, kept in the data directory.",
        secret=True,
    ),
    Setting(
        "seal_key",
        _seal_key,
        "",
        "Key that seals private keys, 32 bytes in hex; default: made once, kept as above.",
        secret=True,
    ),
    Setting(
        "mail_url",
        _url("smtp", "smtps"),
        "",
        "How to send mail, smtp://USER:PASSWORD@HOST:PORT; empty: into a file.",
        secret=True,
    ),
    Setting("mail_from", str, "", "Sender of our mails; default trinco@<base>."),
    Setting(
        "acme_directory",
        _url("https"),
        "",
        "Directory URL of the authority that issues certificates (RFC 8555); empty: the development CA.",
    ),
    Setting("acme_terms_agreed", _flag, "off", "Whether you agree to the terms of service of the authorities."),
    Setting("acme_contact", _contacts, "", "Mail addresses that the authority may write to."),
    Setting("acme_profile", str, "", "Profile of certificates, where the authority offers it; empty: its usual one."),
    Setting("acme_eab_kid", str, "", "Key identifier of an account that you have there already; empty: none."),
    Setting("acme_eab_key", _eab_key, "", "HMAC key of that account, in base 64.", secret=True),
    Setting(
        "acme_ca_file",
        _path,
        "",
        "PEM file of roots, for an authority of your own: of its HTTPS address and of its certificates.",
    ),
    Setting("acme_orders", _count, "300", "How many new certificates may be ordered in three hours; not renewals."),
    Setting(
        "acme_fallback_directory",
        _url("https"),
        "",
        "Directory URL of a second authority, asked when the first is away or keeps refusing; empty: none.",
    ),
    Setting("acme_fallback_eab_kid", str, "", "As TRINCO_ACME_EAB_KID, of the second authority."),
    Setting("acme_fallback_eab_key", _eab_key, "", "As TRINCO_ACME_EAB_KEY, of the second authority.", secret=True),
    Setting("signup", _flag, "off", "Whether strangers may make an account."),
    Setting("playground", _flag, "off", "A made-up internet on loopback, for trying: never on a real installation."),
    Setting("playground_listen", _endpoint, "127.0.0.1:8054", "Where the playground's name server listens."),
    Setting("log", _one_of("debug", "info", "warning", "error"), "info", "Least severe event that is logged."),
)


def load(environ: Mapping[str, str]) -> Config:
    """The configuration in these variables. Raises ConfigError; secrets named by `_FILE` are read here."""
    known = {setting.variable for setting in SETTINGS} | {s.variable + "_FILE" for s in SETTINGS if s.secret}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise ConfigError(f"{variable}: there is no such setting")
    return _completed({setting.name: _value(setting, environ) for setting in SETTINGS})


def _value(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(setting.variable, setting.default or "")
    try:
        if setting.secret and (path := environ.get(setting.variable + "_FILE")):
            text = Path(path).read_text(encoding="utf-8").strip()
        return setting.parse(text)
    except (ValueError, OSError, DomainSyntaxError) as error:
        raise ConfigError(f"{setting.variable}: {error}") from error


def _completed(values: dict[str, Any]) -> Config:
    """Fill in the defaults that follow from other settings."""
    base = values["base"]
    host, port = values["panel_listen"]
    shown = f"[{host}]" if ":" in host else host
    later = {
        "nameservers": (NameServer(f"ns1.{base}", values["policy_addresses"]),),
        "reports_host": f"reports.{base}",
        "reports_addresses": values["policy_addresses"],
        "hostmaster": f"hostmaster.{base}",
        "panel_url": f"http://{shown}:{port}",
        "mail_from": f"trinco@{base}",
    }
    for name, default in later.items():
        values[name] = values[name] or default
    values["reports_mx"] = values["reports_mx"] or ((10, values["reports_host"]),)
    if values["secondaries"] and values["tsig_key"] is None:
        raise ConfigError("TRINCO_TSIG_KEY: wants a key, since there are TRINCO_SECONDARIES")
    if values["database"] == "sqlite:///":
        values["database"] = f"sqlite:///{values['data'] / 'trinco.sqlite3'}"
    return Config(**{field.name: values[field.name] for field in fields(Config)})
