#!/bin/sh
# `make clean`: only what git ignores, and only inside this folder.
set -eu
cd "$(dirname "$0")/.."
rm -rf .venv .run dist build htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
find src -name '*.mo' -delete
