#!/bin/sh
# `make bench`: every row beside its peer; the peers are Debian's packages.
set -eu
cd "$(dirname "$0")/.."
tools/venv.sh dev
tools/debian.sh bench
exec .venv/bin/python -m bench
