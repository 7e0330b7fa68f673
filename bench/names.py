"""The policy host with 1, 1,000 and 100,000 hosted names: handshakes with a policy in a second, memory, start.

Beside nginx with a server block per name, which is what it does best; and for 100,000 names, of which it cannot hold
the blocks, with one block that loads the certificate of the name asked for. A tenth of the 100,000 names is asked for:
they do not fit among the contexts that we hold ready, so that most certificates are made ready anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import harness, tlspeers
from bench.__main__ import main
from bench.row import Better, Row
from bench.tls import NOTE, Bench, compiled, faster, part_of
from bench.tlscerts import Mint, mint, widened
from bench.tlspeers import Peer
from trinco.core.hosting import Publication
from trinco.edge.limits import Limits

FEW, MANY, ASKED = 100, 100_000, 10_000
Nginx = Callable[[Path, Mint, int, int], Peer]


def rows(scratch: Path) -> Iterator[Row]:
    """All rows of this bench. Raises Missing without nginx or a C compiler."""
    bench = Bench(scratch, compiled(scratch), mint(scratch / "certificates"))
    minted = bench.mint.publication(ASKED)
    yield _fetched(bench, part_of(minted, 1), 1, tlspeers.nginx_blocks, (0.85, 1.0))
    yield _fetched(bench, part_of(minted, 1_000), 1_000, tlspeers.nginx_blocks, (0.85, 1.0))
    many = widened(minted, MANY)
    yield _fetched(bench, many, ASKED, tlspeers.nginx_variable, (0.7, 0.9))
    yield from _held(bench, part_of(minted, FEW), many)


def _fetched(bench: Bench, published: Publication, asked: int, nginx: Nginx, bounds: tuple[float, float]) -> Row:
    """A new connection, a full TLS 1.3 handshake and one policy, again and again, for one of these names each time."""
    peer = partial(_peer, nginx, bench.mint, asked)
    with bench.running(peer) as theirs, bench.running(bench.ours(published, Limits().contexts)) as ours:
        bench.warm(ours, min(asked, Limits().contexts))
        figures = bench.in_turn(ours, theirs, asked)
    names = len(published.domains)
    what = f"handshakes with a policy, {names:,} hosted name{'s' if names > 1 else ''}"
    return faster(what, *figures, theirs, bounds, f"{NOTE}, {asked:,} of them asked for")


def _peer(nginx: Nginx, minted: Mint, count: int, directory: Path, port: int) -> Peer:
    return nginx(directory, minted, count, port)


def _held(bench: Bench, few: Publication, many: Publication) -> Iterator[Row]:
    """What further names cost in memory before anybody asked for them, and until the first answer is there."""
    held, seconds = {}, 0.0
    for published in (few, many):
        with bench.running(bench.ours(published, Limits().contexts)) as ours:
            seconds = bench.answered(ours) - ours.decoded
            held[len(published.domains)] = harness.memory(ours.pid)
    each = (held[MANY] - held[FEW]) / (MANY - FEW) * 1000
    note = f"{held[FEW]:.0f} MiB with {FEW} names, {held[MANY]:.0f} MiB with {MANY:,}"
    yield Row("memory for 1,000 further names", each, "MiB", Better.LOWER, 4, 2.5, note=note)
    what = f"start to first answer, {MANY:,} names, snapshot decoded, policies alone"
    yield Row(what, seconds, "s", Better.LOWER, 2, 1, note="mode_change has the whole process")


if __name__ == "__main__":
    sys.exit(main(["names"]))
