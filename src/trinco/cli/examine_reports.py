"""The doors for TLS reports as senders find them: the mailbox's manners, the reports host in DNS and on the net."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from trinco.cli import readiness
from trinco.cli.findings import Finding, error, ok, untested, warning
from trinco.cli.place import shown
from trinco.config import Config, Endpoint
from trinco.core.errors import DnsFailure
from trinco.net.dns import configured

SECONDS = 5.0
"""Patience with a mailbox; it may talk slowly, never for long."""
NOBODY = "not-a-token"
"""Tokens have no hyphen."""


async def examine(settings: Config, token: str) -> AsyncIterator[Finding]:
    """Every part, one after the other. `token` is one that reports are taken under; "": there is none yet."""
    yield await mailbox(settings, token)
    yield await records(settings)
    yield await reachable(settings)


async def mailbox(settings: Config, token: str) -> Finding:
    """The mailbox of this machine takes what is ours, and nothing else."""
    part, host = "report mailbox", settings.reports_host
    if not settings.smtp_listen:
        return ok(part, "not on this machine: TRINCO_SMTP_LISTEN is empty")
    endpoint = settings.smtp_listen[0]
    wanted = [(NOBODY, 550), *([(token, 250)] if token else [])]
    try:
        replies = await recipients(endpoint, [f"{local}@{host}" for local, _ in wanted])
    except (OSError, TimeoutError, ValueError) as problem:
        return error(part, f"{shown(endpoint)}: {problem or 'no answer in time'}", "see the log of the edge")
    if replies != [code for _, code in wanted]:
        said = ", ".join(
            f"{code} to {who}" for code, who in zip(replies, ("a stranger", "a domain's token"), strict=False)
        )
        return error(part, f"{shown(endpoint)} says {said}", "see whether the edge is in step with the database")
    taken = "takes reports for our domains alone" if token else "takes nothing yet: no domain is live"
    return ok(part, f"{shown(endpoint)} {taken}")


async def recipients(endpoint: Endpoint, addresses: list[str]) -> list[int]:
    """What the mail server says to each recipient; no mail is sent. Raises OSError, TimeoutError, ValueError."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(*endpoint)
        try:
            await _reply(reader)
            for command in ("EHLO doctor.invalid", "MAIL FROM:<>"):
                writer.write(f"{command}\r\n".encode())
                await _reply(reader)
            codes = []
            for address in addresses:
                writer.write(f"RCPT TO:<{address}>\r\n".encode())
                codes.append(await _reply(reader))
            writer.write(b"QUIT\r\n")
            return codes
        finally:
            writer.close()


async def _reply(reader: asyncio.StreamReader) -> int:
    """The code of a reply, however many lines it has. Raises ValueError for what is none."""
    while (line := await reader.readline())[3:4] == b"-":
        pass
    return int(line[:3])


async def records(settings: Config) -> Finding:
    """DNS says of the reports host what the settings say."""
    part, host = "reports host", settings.reports_host
    look_up = configured(settings)
    try:
        answer = await look_up.resolve(host, "MX")
        addresses = await look_up.addresses(host)
    except DnsFailure as problem:
        return untested(part, f"{host} could not be looked up: {problem}")
    mx = answer.mx
    if mx != tuple(sorted(settings.reports_mx)):
        seen = f"DNS gives {_mx(mx)} as MX of {host}, the settings {_mx(settings.reports_mx)}"
        return error(part, seen, "correct TRINCO_REPORTS_MX, or the records where the host is not in our zone")
    if set(addresses) != set(settings.reports_addresses):
        seen = f"DNS gives {_listed(addresses)} for {host}, the settings {_listed(settings.reports_addresses)}"
        return error(part, seen, "correct TRINCO_REPORTS_ADDRESSES, or the records where the host is not in our zone")
    return ok(part, f"DNS and the settings say the same: MX {_mx(mx)}, {_listed(addresses)}")


async def reachable(settings: Config) -> Finding:
    """The addresses of the reports host take connections at the ports where senders come."""
    part, hosts = "report doors", settings.reports_addresses
    wanted = [(host, settings.policy_port) for host in hosts]
    if any(mx == settings.reports_host for _, mx in settings.reports_mx):
        wanted += [(host, settings.smtp_port) for host in hosts]
    taken = await asyncio.gather(*map(readiness.accepts, wanted))
    silent = [shown(endpoint) for endpoint, accepted in zip(wanted, taken, strict=True) if not accepted]
    if silent:
        advice = "let these lead to TRINCO_SMTP_LISTEN and TRINCO_POLICY_LISTEN, or correct TRINCO_REPORTS_ADDRESSES"
        return warning(part, f"no connection to {', '.join(silent)} from here", advice)
    return ok(part, f"connections are taken at {', '.join(map(shown, wanted))}")


def _mx(pairs: tuple[tuple[int, str], ...]) -> str:
    return ", ".join(f"{preference} {host}" for preference, host in sorted(pairs)) or "none"


def _listed(addresses: tuple[str, ...]) -> str:
    return ", ".join(sorted(addresses)) or "no address"
