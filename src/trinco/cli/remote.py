"""Another installation, asked by its API with a token: for `trinco apply --server` and `trinco export state --server`.

The token goes over TLS that is verified, to the address that was named and no other: no redirect is followed. Only
loopback is asked without TLS. What is sent may be sent again: who is told to wait waits, and a connection that breaks
is tried anew.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from trinco.core.errors import TrincoError
from trinco.core.tables import printable

TRIES = 4
SECONDS = 120.0
"""Of one answer."""
LONGEST_WAIT = 120
"""Seconds that a server may ask us to wait."""
_MOST_OCTETS = 64 * 1024 * 1024
_SHOWN = 300
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")


class ServerError(TrincoError):
    """The server's answer is none that we can go on with. `usage`: what was asked is wrong, and not the server."""

    def __init__(self, reason: str, *, usage: bool = False) -> None:
        super().__init__(reason)
        self.usage = usage


class _Again(Exception):
    """It may be asked once more, in so many seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        """None: the answer is the redirect itself."""


@dataclass(frozen=True, slots=True)
class Server:
    """An installation's API. `url` is its panel's address."""

    url: str
    token: str
    opener: OpenerDirector = field(default_factory=lambda: build_opener(_NoRedirect))

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to GET, or to POST with a body. Raises ServerError."""
        for trial in range(1, TRIES + 1):
            try:
                return self._once(path, body, trial)
            except _Again as error:
                if trial == TRIES:
                    raise ServerError(str(error)) from error
                time.sleep(error.seconds)
        raise AssertionError

    def _once(self, path: str, body: dict[str, Any] | None, trial: int) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = Request(f"{self.url}/api/v1{path}", data, headers)  # noqa: S310 - https, or loopback: see `server`
        try:
            with self.opener.open(request, timeout=SECONDS) as response:
                octets = response.read(_MOST_OCTETS)
        except HTTPError as error:
            with error:
                _refused(error, trial)
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise _Again(f"{self.url} does not answer: {printable(str(reason))}", 2.0**trial) from error
        return _object(octets, self.url)


def server(url: str, token: str) -> Server:
    """The installation at this address. Raises ServerError for an address that no token is sent to, and no token."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ServerError("--server takes the panel's address, https://HOST", usage=True)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ServerError("no token is sent without TLS: https://HOST", usage=True)
    if not _TOKEN.fullmatch(token):
        raise ServerError("TRINCO_TOKEN, or the file that TRINCO_TOKEN_FILE names, holds the token", usage=True)
    return Server(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", token)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(error: HTTPError, trial: int) -> NoReturn:
    """Raises what an answer that is no success means."""
    if error.code == 429:
        raise _Again("the server takes no more requests now", _wait(error, 2.0**trial)) from error
    if error.code in {502, 503, 504}:
        raise _Again(f"the server is away ({error.code})", _wait(error, 2.0**trial)) from error
    told = _told(error)
    if 300 <= error.code < 400:
        told = "it leads elsewhere: name the panel's own address"
    raise ServerError(f"the server says: {error.code} {told}", usage=error.code < 500) from error


def _wait(error: HTTPError, otherwise: float) -> float:
    text = error.headers.get("Retry-After", "")
    return min(int(text), LONGEST_WAIT) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise


def _told(error: HTTPError) -> str:
    """The sentence of a problem document (RFC 9457), and its places."""
    try:
        problem = json.loads(error.read(_MOST_OCTETS))
        places = [str(each["detail"]) for each in problem.get("errors", ())]
        text = " ".join([str(problem["detail"]), *places])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, HTTPException):
        text = str(error.reason)
    return printable(text[:_SHOWN])


def _object(octets: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(octets)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServerError(f"{url} is no Trinco: its answer is not JSON", usage=True)
    return found
