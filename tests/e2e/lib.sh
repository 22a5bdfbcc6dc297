# What the end-to-end tests share: a server of one's own, and plain assertions. Sourced with BUILD set by CTest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../port.sh"

work=$(mktemp -d)
port=$(free_port)
url=https://127.0.0.1:$port
server=
HOST=$BUILD/bin/enclave-os
admin=$work/admin.key

fail() { echo "FAILED: $*" >&2; [ -f "$work/server.log" ] && tail -n 20 "$work/server.log" >&2; exit 1; }
check() { "$@" || fail "$*"; }
equal() { [ "$1" = "$2" ] || fail "${3:-values}: got '$1', expected '$2'"; }
contains() { case "$1" in *"$2"*) ;; *) fail "'$2' is not in: $1" ;; esac; }

# start [option ...]: a server on $port with its data in $work/data
start() {
    : >"$work/server.log" # or the line that an earlier server wrote would do for the new one
    "$HOST" serve --image "${IMAGE:-$BUILD/enclave_os.signed}" --listen "127.0.0.1:$port" \
        --data "$work/data" --sim-dir "$work/sim" --admin-key "$admin.pub" "$@" >"$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        grep -q '^ready' "$work/server.log" && return 0
        kill -0 $server 2>/dev/null || return 1
        sleep 0.02
    done
    return 1
}
stop() { kill -TERM "$server"; wait "$server"; server=; }
crash() { kill -KILL "$server"; wait "$server" 2>/dev/null || true; server=; }
cleanup() { # the server, and whatever else still runs, which may have children of its own to end
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    kill $(jobs -p) 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

ctl() { "$BUILD/bin/enclavectl" "$@"; }
push() { ctl app push "$1" "$BUILD/apps/$2.wasm" --url "$url" --admin-key "$admin" --allow-simulation >/dev/null; }
get() { curl -sk --max-time 30 "$url$1" "${@:2}"; }
status() { curl -sk --max-time 30 -o /dev/null -w '%{http_code}' "$url$1" "${@:2}"; }

ctl keygen "$admin" >/dev/null
