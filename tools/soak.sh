#!/bin/sh
# `make soak`: the tests marked slow.
set -eu
cd "$(dirname "$0")/.."
tools/venv.sh dev
tools/debian.sh test
exec .venv/bin/python -m pytest tests -m slow -p tests.strict --timeout 1800
