"""The parts of an installation that others see: listeners, delegation, name servers, policy addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rdatatype

from trinco.cli import examine_secondaries, readiness
from trinco.cli.findings import Finding, error, ok, untested, warning
from trinco.cli.place import shown
from trinco.config import Config
from trinco.core.errors import DnsFailure
from trinco.net.dns import Dns, configured
from trinco.net.wire import ask, question

SECONDS = 3.0
"""Patience with one name server."""


@dataclass(frozen=True, slots=True)
class Referral:
    """What the parent says about our zone: name servers, and the addresses beside them (glue)."""

    servers: frozenset[str]
    glue: frozenset[tuple[str, str]]


async def examine(settings: Config) -> AsyncIterator[Finding]:
    """Every part that is seen from outside, one after the other."""
    yield await listeners(settings)
    for finding in await asyncio.gather(*(name_server(settings, *pair) for pair in _servers(settings))):
        yield finding
    for finding in unaddressed(settings):
        yield finding
    async for finding in examine_secondaries.examine(settings):
        yield finding
    yield await delegation(settings)
    yield await policy_addresses(settings)
    yield issuers(settings)


def _servers(settings: Config) -> list[tuple[str, str]]:
    return [(server.host, address) for server in settings.nameservers for address in server.addresses]


async def listeners(settings: Config) -> Finding:
    """Everything that should listen on this machine answers."""
    missing = await readiness.silent(settings)
    if missing:
        return error("listeners", f"no answer from: {', '.join(missing)}", "start trinco serve, or see its log")
    places = [settings.panel_listen, *settings.policy_listen, *settings.dns_listen, *settings.smtp_listen]
    return ok("listeners", "all answer: " + ", ".join(map(shown, places)))


async def name_server(settings: Config, host: str, address: str) -> Finding:
    """A name server of our zone answers for it with authority, at the port where the world asks."""
    part, base = f"name server {host}", str(settings.base)
    endpoint = (address, settings.authority_port)
    try:
        reply = await ask(question(base, "SOA"), endpoint, SECONDS)
    except DnsFailure as problem:
        return error(part, str(problem), f"see that UDP and TCP port {settings.authority_port} of {address} lead to it")
    if not reply.flags & dns.flags.AA or not reply.answer:
        return error(part, f"{address} has no authority for {base}", "correct TRINCO_NAMESERVERS, or TRINCO_BASE there")
    return ok(part, f"{address} answers for {base} with authority")


def unaddressed(settings: Config) -> list[Finding]:
    """Name servers that are listed without an address: an edge asks the others while the database is away."""
    seen = "the settings have no address of it: an edge without the database cannot ask what it serves"
    hosts = [server.host for server in settings.nameservers if not server.addresses]
    return [warning(f"name server {host}", seen, f"write {host}=ADDRESS in TRINCO_NAMESERVERS") for host in hosts]


async def delegation(settings: Config) -> Finding:
    """The parent names the same servers and addresses as we do."""
    part, base = "delegation", str(settings.base)
    try:
        told = await referral(configured(settings), base)
    except DnsFailure as problem:
        return untested(part, f"the parent of {base} could not be asked: {problem}")
    if told is None:
        return error(part, f"the parent does not delegate {base}", "enter the name servers at the registrar")
    return _compared(settings, told)


def _compared(settings: Config, told: Referral) -> Finding:
    ours = frozenset(server.host for server in settings.nameservers)
    if told.servers != ours:
        seen = f"the parent names {_listed(told.servers)}, the settings {_listed(ours)}"
        return error("delegation", seen, "enter the same name servers at the registrar and in TRINCO_NAMESERVERS")
    addresses = frozenset(_servers(settings))
    if told.glue and told.glue != addresses:
        seen = f"glue at the parent {_pairs(told.glue)}, in the settings {_pairs(addresses)}"
        return error("delegation", seen, "enter the same addresses at the registrar and in TRINCO_NAMESERVERS")
    return ok("delegation", f"the parent and the settings name the same: {_listed(ours)}")


async def referral(look_up: Dns, base: str) -> Referral | None:
    """What a server of the parent zone says when it is asked for our NS. None: it knows of no delegation.

    Raises DnsFailure when no server of the parent answers.
    """
    query = question(base, "NS")
    reason = DnsFailure(f"no zone above {base} was found")
    for address in await _parents(look_up, base):
        try:
            return _told(await ask(query, (address, look_up.authority_port), SECONDS), base)
        except DnsFailure as problem:
            reason = problem
    raise reason


async def _parents(look_up: Dns, base: str) -> tuple[str, ...]:
    """The addresses of the parent zone's servers: of the nearest name above that has NS records."""
    above = base.partition(".")[2]
    while above:
        answer = await look_up.resolve(above, "NS")
        if hosts := answer.values("NS", above):
            found = await asyncio.gather(*(look_up.addresses(host) for host in hosts[:6]))
            return look_up.guard.permitted(address for addresses in found for address in addresses)
        above = above.partition(".")[2]
    return ()


def _told(reply: dns.message.Message, base: str) -> Referral | None:
    """The NS and the glue; in the answer where one server holds the parent and our zone."""
    sets = [*reply.answer, *reply.authority]
    servers = frozenset(
        rdata.target.canonicalize().to_text(omit_final_dot=True)
        for rrset in sets
        if rrset.rdtype == dns.rdatatype.NS and rrset.name.to_text(omit_final_dot=True).lower() == base
        for rdata in rrset
    )
    glue = frozenset(
        (rrset.name.canonicalize().to_text(omit_final_dot=True), rdata.to_text())
        for rrset in reply.additional
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for rdata in rrset
    )
    return Referral(servers, glue) if servers else None


async def policy_addresses(settings: Config) -> Finding:
    """The addresses that DNS gives for the policy hosts take connections at the port where senders ask."""
    part, port = "policy addresses", settings.policy_port
    taken = await asyncio.gather(*(readiness.accepts((address, port)) for address in settings.policy_addresses))
    silent = [a for a, accepted in zip(settings.policy_addresses, taken, strict=True) if not accepted]
    if silent:
        advice = f"see that TCP port {port} leads to TRINCO_POLICY_LISTEN, or correct TRINCO_POLICY_ADDRESSES"
        return error(part, f"no connection to {', '.join(silent)} at port {port} from here", advice)
    return ok(part, f"connections are taken at port {port} of {', '.join(settings.policy_addresses)}")


def issuers(settings: Config) -> Finding:
    """CAA at the policy hosts: which authorities may issue for the names of our customers."""
    if settings.playground:
        return ok("CAA", "nobody may issue for the policy hosts but the development CA, which does not ask")
    if not settings.caa:
        advice = "set TRINCO_CAA to the authority that issues, before a public one is used"
        return warning("CAA", "nobody may issue certificates for the policy hosts", advice)
    return ok("CAA", f"the policy hosts allow {', '.join(settings.caa)}")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _pairs(pairs: frozenset[tuple[str, str]]) -> str:
    return ", ".join(f"{host} {address}" for host, address in sorted(pairs)) or "none"
