"""A YAML document as nodes that know their lines, of octets that anybody may have written.

Built from the parser's events, so that nothing is constructed, and nothing grows beyond what was read: anchors, aliases
and tags are refused where they stand. A scalar is its text: whoever reads it says what it is to be, and `no` stays a
name where a name is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from trinco.panel.declared.errors import DeclarationSyntaxError, Problem

MAX_OCTETS = 64 * 1024 * 1024
MAX_NODES = 2_000_000
MAX_DEPTH = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For its events alone: libyaml's where it is there, ten times as fast."""
_NULL = frozenset({"", "~", "null"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. `plain`: it stands without quotes."""

    line: int
    text: str
    plain: bool

    @property
    def null(self) -> bool:
        """Whether nothing stands there."""
        return self.plain and self.text in _NULL


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    line: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping, as it stands: keys may be there twice."""

    line: int
    pairs: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Entries


def tree(data: bytes) -> Node:
    """The one document in `data`. Raises DeclarationSyntaxError."""
    if len(data) > MAX_OCTETS:
        raise _fault(0, f"larger than {MAX_OCTETS} octets")
    try:
        return _Builder(yaml.parse(_text(data), Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _fault(mark.line + 1 if mark else 0, f"not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _fault(0, "not YAML: a character that no YAML file may have") from error


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _fault(data.count(b"\n", 0, error.start) + 1, "not UTF-8") from error


def _fault(line: int, reason: str) -> DeclarationSyntaxError:
    return DeclarationSyntaxError([Problem(line, reason)])


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Builder:
    """Takes events one after the other."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.nodes = 0

    def document(self) -> Node:
        next(self.events)  # the stream begins
        first = next(self.events)
        if not isinstance(first, yaml.DocumentStartEvent):
            raise _fault(0, "the file is empty")
        node = self._node(next(self.events), MAX_DEPTH)
        next(self.events)  # the document ends
        more = next(self.events)
        if isinstance(more, yaml.DocumentStartEvent):
            raise _fault(_line(more), "a second document")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        line = _line(event)
        self._require_harmless(event, line, depth)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(line, event.value, plain=event.style in {None, ""})
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(line, tuple(self._until(yaml.SequenceEndEvent, depth - 1)))
        return Entries(line, self._pairs(list(self._until(yaml.MappingEndEvent, depth - 1))))

    def _require_harmless(self, event: Any, line: int, depth: int) -> None:
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _fault(line, "anchors and aliases (& and *) are not taken: write it out, or put it into quotes")
        if event.tag is not None:
            raise _fault(line, "tags (!) are not taken")
        if depth == 0:
            raise _fault(line, "nested too deeply")
        if self.nodes > MAX_NODES:
            raise _fault(line, f"more than {MAX_NODES} keys and values")

    def _until(self, end: type, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self.events), end):
            yield self._node(event, depth)

    @staticmethod
    def _pairs(nodes: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        pairs = []
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise _fault(key.line, "a key is one word or name")
            pairs.append((key, value))
        return tuple(pairs)
