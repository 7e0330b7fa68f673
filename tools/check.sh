#!/bin/sh
# Format, lint, types, import contracts: what needs no test.
set -eu
cd "$(dirname "$0")/.."
tools/venv.sh dev
# Says what is being looked at, and shows its output only when something is wrong.
quietly() {
    echo "== $1"
    shift
    said=$("$@" 2>&1) || { printf '%s\n' "$said"; exit 1; }
}

quietly "format" .venv/bin/ruff format --check .
quietly "lint" .venv/bin/ruff check .
quietly "import contracts" .venv/bin/lint-imports
quietly "types" .venv/bin/mypy
