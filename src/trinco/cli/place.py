"""Where everything of `trinco serve` is to be found: the environment of its programs, and `endpoints.json`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trinco.cli import ports
from trinco.config import Config, Endpoint
from trinco.playground.store import replace

ENDPOINTS = "endpoints.json"
SETTINGS = "serving.json"
"""The variables that a running `trinco serve` has completed: for `trinco doctor`."""
_LISTEN = {"panel": "PANEL_LISTEN", "policy": "POLICY_LISTEN", "dns": "DNS_LISTEN", "smtp": "SMTP_LISTEN"}
_LISTEN_MADE_UP = {**_LISTEN, "zones": "PLAYGROUND_LISTEN"}
_SENDERS_COME = ("POLICY_LISTEN", "SMTP_LISTEN")
"""Where strangers come by either kind of address."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens by this


class Login(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may sign in. The password is told for the playground's account alone."""

    email: str
    password: str = ""


class Endpoints(msgspec.Struct, frozen=True, omit_defaults=True):
    """`<data>/endpoints.json`, for scripts: written when all is ready, removed when it ends."""

    panel: str
    policy: str
    dns: str
    base: str
    ca: str
    login: Login
    zones: str = ""
    """The made-up internet's name server: in the playground alone."""
    reports: str = ""
    """Where reports are posted to (HTTPS, at `/v1/tlsrpt/<token>` of the reports host)."""
    smtp: str = ""
    """The report mailbox; "": none here."""
    challenges: str = ""
    """Where certificate authorities ask; "": nowhere."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve: with or without the made-up internet, and from which port on (None: the usual ones)."""

    playground: bool
    port_base: int | None = None


def environment(given: Mapping[str, str], serving: Serving) -> dict[str, str]:
    """The variables that the programs need beside those that are given; what is given stays as it is."""
    chosen = {**ports.choose(serving.port_base), **_given_ports(given)}
    names = _LISTEN_MADE_UP if serving.playground else _LISTEN
    listen = {variable: f"{ports.LOOPBACK}:{chosen[name]}" for name, variable in names.items()}
    if ports.exists(ports.LOOPBACK6):
        for name, variable in names.items():
            listen[variable] += f" [{ports.LOOPBACK6}]:{chosen[name]}" if variable in _SENDERS_COME else ""
    data = Path(given.get("TRINCO_DATA", "trinco-data")).absolute()
    wanted = {"DATA": str(data), **listen, **(_made_up(listen, chosen) if serving.playground else {})}
    kept = {**given, "TRINCO_DATA": str(data)}
    return {f"TRINCO_{name}": kept.get(f"TRINCO_{name}", value) for name, value in wanted.items()}


def _given_ports(given: Mapping[str, str]) -> dict[str, int]:
    """The ports of listeners that are given: what depends on them follows. Bad ones are for `config` to refuse."""
    first = {name: given.get(f"TRINCO_{variable}", "").split() for name, variable in _LISTEN_MADE_UP.items()}
    ends = {name: words[0].rpartition(":")[2] for name, words in first.items() if words}
    return {name: int(port) for name, port in ends.items() if port.isascii() and port.isdecimal()}


def _made_up(listen: Mapping[str, str], chosen: Mapping[str, int]) -> dict[str, str]:
    """The settings of a Trinco that lives in the made-up internet and nowhere else."""
    base, zones = "trinco.example", f"{ports.LOOPBACK}:{chosen['zones']}"
    authority = ports.OTHER if ports.exists(ports.OTHER) else ports.LOOPBACK
    beside = f" {authority}:{chosen['zones']}" if authority == ports.OTHER else ""
    return {
        "PLAYGROUND": "on",
        "SIGNUP": "on",
        "BASE": base,
        "PANEL_URL": f"http://localhost:{chosen['panel']}",
        "POLICY_ADDRESSES": "127.0.0.1 ::1" if " " in listen["POLICY_LISTEN"] else "127.0.0.1",
        "DNS_LISTEN": listen["DNS_LISTEN"] + beside,
        "NAMESERVERS": f"ns1.{base}={authority}",
        "RESOLVERS": zones,
        "AUTHORITY_PORT": str(chosen["zones"]),
        "SMTP_PORT": str(chosen["smtp"]),
        "POLICY_PORT": str(chosen["policy"]),
        "ALLOW_NETWORKS": "127.0.0.0/8 ::1/128",
        "CANARY": "correio.example",
    }


def shown(endpoint: Endpoint) -> str:
    """An address and port as people type them."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reached(endpoint: Endpoint) -> Endpoint:
    """Where a listener is reached from this machine: one on all addresses is at loopback too."""
    host, port = endpoint
    return _WILDCARDS.get(host, host), port


def endpoints(settings: Config, login: Login) -> Endpoints:
    """Where to find what, of a configuration whose ports are known."""
    return Endpoints(
        panel=settings.panel_url,
        policy=shown(settings.policy_listen[0]),
        dns=shown(settings.dns_listen[0]),
        base=str(settings.base),
        ca=str(settings.data.absolute() / "ca.pem"),
        login=login,
        zones=shown(settings.playground_listen) if settings.playground else "",
        reports=shown(settings.policy_listen[0]),
        smtp=shown(settings.smtp_listen[0]) if settings.smtp_listen else "",
        challenges=shown(settings.http_listen[0]) if settings.http_listen else "",
    )


def write(data: Path, told: Endpoints) -> None:
    """Put the file into place, whole. It holds a password and is for the owner alone."""
    _write(data / ENDPOINTS, told)


def remember(data: Path, chosen: Mapping[str, str]) -> None:
    """Keep the completed variables beside it."""
    _write(data / SETTINGS, chosen)


def remembered(environ: Mapping[str, str]) -> dict[str, str]:
    """What the running `trinco serve` of this data directory has completed and this environment does not say."""
    data = Path(environ.get("TRINCO_DATA", "trinco-data"))
    try:
        kept = msgspec.json.decode((data / SETTINGS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
    return {name: value for name, value in kept.items() if name not in environ}


def remove(data: Path) -> None:
    """Take the files away: nothing listens (any more)."""
    for name in (ENDPOINTS, SETTINGS):
        (data / name).unlink(missing_ok=True)


def _write(target: Path, value: object) -> None:
    replace(target, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n", mode=0o600)


def commands(told: Endpoints) -> tuple[str, str]:
    """What to type to fetch a policy and to ask for a record, as a sending mail server does."""
    ca = os.path.relpath(told.ca)
    ca = ca if len(ca) < len(told.ca) else told.ca
    host, _, port = (told.zones or told.dns).rpartition(":")
    return (
        f"curl --cacert {ca} --connect-to ::{told.policy} https://mta-sts.correio.example/.well-known/mta-sts.txt",
        f"dig @{host} -p {port} _mta-sts.correio.example TXT",
    )
