"""The translatable texts of the panel, gathered from its sources by Babel and Django's own reading of templates.

`python -m tests.support_messages` brings the Portuguese catalogue into line with the sources: what is new comes in with
an empty translation, what is no longer used goes out. `make test` fails while a translation is missing.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from trinco.core.tlsrpt import results
from trinco.core.tlsrpt.results import Explanation

PANEL = Path(__file__).resolve().parent.parent / "src" / "trinco" / "panel"
CATALOGUE = PANEL / "web" / "locale" / "pt" / "LC_MESSAGES" / "django.po"

KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}

NOISE = tuple(
    f'"{field}' for field in ("Project", "Report", "POT", "PO-Rev", "Last-", "Language-Team", "Generated", "MIME")
)
"""Lines of the header that change without a cause, or say nothing."""

Key = tuple[str | None, str, str | None]
"""Context, text, plural: what a catalogue entry is known by."""


def in_sources() -> dict[Key, str]:
    """Every text with the file in which it stands first."""
    found: dict[Key, str] = {}
    for path in sorted(PANEL.rglob("*")):
        for key in _in_file(path):
            found.setdefault(key, path.relative_to(PANEL).as_posix())
    for text in _of_core():
        found.setdefault((None, text, None), "web/meanings.py")
    return found


def _of_core() -> Iterator[str]:
    """What core says of the words of a report: `web.meanings` translates these as they stand there."""
    words: list[Explanation] = [
        *results.RESULT_TYPES.values(),
        *results.POLICY_TYPES.values(),
        *results.REASON_CODES.values(),
    ]
    for one in words:
        yield from (one.meaning, one.cause, one.action)


def in_catalogue() -> dict[Key, Message]:
    """The entries of the Portuguese catalogue."""
    catalogue = read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="pt")
    return {key_of(message): message for message in catalogue if message.id}


def key_of(message: Message) -> Key:
    """What an entry is known by."""
    texts = message.id if isinstance(message.id, tuple) else (message.id, None)
    return message.context, texts[0], texts[1]


def _in_file(path: Path) -> Iterator[Key]:
    if path.suffix not in {".py", ".html", ".txt"} or "migrations" in path.parts:
        return
    source = path.read_text(encoding="utf-8")
    text = source if path.suffix == ".py" else templatize(source)
    for _line, found, _comments, context in extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS):
        texts = found if isinstance(found, tuple) else (found, None)
        yield context, texts[0], texts[1]


def rewrite() -> list[Key]:
    """Write the catalogue anew, in the order of the sources. The entries that still want a translation."""
    held = in_catalogue() if CATALOGUE.exists() else {}
    catalogue = Catalog(locale="pt", project="Trinco", fuzzy=False, header_comment="# European Portuguese.")
    for key, place in in_sources().items():
        context, text, plural = key
        kept = held[key].string if key in held else ("", "") if plural else ""
        catalogue.add((text, plural) if plural else text, kept, [(place, None)], context=context)
    written = io.BytesIO()
    write_po(written, catalogue, width=0)
    lines = written.getvalue().decode().splitlines(keepends=True)
    CATALOGUE.write_text("".join(line for line in lines if not line.startswith(NOISE)), encoding="utf-8")
    return untranslated()


def _translated(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, tuple) else bool(message.string)


def untranslated() -> list[Key]:
    """The entries of the catalogue without a translation, or with a doubtful one."""
    return [key for key, message in in_catalogue().items() if message.fuzzy or not _translated(message)]


def compile_if_stale() -> None:
    """Bring the compiled catalogue up to date, as the build does. Several test processes may do so at once."""
    target = CATALOGUE.with_suffix(".mo")
    if target.exists() and target.stat().st_mtime > CATALOGUE.stat().st_mtime:
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with draft.open("wb") as binary:
        write_mo(binary, read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="pt"))
    draft.replace(target)


if __name__ == "__main__":
    import django

    django.setup()
    for missing in rewrite():
        sys.stdout.write(f"{missing}\n")
