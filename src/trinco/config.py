"""Every setting, read once from the environment into one frozen value.

A setting is `TRINCO_<NAME>`; a secret may instead be `TRINCO_<NAME>_FILE`, the path of a file that holds it. An unknown
`TRINCO_` variable or a value that does not parse refuses to start and says which. `docs/settings.md` is held against
`SETTINGS` by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trinco import parsing
from trinco.core.errors import DomainSyntaxError, TrincoError
from trinco.core.hosting import NameServer, Zone
from trinco.core.names import Domain
from trinco.parsing import Endpoint, Network, TsigKey

__all__ = [
    "PREFIX",
    "SETTINGS",
    "Config",
    "ConfigError",
    "Endpoint",
    "Network",
    "Setting",
    "TsigKey",
    "load",
]

PREFIX = "TRINCO_"


class ConfigError(TrincoError):
    """A setting is unknown, missing or does not parse. The text names the variable and says what it wants."""


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
    front_listen: tuple[Endpoint, ...]
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
    acme_staging_directory: str
    acme_fallback_directory: str
    acme_fallback_eab_kid: str
    acme_fallback_eab_key: str
    signup: bool
    oidc_issuer: str
    oidc_client_id: str
    oidc_secret: str
    oidc_domains: tuple[Domain, ...]
    oidc_name: str
    api_requests: int
    token: str
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


SETTINGS: tuple[Setting, ...] = (
    Setting("data", Path, "trinco-data", "Directory of the database, the keys, the snapshots and the development CA."),
    Setting(
        "database",
        parsing.database,
        "sqlite:///",
        "Database; `sqlite:///` alone: `trinco.sqlite3` in the data directory.",
    ),
    Setting("base", Domain.parse, "trinco.example", "The zone that Trinco is authoritative for."),
    Setting(
        "nameservers",
        parsing.nameservers,
        "",
        "Name servers of the zone, `host=address,address …`, with addresses: edges ask them; default ns1.<base>.",
    ),
    Setting(
        "policy_addresses",
        parsing.addresses,
        "127.0.0.1 ::1",
        "IPv4 and IPv6 addresses of the policy hosts, as in DNS.",
    ),
    Setting("panel_addresses", parsing.addresses, "", "Addresses of <base> itself in DNS; empty: none."),
    Setting("reports_host", parsing.optional_host, "", "Host name of the report mailbox; default reports.<base>."),
    Setting(
        "reports_addresses",
        parsing.addresses,
        "",
        "Addresses of the reports host in DNS; default: the policy addresses.",
    ),
    Setting("reports_mx", parsing.mx, "", "MX of the reports host, `10 mx.example.net, …`; default: itself."),
    Setting(
        "caa", parsing.caa, "", "CAA issue values at every policy host, separated by commas; empty: nobody may issue."
    ),
    Setting("hostmaster", parsing.optional_host, "", "RNAME of the SOA as a host name; default hostmaster.<base>."),
    Setting(
        "panel_listen", parsing.endpoint, "127.0.0.1:8080", "Where the panel listens (HTTP; put TLS in front of it)."
    ),
    Setting(
        "panel_url",
        parsing.url("http", "https"),
        "",
        "The panel's address as people type it; default http://<panel_listen>.",
    ),
    Setting("policy_listen", parsing.endpoints, "127.0.0.1:8443", "Where the policy host listens (HTTPS)."),
    Setting("dns_listen", parsing.endpoints, "127.0.0.1:8053", "Where the name server listens (UDP and TCP)."),
    Setting(
        "secondaries",
        parsing.resolvers,
        "",
        "Name servers that may transfer the zone and are told of each change, `ADDRESS[:PORT] …`; empty: nobody.",
    ),
    Setting(
        "tsig_key",
        parsing.tsig_key,
        "",
        "Key that is shared with them, `[ALGORITHM:]NAME:BASE64`; the algorithm is hmac-sha256 unless given.",
        secret=True,
    ),
    Setting(
        "smtp_listen",
        parsing.endpoints,
        "127.0.0.1:8025",
        "Where the report mailbox listens (SMTP); set to nothing: nowhere.",
    ),
    Setting(
        "http_listen",
        parsing.endpoints,
        "",
        "Where an edge answers the challenges of certificate authorities (HTTP); wants port 80; empty: nowhere.",
    ),
    Setting(
        "front_listen",
        parsing.endpoints,
        "",
        "Where an edge answers a front of yours that terminates TLS (HTTP, docs/fronts.md); empty: nowhere.",
    ),
    Setting("edge_name", str, "edge1", "Name of this edge; every edge of an installation has its own."),
    Setting(
        "panel_status_listen",
        parsing.endpoints,
        "",
        "Where the panel says how it is: /healthz, /readyz, /metrics (HTTP, to anybody who asks); empty: nowhere.",
    ),
    Setting("edge_status_listen", parsing.endpoints, "", "The same of an edge, `127.0.0.1:9102`; empty: nowhere."),
    Setting(
        "worker_status_listen", parsing.endpoints, "", "The same of the worker, and of the tables; empty: nowhere."
    ),
    Setting(
        "canary",
        parsing.optional_domain,
        "",
        "A mail domain of your own, hosted here, that the worker looks at each minute as a sender does; empty: none.",
    ),
    Setting(
        "edge_addresses",
        parsing.addresses,
        "",
        "Which of the policy hosts' addresses are this edge's own: they leave DNS while it is away; empty: none.",
    ),
    Setting(
        "resolvers", parsing.resolvers, "", "Resolvers for look-ups, `ADDRESS[:PORT] …`; default: those of the system."
    ),
    Setting("authority_port", parsing.port, "53", "Port at which authoritative servers of others are asked."),
    Setting("smtp_port", parsing.port, "25", "Port at which mail servers of others are probed."),
    Setting("policy_port", parsing.port, "443", "Port at which policy hosts are fetched from."),
    Setting(
        "allow_networks", parsing.networks, "", "Networks that may be dialled although they are private (tests, labs)."
    ),
    Setting(
        "secret_key",
        str,
        "",
        "Secret of sessions and forms; default: made once, kept in the data directory.",
        secret=True,
    ),
    Setting(
        "seal_key",
        parsing.seal_key,
        "",
        "Key that seals private keys, 32 bytes in hex, and others that open; default: made once, kept as above.",
        secret=True,
    ),
    Setting(
        "mail_url",
        parsing.url("smtp", "smtps"),
        "",
        "How to send mail, smtp://USER:PASSWORD@HOST:PORT; empty: into a file.",
        secret=True,
    ),
    Setting("mail_from", str, "", "Sender of our mails; default trinco@<base>."),
    Setting(
        "acme_directory",
        parsing.url("https"),
        "",
        "Directory URL of the authority that issues certificates (RFC 8555); empty: the development CA.",
    ),
    Setting("acme_terms_agreed", parsing.flag, "off", "Whether you agree to the terms of service of the authorities."),
    Setting("acme_contact", parsing.contacts, "", "Mail addresses that the authority may write to."),
    Setting("acme_profile", str, "", "Profile of certificates, where the authority offers it; empty: its usual one."),
    Setting("acme_eab_kid", str, "", "Key identifier of an account that you have there already; empty: none."),
    Setting("acme_eab_key", parsing.eab_key, "", "HMAC key of that account, in base 64.", secret=True),
    Setting(
        "acme_ca_file",
        parsing.path,
        "",
        "PEM file of roots, for an authority of your own: of its HTTPS address and of its certificates.",
    ),
    Setting(
        "acme_orders", parsing.count, "300", "How many new certificates may be ordered in three hours; not renewals."
    ),
    Setting(
        "acme_staging_directory",
        parsing.url("https"),
        "",
        "Directory URL of the authority's staging environment, where what has failed three times is tried first.",
    ),
    Setting(
        "acme_fallback_directory",
        parsing.url("https"),
        "",
        "Directory URL of a second authority, asked when the first is away or keeps refusing; empty: none.",
    ),
    Setting("acme_fallback_eab_kid", str, "", "As TRINCO_ACME_EAB_KID, of the second authority."),
    Setting(
        "acme_fallback_eab_key", parsing.eab_key, "", "As TRINCO_ACME_EAB_KEY, of the second authority.", secret=True
    ),
    Setting("signup", parsing.flag, "off", "Whether strangers may make an account."),
    Setting(
        "oidc_issuer",
        parsing.url("https"),
        "",
        "Issuer of the OpenID provider at which people may sign in (docs/sso.md), as it writes it itself; empty: none.",
    ),
    Setting("oidc_client_id", str, "", "As whom Trinco is registered at that provider."),
    Setting("oidc_secret", str, "", "The client secret that goes with it; empty: a public client.", secret=True),
    Setting(
        "oidc_domains",
        parsing.domains,
        "",
        "E-mail domains whose people may come in by it without an invitation; empty: who is here or invited alone.",
    ),
    Setting("oidc_name", str, "", "What the button of the sign-in page calls it, `Example AG`; empty: single sign-on."),
    Setting("api_requests", parsing.count, "600", "How many requests to the API each token has in a minute."),
    Setting(
        "token",
        str,
        "",
        "The API token with which `apply` and `export state` sign in at another installation (`--server`).",
        secret=True,
    ),
    Setting(
        "playground", parsing.flag, "off", "A made-up internet on loopback, for trying: never on a real installation."
    ),
    Setting("playground_listen", parsing.endpoint, "127.0.0.1:8054", "Where the playground's name server listens."),
    Setting("log", parsing.one_of("debug", "info", "warning", "error"), "info", "Least severe event that is logged."),
)


_DIRECTORIES = ("acme_directory", "acme_fallback_directory", "acme_staging_directory")


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
    directories = [values[name] for name in _DIRECTORIES if values[name]]
    if len(set(directories)) < len(directories):
        raise ConfigError(
            "TRINCO_ACME_DIRECTORY, _FALLBACK_ and _STAGING_DIRECTORY: each names an authority of its own"
        )
    if values["oidc_issuer"] and not values["oidc_client_id"]:
        raise ConfigError("TRINCO_OIDC_CLIENT_ID: wants one, since there is a TRINCO_OIDC_ISSUER")
    if values["database"] == "sqlite:///":
        values["database"] = f"sqlite:///{values['data'] / 'trinco.sqlite3'}"
    return Config(**{field.name: values[field.name] for field in fields(Config)})
