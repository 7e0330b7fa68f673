"""A file → what it declares. Every fault is told with its line, so that one look at the file mends them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from trinco.core import tags
from trinco.core.mtasts.policy import Mode
from trinco.panel.declared import scalars
from trinco.panel.declared.errors import DeclarationSyntaxError, Problem
from trinco.panel.declared.scalars import Fault, shown
from trinco.panel.declared.values import Declaration, DeclaredDomain, DeclaredOrganisation, DeclaredPolicy
from trinco.panel.declared.yamltree import Entries, Items, Node, Scalar, tree

VERSION = "1"
MANY_MX = MANY_TAGS = 100
MOST_PROBLEMS = 50
"""After so many the rest of the file is not looked at."""
REPORTING = {"record": "on", "https": "https", "trust_https": "trust_https"}
"""The file's words → those of `domains.services.Reporting`."""
RECORDS = {"mta-sts": "host", "_mta-sts": "sts", "_smtp._tls": "tlsrpt"}
"""The file's words → those of `policies.ways.Ways`."""
WAYS = {"host": ("cname", "addresses"), "sts": ("cname", "txt"), "tlsrpt": ("cname", "txt")}
"""What a file may say of each. Access to a DNS provider is no file's to give: a text is `txt` there as well."""
_CLIENT = ("second_factor", "single_sign_on", "domains")
_PROVIDER = (*_CLIENT, "clients")
T = TypeVar("T")


def read(data: bytes) -> Declaration:
    """What the file declares. Raises DeclarationSyntaxError with every fault."""
    reader = _Reader()
    declaration = reader.declaration(tree(data))
    reader.refuse()
    return declaration


class _Reader:
    """Reads nodes and keeps what is wrong with them; what is wrong is left out of what it gives."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._key = ""
        """To which what is read now belongs; "": the file as a whole."""

    def refuse(self) -> None:
        if self.problems:
            raise DeclarationSyntaxError(sorted(self.problems, key=lambda each: each.line))

    def declaration(self, node: Node) -> Declaration:
        fields = self._fields(node, ("version", "organisations"))
        version = fields.get("version", node)
        if not (isinstance(version, Scalar) and version.text == VERSION):
            self._wrong(version.line, f"a file says `version: {VERSION}`")
        if "organisations" not in fields:
            self._wrong(node.line, "a file says which `organisations`")
        organisations = self._value(fields, "organisations", lambda each: self._organisations(each, _PROVIDER))
        return Declaration(organisations or ())

    def _organisations(self, node: Node, known: tuple[str, ...]) -> tuple[DeclaredOrganisation, ...]:
        named = self._named(node, scalars.organisation, lambda name, value: self._organisation(name, value, known))
        return tuple(named)

    def _organisation(self, name: str, node: Node, known: tuple[str, ...]) -> DeclaredOrganisation:
        fields = self._fields(node, known)
        return DeclaredOrganisation(
            name,
            self._value(fields, "second_factor", scalars.boolean),
            self._value(fields, "domains", lambda each: tuple(self._named(each, scalars.domain, self._domain))),
            self._value(fields, "clients", lambda each: self._organisations(each, _CLIENT)) or (),
            self._value(fields, "single_sign_on", scalars.boolean),
        )

    def _domain(self, name: str, node: Node) -> DeclaredDomain:
        fields = self._fields(node, ("policy", "tls_reporting", "tags", "records"))
        policy = self._value(fields, "policy", self._policy)
        reporting = self._value(fields, "tls_reporting", self._reporting) or {}
        ways = self._value(fields, "records", self._records) or {}
        return DeclaredDomain(name, policy, reporting, self._value(fields, "tags", self._tags), ways)

    def _records(self, node: Node) -> Mapping[str, str]:
        fields = self._fields(node, tuple(RECORDS))
        said = {name: self._value(fields, word, _way(name)) for word, name in RECORDS.items() if word in fields}
        return {name: way for name, way in said.items() if way is not None}

    def _tags(self, node: Node) -> tuple[str, ...] | None:
        if not isinstance(node, Items):
            raise Fault(node, "tags is a list, one tag to an item")
        if len(node.nodes) > MANY_TAGS:
            raise Fault(node, f"more than {MANY_TAGS} tags")
        found = [self._tried(scalars.tag, each) for each in node.nodes]
        return None if None in found else tags.once(filter(None, found))

    def _reporting(self, node: Node) -> Mapping[str, bool]:
        fields = self._fields(node, tuple(REPORTING))
        said = {REPORTING[word]: self._value(fields, word, scalars.boolean) for word in fields}
        return {name: value for name, value in said.items() if value is not None}

    def _policy(self, node: Node) -> DeclaredPolicy:
        fields = self._fields(node, ("mode", "mx", "max_age", "force"))
        mode = self._value(fields, "mode", scalars.mode)
        mx = self._value(fields, "mx", self._mx)
        if mx == () and mode is not Mode.NONE:
            self._wrong(fields["mx"].line, "an empty mx list goes with `mode: none` alone")
        max_age = self._value(fields, "max_age", scalars.max_age)
        return DeclaredPolicy(mode, mx, max_age, force=bool(self._value(fields, "force", scalars.boolean)))

    def _mx(self, node: Node) -> tuple[str, ...] | None:
        if not isinstance(node, Items):
            raise Fault(node, "mx is a list, one host name or wildcard to an item")
        if len(node.nodes) > MANY_MX:
            raise Fault(node, f"more than {MANY_MX} mx")
        patterns = [self._tried(scalars.pattern, each) for each in node.nodes]
        return None if None in patterns else tuple(filter(None, patterns))

    def _fields(self, node: Node, known: tuple[str, ...]) -> dict[str, Node]:
        """The known keys with their values; others are faults."""
        return dict(self._named(node, lambda key: _known(key, known), lambda key, value: (key, value)))

    def _named(self, node: Node, name_of: Callable[[Scalar], str], value_of: Callable[[str, Node], T]) -> Iterator[T]:
        """What each key and its value make, each key once."""
        seen: dict[str, int] = {}
        for key, value in self._tried(_pairs, node) or ():
            name = self._tried(name_of, key)
            if name in seen:
                self._wrong(key.line, f"{shown(key.text)} stands in line {seen[name]} already")
            elif name is not None:
                seen[name], self._key = key.line, name
                yield value_of(name, value)

    def _value(self, fields: Mapping[str, Node], name: str, read_as: Callable[[Node], T]) -> T | None:
        """None where the key is not there, or its value is wrong."""
        if name not in fields:
            return None
        self._key = name
        return self._tried(read_as, fields[name])

    def _tried(self, read_as: Callable[..., T], node: Node) -> T | None:
        try:
            return read_as(node)
        except Fault as fault:
            self._wrong(fault.line, f"{self._key}: {fault.reason}" if fault.bare and self._key else fault.reason)
            return None

    def _wrong(self, line: int, reason: str) -> None:
        self.problems.append(Problem(line, reason))
        if len(self.problems) >= MOST_PROBLEMS:
            self.refuse()


def _way(name: str) -> Callable[[Node], str]:
    return lambda node: scalars.one_of(node, WAYS[name])


def _pairs(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    if isinstance(node, Scalar) and node.null:
        return ()
    if not isinstance(node, Entries):
        raise Fault(node, "names with a colon, and what belongs to each, are wanted here", bare=True)
    return node.pairs


def _known(key: Scalar, known: tuple[str, ...]) -> str:
    if key.text in known:
        return key.text
    near = get_close_matches(key.text[: scalars.SHOWN], known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
    raise Fault(key, f"{shown(key.text)} is not known here; {hint}")
