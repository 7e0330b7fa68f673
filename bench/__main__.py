"""`make bench`: run every bench module, print the table, write docs/benchmarks.md.

    python -m bench [MODULE...]      only these modules, e.g. `python -m bench dns`; the page is then left as it is

A bench module is a file of this folder with `rows(scratch: Path) -> Iterable[Row]`; `scratch` is an empty directory of
its own. It raises `Missing` where a peer is not installed. Exit code 1 when a row is under its floor, 3 when a module
could not be run.
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
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from bench.row import Missing, Row

PAGE = Path("docs/benchmarks.md")
HEAD = "| path | ours | against | peer's | ratio | floor | goal | |\n|---|---|---|---|---|---|---|---|\n"


def main(names: list[str]) -> int:
    rows, missing = run(modules(names))
    table = HEAD + "".join(map(line, rows))
    print(f"\n{machine()}\n\n{table}")
    for reason in missing:
        print(f"not measured: {reason}")
    if rows and not names and not missing:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(table, rows), encoding="utf-8")
        print(f"written: {PAGE}")
    fallen = [row.what for row in rows if not row.holds]
    print(f"{len(rows)} rows, {len(fallen)} under their floor" + (": " + "; ".join(fallen) if fallen else ""))
    return 1 if fallen else 3 if missing else 0


def modules(names: Iterable[str]) -> list[ModuleType]:
    """The bench modules, all or those named."""
    known = [info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if info.name != "__main__"]
    imported = [importlib.import_module(f"bench.{name}") for name in (names or known)]
    return [module for module in imported if hasattr(module, "rows")]


def run(found: Iterable[ModuleType]) -> tuple[list[Row], list[str]]:
    """All rows in the order of the modules, and what is missing on this machine."""
    rows: list[Row] = []
    missing = []
    for module in found:
        print(f"== {module.__name__}", flush=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="trinco-bench-") as scratch:
            try:
                for row in module.rows(Path(scratch)):
                    rows.append(row)
                    print(f"   {row.what}: {figure(row.ours)} {row.unit} ({row.verdict})", flush=True)
            except Missing as reason:
                missing.append(str(reason))
        print(f"   {time.monotonic() - started:.0f} s", flush=True)
    return rows, missing


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
        f"{'' if optimised else ' (not optimised)'}, {ssl.OPENSSL_VERSION}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((each.partition(":")[2].strip() for each in lines if each.startswith("model name")), platform.machine())


def page(table: str, rows: list[Row]) -> str:
    """docs/benchmarks.md."""
    fallen = [row.what for row in rows if not row.holds]
    said = "No row is under its floor." if not fallen else "Under their floor: " + "; ".join(fallen) + "."
    return (
        "# Benchmarks\n\nWritten by `make bench`. Loopback; the server on one core, the client on the other; medians "
        "of at least three\nruns; every ratio is to a peer measured in the same run.\n\n"
        f"Machine: {machine()}.\n\n{table}\n{said}\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
