#!/bin/sh
# `make test`: everything that must hold, on two cores. With CI=true a skipped test is a failed one (tests/strict.py).
set -eu
cd "$(dirname "$0")/.."
# Where it is set, each of the hundreds of processes below would compile all of Django again.
unset PYTHONDONTWRITEBYTECODE
tools/venv.sh dev
tools/debian.sh test
# Types and core each keep one core busy: beside each other they take the time of the longer one.
tools/check.sh &
check=$!
trap 'kill "$check" 2>/dev/null || true' EXIT
echo "== core, with every branch covered"
.venv/bin/python -m coverage run --source=src/trinco/core -m pytest tests/core -q -p tests.strict
.venv/bin/python -m coverage report --show-missing --skip-covered --fail-under=100
wait "$check"
trap - EXIT
echo "== all other tests"
# Three workers for two cores: many tests wait for a program or a clock. In the order of tests/conftest.py.
exec .venv/bin/python -m pytest tests --ignore=tests/core -n 3 --dist loadfile --no-loadscope-reorder -q -m "not slow" -p tests.strict
