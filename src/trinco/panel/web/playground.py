"""The playground's zones, through its control interface on loopback (the protocol: `trinco.playground.control`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings
from django.utils.translation import gettext_noop

from trinco.core.errors import TrincoError

TIMEOUT = 5.0
"""Seconds."""

NOTES = (
    gettext_noop("CAA forbids the certificate"),
    gettext_noop("a TXT record of one's own is in the way"),
    gettext_noop("a name with an accent, testing"),
    gettext_noop("a proxy gives its own addresses in place of the CNAME"),
    gettext_noop("a wildcard answers for the names"),
    gettext_noop("a zone below another one"),
    gettext_noop("another provider of MTA-STS"),
    gettext_noop("enforce for weeks: as it should be"),
    gettext_noop("enforce, and a mail server that the policy does not cover"),
    gettext_noop("leaving: mode none until the horizon"),
    gettext_noop("not added yet: add it, then publish here"),
    gettext_noop("nothing is published yet"),
    gettext_noop("parked: takes no mail, mode none"),
    gettext_noop("sends TLS reports that nobody has signed"),
    gettext_noop("sends TLS reports, by HTTPS where it may"),
    gettext_noop("sends signed TLS reports"),
    gettext_noop("testing, and one mail server offers no STARTTLS"),
    gettext_noop("testing, and one mail server's certificate has expired"),
    gettext_noop("testing, one certificate of another name and one server that is silent"),
    gettext_noop("testing, ready for enforce"),
    gettext_noop("the customers' DNS provider"),
    gettext_noop("the names still point to another provider"),
    gettext_noop("the zone above"),
    gettext_noop("the zone above filial.grupo.example"),
)
"""What the playground says of its zones, in English: the page translates it."""

_OPENER = build_opener(ProxyHandler({}))


class PlaygroundAway(TrincoError):
    """The playground does not answer."""


class PlaygroundRefused(TrincoError):
    """The playground did not take the change; the text says why, in English."""


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One record of a made-up zone."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A made-up customer's zone."""

    name: str
    note: str
    records: tuple[Record, ...]

    def at(self, owner: str) -> tuple[Record, ...]:
        """The records at one name."""
        return tuple(record for record in self.records if record.name == owner)


def zones() -> tuple[Zone, ...]:
    """All zones. Raises PlaygroundAway."""
    answer = _ask("GET", "/zones")
    return tuple(
        Zone(each["name"], each.get("note", ""), tuple(sorted(Record(**record) for record in each["records"])))
        for each in answer["zones"]
    )


def publish(record: Record) -> None:
    """Put a record into its zone. Raises PlaygroundAway, PlaygroundRefused."""
    _ask("POST", "/records", {"name": record.name, "type": record.type, "value": record.value})


def remove(record: Record) -> None:
    """Take a record out of its zone. Raises PlaygroundAway, PlaygroundRefused."""
    _ask("DELETE", "/records", {"name": record.name, "type": record.type, "value": record.value})


def send_report(name: str) -> str:
    """Let one of the made-up senders report about this domain now; gives the sender's name. Raises PlaygroundAway,
    PlaygroundRefused."""
    return str(_ask("POST", "/reports", {"name": name})["sender"])


def _ask(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {_token()}", "Content-Type": "application/json"}
    try:
        with _OPENER.open(Request(_address() + path, data, headers, method=method), timeout=TIMEOUT) as response:  # noqa: S310 - our own loopback address
            return json.load(response)
    except HTTPError as error:
        raise PlaygroundRefused(_said(error)) from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise PlaygroundAway(str(error)) from error


def _address() -> str:
    host, port = settings.CONFIG.playground_listen
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port + 1}"


def _token() -> str:
    try:
        return (settings.DATA / "playground.token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise PlaygroundAway(str(error)) from error


def _said(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, OSError):
        return str(error)
