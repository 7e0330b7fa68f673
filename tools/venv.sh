#!/bin/sh
# Make .venv and install what a lock file names, each file checked by its hash, and then the project itself.
#
#   tools/venv.sh run     what `make run` needs        (requirements.lock)
#   tools/venv.sh dev     that and the tests' tools    (requirements-dev.lock)
#
# Stamps in .venv remember what was installed, so that a second call with unchanged files does nothing.
# `uv` is used where it is on PATH, and is never needed.
set -eu
cd "$(dirname "$0")/.."
kind=$1

sum() { cat "$@" | cksum | tr ' ' '-'; }
stamped() { [ "$(cat ".venv/trinco-$1" 2>/dev/null)" = "$2" ]; }
stamp() { echo "$2" > ".venv/trinco-$1"; }

here=$(pwd | cksum | tr ' ' '-')
run=$(sum requirements.lock)
dev=$(sum requirements-dev.lock)
# shellcheck disable=SC2046 # one word per file
project=$(sum pyproject.toml hatch_build.py tools/venv.sh $(find src -name '*.po' | sort))

locked() {
    stamped dev "$dev" || { [ "$kind" = run ] && stamped run "$run"; }
}

if [ -d .venv ] && ! .venv/bin/python -c 'import ssl, sqlite3' >/dev/null 2>&1; then
    echo "The Python of .venv does not run (any more): making it anew"
    rm -rf .venv
elif [ -e .venv/trinco-here ] && ! stamped here "$here"; then
    echo "This folder was moved or copied, and .venv points to where it was: making it anew"
    rm -rf .venv
fi
if locked && stamped project "$project"; then
    exit 0
fi

if command -v uv >/dev/null 2>&1; then
    create() { uv venv --quiet --python "$1" .venv; }
    install() { VIRTUAL_ENV=.venv uv pip install --quiet --no-deps "$@"; }
else
    create() { "$1" -m venv .venv; }
    install() { .venv/bin/python -m pip -qq --disable-pip-version-check --no-input install --no-deps "$@"; }
fi

if [ ! -x .venv/bin/python ]; then
    python=$(tools/python.sh)
    echo "Making .venv with $python ($("$python" -V))"
    create "$python"
fi
if ! command -v uv >/dev/null 2>&1 && ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    .venv/bin/python -m ensurepip >/dev/null  # made by uv, or a making that was interrupted
fi
if ! locked; then
    lock=requirements.lock
    [ "$kind" = run ] || lock=requirements-dev.lock
    echo "Installing $lock, each file checked by its hash"
    install --no-compile --require-hashes -r "$lock"
    stamp run "$run"
    if [ "$kind" = run ]; then rm -f .venv/trinco-dev; else stamp dev "$dev"; fi
fi
echo "Installing Trinco itself"
install --no-build-isolation -e .
stamp here "$here"
stamp project "$project"
