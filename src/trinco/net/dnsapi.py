"""Records at DNS providers, by the interfaces that dns-lexicon knows. Credentials are used for one conversation.

Which addresses are dialled is the library's choice and is held against the guard (`net.dialling`). Providers whose
credentials name a server, an address or a file are left out: a stranger must not choose what we talk to or read.
The library's own client is not used, since it asks the internet for a list of public suffixes: the zone is known here.
What a provider says is passed on without anything of the credentials; the library's logs are silent.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from trinco.core.errors import Refused
from trinco.net.dialling import guarded
from trinco.net.dnstexts import TTL as TEXT_TTL
from trinco.net.dnstexts import TextPlace
from trinco.net.dnswriting import TTL, Found, Trouble, Wanted, WritingFailed
from trinco.net.guard import Guard

SECONDS = 15.0
"""For which one answer is awaited."""
_SAID_CHARACTERS = 200
_LEFT_OUT = frozenset(
    {"auto", "conoha", "ddns", "directadmin", "infoblox", "localzone", "oci", "onapp", "plesk", "powerdns", "transip"}
    | {"duckdns", "rackspace", "zonomi"}
)
"""Their fields name servers, regions in a host name, files, or for how long to sleep; `auto` is all of them at once.
`duckdns` has one TXT for all names."""
_FIELDS = re.compile(r"auth_(?!sandbox)\w+|api_key|api_protocol|(dns_)?zone_id|cloud_id|folder_id|resource_group")
"""Credentials, and what says which zone they are for: no other field of a provider is anybody's to set."""
_NOT_IN_PLACE = frozenset({"yandexcloud"})
"""Their update writes the old text again."""
_A_FILE = "file::"
"""With this in front some fields are the name of a file."""
_SAYING = ("message", "detail", "error_description", "error", "title", "reason")
"""Where providers put their sentence."""

