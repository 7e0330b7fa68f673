"""The certificate authority of the town, as a process of its own: the scripted one (tests/fake_ca) behind TLS, by the
clock of the machine. Its certificates live for minutes, so that each is renewed while things go wrong.

    python -m tests.chaos.authority DIRECTORY

Writes DIRECTORY/roots.pem, the roots of its address and of what it issues, and then says its directory's URL.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.fake_ca import authority as fake
from tests.fake_ca.server import Server, serving
from tests.support_certs import Authority

LIFE, BEFORE = timedelta(minutes=13), timedelta(minutes=11)
"""How long a certificate holds, and how long before its issue it begins. It is renewed at half of the whole, which is a
minute after its issue at the latest: a worker that is killed with an order in hand keeps it for ten minutes, and a failure
is tried again after one. So a run of more than a quarter of an hour finds a renewal that got stuck."""


class Now(fake.Clock):
    """The machine's clock."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Issuing(fake.Authority):
    """Backdates what it issues."""

    def _builder(self, subject: x509.Name, begin: datetime, end: datetime) -> x509.CertificateBuilder:
        return super()._builder(subject, begin - BEFORE, end)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def _front(server: Server, context: ssl.SSLContext) -> None:
    """TLS in front of it, for ever."""
    behind = int(server.url.rpartition(":")[2])

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(_pump(reader, forth), _pump(back, writer))

    listener = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    server.url = f"https://localhost:{listener.sockets[0].getsockname()[1]}"
    print(server.directory, flush=True)
    await listener.serve_forever()


def main(folder: Path) -> None:
    fake.START = datetime.now(UTC) - timedelta(days=3)
    habits = fake.Habits(lives={"": LIFE}, renewal_info=False, new_orders=100_000)
    issuing = Issuing(Now(), "Town CA", habits)
    address = Authority(folder, "Town CA's address")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(address.leaf("localhost"))
    root = issuing.root.public_bytes(serialization.Encoding.PEM)
    (folder / "roots.pem").write_bytes(address.pem.read_bytes() + root)
    with serving(issuing) as server:
        asyncio.run(_front(server, context))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
