"""Which addresses a webhook may have. What they lead to is judged again at each delivery (`net.posting`)."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit

from django.conf import settings

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import a_labels
from trinco.net.reaching import PORTS
from trinco.panel.webhooks.errors import UrlRefused

LONGEST = 500
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII)
_SAFE = "/:@!$&'()*+,;=-._~%?"


def url_of(text: str) -> str:
    """The address in its one form. Raises UrlRefused."""
    given = text.strip()
    if not given.isprintable() or len(given) > LONGEST:
        raise UrlRefused(f"an address has {LONGEST} printable characters at most", source=text)
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise UrlRefused("not an address as in https://example.com/hook", source=text) from None
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlRefused("neither a name with a password nor a # belongs into it", source=text)
    host = _host(parts, text)
    if port is not None and port not in PORTS and not settings.CONFIG.allow_networks:
        raise UrlRefused("the port is 443 or 8443", source=text)
    shown = f"[{host}]" if ":" in host else host
    made = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{quote(parts.path or '/', _SAFE)}"
    made += f"?{quote(parts.query, _SAFE)}" if parts.query else ""
    if len(made) > LONGEST:
        raise UrlRefused(f"an address has {LONGEST} printable characters at most", source=text)
    return made


def _host(parts: SplitResult, text: str) -> str:
    """The host as an A-label; a loopback where the whole internet is made up."""
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "http" and settings.CONFIG.playground and host in _LOOPBACK:
        return "127.0.0.1" if host == "localhost" else host
    if parts.scheme != "https" or not host:
        raise UrlRefused("not an address as in https://example.com/hook", source=text)
    try:
        name = host.lower() if host.isascii() else a_labels(host)
    except DomainSyntaxError:
        name = ""
    if _HOST.fullmatch(name) is None:
        raise UrlRefused("its host is a name, with a dot, and no number", source=text)
    return name
