"""The versions of a policy, each with what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trinco.panel.policies.diffs import Line, diff
from trinco.panel.policies.models import PolicyVersion


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version. `first`: there was none before it."""

    version: PolicyVersion
    diff: tuple[Line, ...]
    first: bool

    @property
    def skipped(self) -> bool:
        """Whether a newer version came before DNS said this one's id."""
        return self.version.announced_at is None and self.version.served_until is not None


def version_rows(versions: Sequence[PolicyVersion], count: int) -> list[VersionRow]:
    """The first `count` of the versions, newest first; one more is needed to say what the last one changed."""
    before = [*versions[1:], None]
    return [_row(version, older) for version, older in zip(versions[:count], before, strict=False)]


def _row(version: PolicyVersion, older: PolicyVersion | None) -> VersionRow:
    return VersionRow(version, diff(older.body if older else b"", version.body), first=older is None)
