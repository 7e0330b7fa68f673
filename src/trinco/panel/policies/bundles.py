"""All that serves a domain without Trinco, as files: so that a customer can leave in minutes, or keep a copy.

The policy file is the octets that the edges give out, under the id that DNS says or is about to say: senders notice no
change (RFC 8461 section 3.3).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.template.loader import render_to_string

from trinco.core.mtasts import record
from trinco.core.tlsrpt import record as tlsrpt
from trinco.panel.domains.instructions import TTL
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.versions import standing_of

POLICY_FILE = "www/.well-known/mta-sts.txt"
TEXTS = ("README.en.md", "README.pt.md", "records.zone", "nginx.conf", "Caddyfile", "apache.conf")
MAILBOX = "tls-reports"
"""Left of the @, in the place of a mailbox that the customer chooses."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The least moment of a ZIP: the same state gives the same octets."""


def files(domain: HostedDomain) -> dict[str, bytes]:
    """Content by path; empty: the domain has no policy, or is served no more."""
    standing = standing_of(domain) if domain.state != State.GONE else None
    if standing is None:
        return {}
    facts = _facts(domain, standing.current)
    texts = {name: render_to_string(f"bundle/{name}", facts).encode() for name in TEXTS}
    return {POLICY_FILE: bytes(standing.current.body), **texts}


def entries(domains: Iterable[HostedDomain]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of all files of these domains, each domain in a folder of its name."""
    for domain in domains:
        for path, content in files(domain).items():
            yield f"{domain.name}/{path}", content


def write_zip(out: IO[bytes], domains: Iterable[HostedDomain]) -> int:
    """One ZIP of all of them, written as it goes. Gives the number of its files."""
    count = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in entries(domains):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
            count += 1
    return count


def _facts(domain: HostedDomain, version: PolicyVersion) -> dict[str, Any]:
    """What the texts say. Names are those that `core.names` let in: they need no quoting in any of the files."""
    mailbox = f"mailto:{MAILBOX}@{domain.name}"
    return {
        "domain": domain.name,
        "host": domain.policy_host,
        "root": f"/srv/mta-sts/{domain.name}",
        "mode": version.mode,
        "policy_id": version.policy_id,
        "ttl": str(TTL),  # a number would be written as the reader's language has it
        "announcement": record.render(record.Record(version.policy_id)),
        "reporting": tlsrpt.render(tlsrpt.Record((mailbox,))) if domain.tlsrpt else "",
    }
