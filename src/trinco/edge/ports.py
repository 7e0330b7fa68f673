"""What the edge needs of the rest of the house, as Protocols that `cli` fills. Nothing in this room knows a database.

The methods of `Feed`, `Inbox` and `Unsealer` block: they are called from a worker thread, never from the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from trinco.core.errors import FeedUnavailable, LeaseLost
from trinco.core.hosting import Certificate, Change, HostedDomain, Publication
from trinco.core.tlsrpt.arrival import Arrival

__all__ = [
    "CertificateSource",
    "Feed",
    "FeedUnavailable",
    "Inbox",
    "LeaseLost",
    "PolicySource",
    "ReportDesk",
    "ThumbprintSource",
    "Unsealer",
]


class Feed(Protocol):
    """Where the Publication comes from. Each method raises FeedUnavailable while the database is away.

    The order is a contract (RFC 8461 section 8.1): an edge registers, then takes the changes, then opens its listeners,
    and acknowledges a revision only when it has seen itself serve it. A policy id is announced once every registered
    edge whose lease runs has acknowledged its body.
    """

    def register(self, held: Publication | None) -> None:
        """Announce this edge and take a lease. `held` is what its snapshot holds, in the zone as it was then; its
        revision is that of the secondaries where they have a later one.

        The panel learns from it which ids the world has seen, so that a restored database never issues an older one,
        and gives a new revision where the zone is another one now.
        Raises LeaseLost while another edge of this name runs elsewhere.
        """

    def renew(self) -> None:
        """Keep the lease. Called every few seconds. Raises LeaseLost."""

    def revision(self) -> int:
        """The newest revision. Cheap: called several times a second."""

    def changes(self, since: int | None) -> Change:
        """What became different since that revision: everything (`whole`) for None or one from another history."""

    def acknowledge(self, revision: int, failing: Sequence[str]) -> None:
        """This edge serves `revision`, durably, but for `failing`: labels whose policy it could not fetch from itself.

        Raises LeaseLost.
        """

    def leave(self) -> None:
        """Give the lease back at a clean stop, so that no announcement waits for this edge."""


class Unsealer(Protocol):
    """Opens a sealed private key."""

    def __call__(self, sealed: bytes, server_name: str) -> bytes:
        """PKCS #8 DER. Raises TrincoError when the seal does not fit the name or the installation."""


class CertificateSource(Protocol):
    """Certificates by server name, from memory alone: it is asked while a stranger's ClientHello waits."""

    def certificate(self, server_name: bytes) -> tuple[Certificate, Sequence[bytes]] | None:
        """The certificate and its issuers (DER, nearest first) for a lower-case server name; None: refuse the hello."""


class PolicySource(Protocol):
    """Hosted domains by the name of their policy host, from memory alone."""

    def hosted(self, policy_host: bytes) -> HostedDomain | None:
        """The domain served at this lower-case host name, or None."""


class ThumbprintSource(Protocol):
    """For which hosts certificates may be had, from memory alone."""

    def thumbprint(self, host: bytes) -> str:
        """What challenges for this lower-case host are answered with; "": it is none of ours, or nothing is known."""


class Inbox(Protocol):
    """Where accepted reports go from the spool."""

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Keep these, all or none; when it returns they are durable. One that was taken before changes nothing.

        Raises FeedUnavailable while the database is away: the spool then keeps them and tries again. Anything else that
        it raises is about one of these, and would be raised again.
        """

    def turned_away(self, counts: Mapping[str, int]) -> None:
        """So many reports under these tokens were not taken since they were too many. Raises FeedUnavailable."""


class ReportDesk(Protocol):
    """Where both doors for reports hand in what they got. It belongs to the event loop."""

    def known(self, token: str) -> bool:
        """Whether reports are taken under this token: from memory alone. `token` in lower case."""

    async def accept(self, arrival: Arrival) -> None:
        """Returns when the report is durable, and only then may the door say 250 or 201.

        Raises Refused with both `smtp_reply` and `http_status`: no such token (550, 404), too much from this peer (450,
        429), no room or no disk (452, 503).
        """
