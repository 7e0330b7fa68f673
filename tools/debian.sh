#!/bin/sh
# The programs that tests and benchmarks drive, from Debian's packages.
#
#   tools/debian.sh test | bench
#
# As root on a Debian they are installed, and their services are kept from starting; elsewhere the line to type is
# printed, and the tests that need a missing program skip and say so. Nothing is fetched where nothing is missing.
set -eu
cd "$(dirname "$0")/.."

# program:package, or a file:package where it is a header or a library; tests/test_make.py holds the first list against
# what the tests ask for.
test_programs="caddy:caddy chromium:chromium curl:curl dig:dnsutils dovecot:dovecot-imapd gcc:gcc haproxy:haproxy ip:iproute2 knotd:knot nginx:nginx-light nsd:nsd openssl:openssl \
pebble:pebble pgbouncer:pgbouncer pg_dump:postgresql-client pg_restore:postgresql-client postgres:postgresql psql:postgresql-client strace:strace systemd-analyze:systemd unshare:util-linux"
bench_programs="dnsperf:dnsperf gcc:gcc /usr/include/stdio.h:libc6-dev /usr/include/openssl/ssl.h:libssl-dev knotd:knot \
nginx:nginx-light nsd:nsd pdns_server:pdns-server /usr/lib/*/pdns/libgsqlite3backend.so:pdns-backend-sqlite3"

case ${1:-test} in
    test) wanted=$test_programs ;;
    bench) wanted=$bench_programs ;;
    *) echo "usage: tools/debian.sh test|bench" >&2; exit 2 ;;
esac

present() {
    # shellcheck disable=SC2086 # a pattern: the folder is named after the machine's kind
    case $1 in /*) [ -n "$(set +f; ls $1 2>/dev/null)" ]; return ;; esac
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || [ -n "$(ls /usr/lib/postgresql/*/bin/"$1" 2>/dev/null)" ]
}

missing=""
set -f
for pair in $wanted; do
    present "${pair%%:*}" || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Some tests need programs that are not here; they skip by name. To have them on a Debian:"
    echo "    sudo apt-get install --no-install-recommends$missing"
    exit 0
fi

# Debian starts a service when it installs it, unless this file says no (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\n# Put here by Trinco tests while they install packages.\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

log=$(mktemp)
install() {
    # shellcheck disable=SC2086 # one word per package
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1
}
echo "Installing Debian's packages for the tests (their services are not started):$missing"
if ! install; then
    echo "Fetching Debian's list of packages first"
    if ! { apt-get update >"$log" 2>&1 && install; }; then
        tail -20 "$log" >&2
        rm -f "$log"
        [ "${CI:-}" != true ] || exit 1
        echo "Going on without:$missing (what needs them is skipped by name)"
        exit 0
    fi
fi
rm -f "$log"
