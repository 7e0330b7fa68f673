"""Compiles the message catalogues (.po) into what the panel reads (.mo), for wheels and editable installs alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Catalogues(BuildHookInterface):
    """The hook that hatchling calls before it packs the files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's signature
        """Compile each catalogue beside its source; `artifacts` of pyproject.toml takes the result into the wheel."""
        for source in sorted(Path(self.root, "src").rglob("*.po")):
            compile_catalogue(source)


def compile_catalogue(source: Path) -> Path:
    """Write the .mo beside a .po and give its path. Entries marked fuzzy are left out, as gettext's own tool does."""
    target = source.with_suffix(".mo")
    with source.open("rb") as text:
        catalogue = read_po(text, locale=source.parent.parent.name)
    with target.open("wb") as binary:
        write_mo(binary, catalogue)
    return target
