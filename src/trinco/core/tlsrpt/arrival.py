"""A report as it came to a door, before anybody has read it: what the spool keeps and the panel takes.

Nothing in it is checked but the token, which belongs to a hosted domain. RFC 8460 sections 5.3 (mail) and 5.4 (HTTPS).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Channel(StrEnum):
    """The door that a report came through."""

    MAIL = "mail"
    HTTPS = "https"
    IMPORT = "import"
    """Read from files or a mailbox by whoever runs the installation."""


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One report, as its sender handed it over."""

    id: str
    """Unique for ever, given at the door, up to 64 characters: taking it twice is the same as taking it once."""
    token: str
    """The label of the domain whose address it was sent to, in lower case; "" for an import."""
    channel: Channel
    received_at: float
    """Unix seconds."""
    body: bytes
    """MAIL: the whole RFC 5322 message, CRLF; HTTPS: the content, decoded from the transfer but not from gzip."""
    peer: str = ""
    """The address that the connection came from."""
    sender: str = ""
    """MAIL: the envelope's sender, which nothing vouches for."""
    media_type: str = ""
    """HTTPS: the Content-Type without its parameters, in lower case."""
