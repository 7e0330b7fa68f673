#!/bin/sh
# Print the path of a Python that Trinco can run on: 3.11 or newer, and really working. A name on PATH may be a shim
# that fails, a build without SSL, or a Debian python3 without python3-venv; each candidate is therefore tried.
# The system's interpreters come first: they are built with optimisation. PYTHON=… in the environment goes before all.
set -u

works() {
    "$1" -c 'import sys, venv, ensurepip, ssl, sqlite3; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    works "$PYTHON" && command -v "$PYTHON" && exit 0
    echo "PYTHON=$PYTHON is not a working Python >= 3.11 with venv, ssl and sqlite3" >&2
    exit 1
fi

IFS=:
set -f
for folder in /usr/bin $PATH /usr/local/bin /opt/homebrew/bin; do
    for name in python3 python3.13 python3.12 python3.11 python; do
        if [ -x "$folder/$name" ] && works "$folder/$name"; then
            echo "$folder/$name"
            exit 0
        fi
    done
done

echo "No working Python >= 3.11 with venv was found. On Debian or Ubuntu: apt install python3-venv" >&2
exit 1