for _name in ("lexicon", "urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # they write down addresses with credentials in them


def _require_records_of_their_own(place: TextPlace) -> None:
    """Some providers have one identifier for all records of a name: with that, others would go as well. Raises
    WritingFailed."""
    shared = _shared(place.found)
    if any(each.identifier in shared for each in place.old):
        raise WritingFailed(Trouble.TOGETHER)


def _shared(found: Sequence[Found]) -> frozenset[str]:
    """The identifiers that several of these records have."""
    counts = Counter(each.identifier for each in found if each.identifier)
    return frozenset(identifier for identifier, count in counts.items() if count > 1)


@dataclass(frozen=True, slots=True)
class ApiBook:
    """A zone at one provider."""

    provider: Any
    zone: str
    secrets: tuple[str, ...]

    def at(self, name: str) -> tuple[Found, ...]:
        """All records at exactly this name: some providers give others as well."""
        with _translated(self.secrets):
            rows = self.provider.list_records(None, name, None)
        short = name.removesuffix(f".{self.zone}")
        mine = [row for row in rows if str(row.get("name", "")).lower().rstrip(".") in (name, short)]
        return tuple(Found(str(row["type"]), str(row["content"]), str(row.get("id") or "")) for row in mine)

    def say(self, place: TextPlace) -> None:
        """In place of the old text: in one step where there is one alone; of several, the others go first."""
        name, text = place.wanted.name, place.wanted.text
        _require_records_of_their_own(place)
        with _translated(self.secrets):
            self._short_lived()
            in_place = bool(text and place.old and place.old[-1].identifier)
            last = place.old[-1] if in_place and self.provider.provider_name not in _NOT_IN_PLACE else None
            for each in place.old[:-1] if last else place.old:
                self.provider.delete_record(each.identifier or None, "TXT", name, each.content)
            done = self._said(name, text, last) if text else True
        if done is False:
            raise WritingFailed(Trouble.ANSWER)

    def _said(self, name: str, text: str, last: Found | None) -> Any:
        if last is None:
            return self.provider.create_record("TXT", name, text)
        return self.provider.update_record(last.identifier, "TXT", name, text)

    def _short_lived(self) -> None:
        from lexicon.config import DictConfigSource  # noqa: PLC0415 - an optional part

        self.provider.config.add_config_source(DictConfigSource({"ttl": TEXT_TTL}), 0)

    def put(self, wanted: Wanted, instead_of: Sequence[Found]) -> None:
        """Take away what stands there, then write. The providers offer no way to do both at once. Where several records
        have one identifier, each goes by its content: the identifier would be gone with the first."""
        shared = _shared(instead_of)
        with _translated(self.secrets):
            for each in instead_of:
                identifier = each.identifier if each.identifier not in shared else ""
                self.provider.delete_record(identifier or None, each.rdtype, wanted.name, each.content)
            done = self.provider.create_record("CNAME", wanted.name, f"{wanted.target}.")
        if done is False:
            raise WritingFailed(Trouble.ANSWER)


@cache
def providers() -> Mapping[str, tuple[str, ...]]:
    """The fields of each provider's credentials, by its name; empty where dns-lexicon is not installed."""
    if importlib.util.find_spec("lexicon") is None:
        return {}
    from lexicon._private import discovery  # noqa: PLC0415 - an optional part, and slow to import

    known = {name for name, usable in discovery.find_providers().items() if usable} - _LEFT_OUT
    return {name: _fields(discovery.load_provider_module(name)) for name in sorted(known)}


@contextmanager
def book(provider: str, zone: str, credentials: Mapping[str, str], guard: Guard) -> Iterator[ApiBook]:
    """A conversation with a provider of `providers()`. Raises WritingFailed."""
    given = {name: credentials[name] for name in providers()[provider] if credentials.get(name)}
    if any(value.lstrip().lower().startswith(_A_FILE) for value in given.values()):
        raise WritingFailed(Trouble.CREDENTIALS)
    secrets = tuple(given.values())
    with guarded(guard, SECONDS):
        with _translated(secrets):
            there = _there(provider, zone, given)
            there.authenticate()
        try:
            yield ApiBook(there, zone, secrets)
        finally:
            there.cleanup()


def _there(provider: str, zone: str, given: Mapping[str, str]) -> Any:
    from lexicon._private import discovery  # noqa: PLC0415
    from lexicon.config import ConfigResolver  # noqa: PLC0415

    # Neither environment nor files: credentials of the installation itself must not serve a customer.
    facts = {"provider_name": provider, "domain": zone, "ttl": TTL, provider: dict(given)}
    config = ConfigResolver().with_dict(facts)  # type: ignore[no-untyped-call]
    return discovery.load_provider_module(provider).Provider(config)


def _fields(module: Any) -> tuple[str, ...]:
    parser = argparse.ArgumentParser(add_help=False)
    module.Provider.configure_parser(parser)
    names = (action.dest for action in parser._actions)  # noqa: SLF001 - argparse has no other list of them
    return tuple(name for name in names if _FIELDS.fullmatch(name))


@contextmanager
def _translated(secrets: Sequence[str]) -> Iterator[None]:
    """Whatever the library lets out becomes WritingFailed. It raises bare exceptions, with the credentials in some."""
    try:
        yield
    except Refused as error:
        raise WritingFailed(Trouble.ADDRESS, str(error)) from None
    except Exception as error:  # noqa: BLE001 - the border to a library of many authors
        trouble, said = _read(error)
        raise WritingFailed(trouble, _scrubbed(said, secrets)) from None


def _read(error: Exception) -> tuple[Trouble, str]:
    from lexicon.exceptions import AuthenticationError  # noqa: PLC0415
    from requests import exceptions as http  # noqa: PLC0415

    response = getattr(error, "response", None)
    if isinstance(error, http.HTTPError) and response is not None:
        denied = response.status_code in (401, 403)
        return Trouble.CREDENTIALS if denied else Trouble.ANSWER, f"HTTP {response.status_code} {_sentence(response)}"
    if isinstance(error, http.JSONDecodeError):
        return Trouble.ANSWER, "no JSON"
    if isinstance(error, http.RequestException | OSError):
        return Trouble.SILENCE, type(error).__name__
    if isinstance(error, AuthenticationError):
        return Trouble.CREDENTIALS, str(error)
    return Trouble.ANSWER, f"{type(error).__name__}: {error}"


def _sentence(response: Any) -> str:
    """What the provider says in the JSON of an error; "": nothing that is found."""
    try:
        return _said(response.json())
    except ValueError:
        return ""


def _said(value: object, depth: int = 4) -> str:
    """The first sentence, from the outside in."""
    if isinstance(value, str) or depth == 0:
        return str(value) if isinstance(value, str) else ""
    if isinstance(value, dict):
        inner = [value[key] for key in _SAYING if key in value] + [value[key] for key in value if key == "errors"]
    else:
        inner = list(value[:3]) if isinstance(value, list) else []
    return next((text for text in (_said(each, depth - 1) for each in inner) if text), "")


def _scrubbed(text: str, secrets: Sequence[str]) -> str:
    """Without the credentials in any of the forms in which an address or a header carries them, and fit to be shown."""
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, ""), quote_plus(secret))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "…")
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:_SAID_CHARACTERS]
