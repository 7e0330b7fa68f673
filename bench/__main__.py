"""`make bench`: run every bench module, print the table, write docs/benchmarks.md.

    python -m bench [MODULE...]      only these modules, e.g. `python -m bench dns`; the others' sections stay

A bench module is a file of this folder with `rows(scratch: Path) -> Iterable[Row]`; `scratch` is an empty directory of
its own. It raises `Missing` where a peer is not installed, and then keeps its section of the page. Exit code 1 when a
row is under its floor, 3 when a module could not be run.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import ssl
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from bench.row import Missing, Row

PAGE = Path("docs/benchmarks.md")
PREFACE = """# Benchmarks

Written by `make bench`, section by section. Loopback; the server on one core, the client on the other; medians of at
least three runs where the row does not say otherwise; every ratio is to a peer measured in the same run.
"""
LOAD = os.getloadavg()[0]
"""Of the machine, before anything was measured."""
HEAD = "| path | ours | against | peer's | ratio | floor | goal | |\n|---|---|---|---|---|---|---|---|\n"


def main(names: list[str]) -> int:
    measured, missing = run(modules(names))
    for found in measured.values():
        print(f"\n{table(found)}")
    for reason in missing:
        print(f"not measured: {reason}")
    PAGE.parent.mkdir(exist_ok=True)
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(before, {name: section(name, found) for name, found in measured.items()}), encoding="utf-8")
    rows = [row for found in measured.values() for row in found]
    fallen = [row.what for row in rows if not row.holds]
    print(f"{len(rows)} rows, {len(fallen)} under their floor" + (": " + "; ".join(fallen) if fallen else ""))
    return 1 if fallen else 3 if missing else 0


def modules(names: Iterable[str]) -> list[ModuleType]:
    """The bench modules, all or those named."""
    known = [info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if info.name != "__main__"]
    imported = [importlib.import_module(f"bench.{name}") for name in (names or known)]
    return [module for module in imported if hasattr(module, "rows")]


def run(found: Iterable[ModuleType]) -> tuple[dict[str, list[Row]], list[str]]:
    """The rows of each module that ran to its end, and what is missing on this machine."""
    measured: dict[str, list[Row]] = {}
    missing = []
    for module in found:
        print(f"== {module.__name__}", flush=True)
        started = time.monotonic()
        rows: list[Row] = []
        with tempfile.TemporaryDirectory(prefix="trinco-bench-") as scratch:
            try:
                for row in module.rows(Path(scratch)):
                    rows.append(row)
                    print(f"   {row.what}: {figure(row.ours)} {row.unit} ({row.verdict})", flush=True)
                measured[module.__name__.rpartition(".")[2]] = rows
            except Missing as reason:
                missing.append(str(reason))
        print(f"   {time.monotonic() - started:.0f} s", flush=True)
    return measured, missing


def table(rows: Iterable[Row]) -> str:
    """The Markdown table of these rows."""
    return HEAD + "".join(map(line, rows))


def line(row: Row) -> str:
    """A row of the Markdown table."""
    ratio = "" if row.peers is None else f"{row.measure:.2f}x"
    suffix = "" if row.peers is None else "x"
    sign = "≥" if row.better == "higher" else "≤"
    peers = "" if row.peers is None else f"{figure(row.peers)} {row.unit}"
    bounds = f"{sign} {row.floor:g}{suffix} | {sign} {row.goal:g}{suffix}"
    note = f" ({row.note})" if row.note else ""
    return (
        f"| {row.what}{note} | {figure(row.ours)} {row.unit} | {row.against or '-'} | {peers or '-'} | {ratio or '-'} "
        f"| {bounds} | {row.verdict} |\n"
    )


def figure(value: float) -> str:
    """Three significant digits, thousands with a comma."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """What the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    optimised = "-O2" in str(sysconfig.get_config_var("CFLAGS")) or "-O3" in str(sysconfig.get_config_var("CFLAGS"))
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
        f"{'' if optimised else ' (not optimised)'}, {ssl.OPENSSL_VERSION}, "
        f"load {LOAD:.1f} before the start{': others were at work, and rates suffer' if LOAD >= 1 else ''}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((each.partition(":")[2].strip() for each in lines if each.startswith("model name")), platform.machine())


def section(name: str, rows: Iterable[Row]) -> str:
    """One module's part of the page, with the machine that it ran on."""
    found = list(rows)
    fallen = [row.what for row in found if not row.holds]
    said = "No row is under its floor." if not fallen else "Under their floor: " + "; ".join(fallen) + "."
    return f"## {name}\n\n{machine()}.\n\n{table(found)}\n{said}\n"


def page(before: str, sections: Mapping[str, str]) -> str:
    """docs/benchmarks.md with these sections in place of theirs, in the order of the modules."""
    kept = {each.split("\n", 1)[0]: f"## {each}" for each in before.split("\n## ")[1:]}
    merged = {**{name: text.rstrip("\n") + "\n" for name, text in kept.items()}, **sections}
    return PREFACE + "".join(f"\n{merged[name]}" for name in sorted(merged))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
