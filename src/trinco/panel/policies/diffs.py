"""What changes between two policy files, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference. `kind` is `same`, `del` or `add`."""

    kind: str
    text: str

    @property
    def sign(self) -> str:
        return {"del": "-", "add": "+"}.get(self.kind, " ")


def diff(before: bytes | memoryview, after: bytes | memoryview) -> tuple[Line, ...]:
    """The lines of both files, in order; a file that is not there yet is empty."""
    return tuple(_lines(_split(before), _split(after)))


def changes(lines: tuple[Line, ...]) -> bool:
    """Whether anything differs."""
    return any(line.kind != "same" for line in lines)


def _lines(before: list[str], after: list[str]) -> Iterator[Line]:
    for tag, from_, to, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line("same", text) for text in before[from_:to])
        else:
            yield from (Line("del", text) for text in before[from_:to])
            yield from (Line("add", text) for text in after[start:end])


def _split(body: bytes | memoryview) -> list[str]:
    # Lines of a policy end at LF alone, whatever else Unicode calls a line end.
    lines = bytes(body).decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
