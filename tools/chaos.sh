#!/bin/sh
# `make chaos`: three edges, NSD, Knot and PostgreSQL with a standby on loopback, and all that goes wrong, by a seed.
#
#   make chaos SEED=42 MINUTES=10
set -eu
cd "$(dirname "$0")/.."
tools/venv.sh dev
tools/debian.sh test
PYTHONPATH=src:. exec .venv/bin/python -m tests.chaos ${SEED:+--seed "$SEED"} ${MINUTES:+--minutes "$MINUTES"}
