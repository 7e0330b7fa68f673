"""All that serves a domain without Trinco, as files: so that a customer can leave in minutes, or keep a copy.

The policy file is the octets that the edges give out, under the id that DNS says or is about to say: senders notice no
change (RFC 8461 section 3.3).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.db.models import Case, QuerySet, Value, When
from django.template.loader import render_to_string

from trinco.core.mtasts import record
from trinco.core.tlsrpt import record as tlsrpt
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State, Way
from trinco.panel.domains.services import SERVED
from trinco.panel.policies.instructions import TTL
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.ways import ways_of

POLICY_FILE = "www/.well-known/mta-sts.txt"
TEXTS = ("README.en.md", "README.pt.md", "records.zone", "nginx.conf", "Caddyfile", "apache.conf")
MAILBOX = "tls-reports"
"""Left of the @, in the place of a mailbox that the customer chooses."""
FOLDER = "/srv/mta-sts"
"""Where the texts have the files."""
_ABOVE = ("README.en.md", "README.pt.md", "nginx.conf", "Caddyfile", "apache.conf")
"""Beside the folders of many domains: what makes one server of them all."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The least moment of a ZIP: the same state gives the same octets."""
_AT_ONCE = 500
_PIECE = 64 * 1024


def taken_along(organisations: Iterable[Organisation]) -> QuerySet[HostedDomain]:
    """Their domains that have a policy, by name. If several of them have a name, the one that is served comes first."""
    rows = HostedDomain.objects.everywhere().filter(organisation__in=organisations).exclude(state=State.GONE)
    served_first = Case(When(state__in=SERVED, then=Value(0)), default=Value(1))
    return rows.filter(standing__isnull=False).select_related("standing__current").order_by("name", served_first, "pk")


def files(domain: HostedDomain) -> dict[str, bytes]:
    """Content by path; empty: the domain has no policy, or is served no more."""
    standing = getattr(domain, "standing", None) if domain.state != State.GONE else None
    if standing is None:
        return {}
    facts = _facts(domain, standing.current)
    texts = {name: render_to_string(f"bundle/{name}", facts).encode() for name in TEXTS}
    return {POLICY_FILE: bytes(standing.current.body), **texts}


def entries(domains: Iterable[HostedDomain]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of all files of these domains, each domain in a folder of its name; one whose name is that of the
    one before is left out."""
    before = ""
    for domain in domains:
        for path, content in files(domain).items() if domain.name != before else ():
            yield f"{domain.name}/{path}", content
        before = domain.name


def entries_of_many(domains: QuerySet[HostedDomain]) -> Iterator[tuple[str, bytes]]:
    """The same, and beside the folders what makes one server of them all."""
    for name in _ABOVE:
        yield name, render_to_string(f"bundle/all/{name}", {"folder": FOLDER}).encode()
    yield from entries(domains.iterator(_AT_ONCE))


def write_zip(out: IO[bytes], some: Iterable[tuple[str, bytes]]) -> int:
    """One ZIP of these entries, written as it goes. Gives their number."""
    count = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in some:
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
            count += 1
    return count


class _Pieces:
    """What a ZIP is written to while somebody takes it away."""

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self.octets = 0

    def write(self, data: bytes) -> int:
        self.held.append(bytes(data))
        self.octets += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        data = b"".join(self.held)
        self.held, self.octets = [], 0
        return data


def zip_pieces(some: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The same in pieces, none of which waits for the end."""
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it only writes
        for path, content in some:
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
            if pieces.octets >= _PIECE:
                yield pieces.taken()
    yield pieces.taken()


def _facts(domain: HostedDomain, version: PolicyVersion) -> dict[str, Any]:
    """What the texts say. Names are those that `core.names` let in: they need no quoting in any of the files."""
    mailbox, ways = f"mailto:{MAILBOX}@{domain.name}", set(ways_of(domain).values())
    return {
        "domain": domain.name,
        "host": domain.policy_host,
        "root": f"{FOLDER}/{domain.name}/www",
        "mode": version.mode,
        "cnames": ways == {Way.CNAME},
        "written": Way.PROVIDER in ways,
        "policy_id": version.policy_id,
        "ttl": str(TTL),  # a number would be written as the reader's language has it
        "announcement": record.render(record.Record(version.policy_id)),
        "reporting": tlsrpt.render(tlsrpt.Record((mailbox,))) if domain.tlsrpt else "",
    }
