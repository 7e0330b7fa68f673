#!/bin/sh
# `make run`: set up once, then become the server. PORT_BASE takes the ports from there on.
set -eu
cd "$(dirname "$0")/.."
tools/venv.sh run
TRINCO_DATA=${TRINCO_DATA:-.run}
export TRINCO_DATA
# The leash: whoever started this may be killed outright, and then the servers end as well.
# shellcheck disable=SC2086 # nothing, or an option and its value
exec .venv/bin/python -m trinco.cli.leash "$PPID" trinco serve --playground ${PORT_BASE:+--port-base "$PORT_BASE"}
