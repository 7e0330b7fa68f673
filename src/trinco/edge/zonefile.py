"""The zone as a zone file (RFC 1035 section 5), for other name servers and for comparing ours with them.

A zone file cannot say that a name exists without records. Where we answer NODATA for a name that waits for its first
record (`<label>.mta-sts.<base>` before the first id), and for `policy.<base>` and its like before the first customer, a
server that loads this file answers NXDOMAIN. Senders treat the two alike (RFC 8461 section 3.1).
"""

from __future__ import annotations

from trinco.core.hosting import Publication
from trinco.edge.zone import all_names


def zone_file(publication: Publication) -> str:
    """The text of the zone file: absolute names, one record a line, the SOA first."""
    ttl = publication.zone.ttl
    lines = (
        f"{name}. {ttl} IN {rdata.mnemonic} {rdata.text()}\n"
        for name, records in all_names(publication)
        for rdata in records
    )
    return "".join(lines)
