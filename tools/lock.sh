#!/bin/sh
# `make lock`: resolve pyproject.toml anew for every platform and Python from 3.11 on; hashes, and no addresses.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    "$(tools/python.sh)" -m venv "$scratch"
    "$scratch/bin/python" -m pip -qq --disable-pip-version-check install uv
    uv=$scratch/bin/uv
fi
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --extra server --extra postgres --extra fast --extra providers \
        --upgrade "$@"
}
compile --group build pyproject.toml -o requirements.lock
compile --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
echo "Written: requirements.lock, requirements-dev.lock. Now: make test"
