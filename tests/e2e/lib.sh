# What the end-to-end tests share: a server of one's own, and plain assertions. Sourced with BUILD set by CTest.
#
# Nothing here passes or fails by the clock: a test waits for what it can see (await, talk.py's steps), and $hang
# only ends what would never end. tests/README.md says which limits remain.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../port.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/clients.sh"

hang=${HANG:-300} # seconds; a test that has waited so long for one thing would wait for ever
work=$(mktemp -d)
export XDG_CONFIG_HOME=$work/config # no context of the user's own
unset ENCLAVECTL_CONTEXT
port=$(free_port)
url=https://127.0.0.1:$port
server=
# Whose line says, at a start, that a record is not what was written.
says_what_is_damaged='(store|identity|administrators|upgrade rule|lineage|recovery|witnesses|history|boot|egress|apps): |app '
HOST=$BUILD/bin/enclave-os
admin=$work/admin.key
# Who the server is, for commands that send something: what was seen at the first use of its data (ctl, below).
policy=$work/policy.json
to=(--url "$url" --admin-key "$admin" --policy "$policy")

fail() { echo "FAILED: $*" >&2; [ -f "$work/server.log" ] && tail -n 20 "$work/server.log" >&2; exit 1; }
check() { "$@" || fail "$*"; }
equal() { [ "$1" = "$2" ] || fail "${3:-values}: got '$1', expected '$2'"; }
contains() { [ -n "$2" ] || fail "nothing is in everything: $1"; case "$1" in *"$2"*) ;; *) fail "'$2' is not in: $1" ;; esac; }

# await WHAT COMMAND...: until the command succeeds
await() {
    local what=$1 end=$((SECONDS + hang))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || fail "$what has not come"
        sleep 0.05
    done
}
# Things to await
logged() { grep -q -e "$1" "$work/server.log"; }
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; } # FILE COUNT
gone() { ! kill -0 "$1"; }                  # PROCESS
listening_to() { grep -q "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp; } # PORT, without connecting to it
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT
metric() { ctl get /metrics "${to[@]}" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
metric_reaches() { [ "$(metric "$1")" -ge "$2" ]; }

# start [option ...]: a server on $port with its data in $work/data; returns when it is ready, or 1 when it has ended instead.
# Its requests have their own deadlines out of the way, unless an option says otherwise.
start() {
    local defaults=() option data=" $* " # an option may be given once
    case $data in *' --data '*) data=${data#* --data } ;; *) data="$work/data " ;; esac
    [ -e "${data%% *}" ] || rm -f "$policy" # another instance
    for option in "--request-timeout ${hang}000" "--header-timeout ${hang}000" "--rate-grace ${hang}000" \
        "--data $work/data" "--sim-dir $work/sim"; do
        case " $* " in *" ${option% *} "*) ;; *) defaults+=(${option% *} "${option#* }") ;; esac
    done
    : >"$work/server.log" # or the line that an earlier server wrote would do for the new one
    "$HOST" serve --image "${IMAGE:-$BUILD/enclave_os.signed}" --listen "127.0.0.1:$port" \
        --admin-key "$admin.pub" "${defaults[@]}" "$@" >>"$work/server.log" 2>&1 &
    server=$!
    local end=$((SECONDS + hang))
    until grep -q '^ready' "$work/server.log"; do
        kill -0 $server 2>/dev/null || return 1
        [ $SECONDS -lt $end ] || fail "the server is neither ready nor ended"
        sleep 0.02
    done
}
stop() { kill -TERM "$server"; wait "$server"; server=; }
crash() { kill -KILL "$server"; wait "$server" 2>/dev/null || true; server=; }
cleanup() { # the server, and whatever else still runs, which may have children of its own to end
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    kill $(jobs -p) 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
# A command that ends a test without a word of its own.
trap 'echo "FAILED: line $LINENO of $(basename "$0"), with $?: $BASH_COMMAND" >&2' ERR

# Of connections that are over, on the host's side; the last ones' ends may be on their way.
slots_in_use() {
    local before
    before=$(grep -c '^channels:' "$work/server.log" || true)
    kill -USR1 "$server"
    for _ in $(seq 500); do
        [ "$(grep -c '^channels:' "$work/server.log" || true)" -gt "$before" ] && break
        sleep 0.02
    done
    grep '^channels:' "$work/server.log" | tail -n 1
}
slots_are_free() {
    for _ in $(seq 300); do
        [ "$(slots_in_use)" = "channels: 0 in use" ] && return 0
        sleep 0.2
    done
    return 1
}

first_use() {
    [ -s "$policy" ] || "$BUILD/bin/enclavectl" policy from "$url" --who --out "$policy" --allow-simulation 2>/dev/null || true
}
ctl() {
    case " $* " in *" $policy "*) first_use ;; esac
    "$BUILD/bin/enclavectl" "$@"
}
push() { ctl app push "$1" "$BUILD/apps/$2.wasm" "${to[@]}" >/dev/null; }
ask() { curl -sk --no-progress-meter --max-time $hang "$@"; }
get() { ask "$url$1" "${@:2}"; }
status() { ask -o /dev/null -w '%{http_code}' "$url$1" "${@:2}"; }
# How many records the store of the server has beside those of the history, which grows with each start and change: an
# entry each, 256 of them a bundle and a tile.
others() {
    local entries; entries=$(get /_enclave/log/checkpoint | sed -n 2p)
    echo $(($("$BUILD/bin/lmdb_tool" "$work/data" records) - entries % 256 - entries / 256 * 2))
}
spki_sha256() { # of the key that the server has in this boot: what tokens name as their audience
    openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -pubkey |
        openssl pkey -pubin -outform DER | sha256sum | cut -c1-64
}
talk() { HANG=$hang python3 "$(dirname "${BASH_SOURCE[0]}")/talk.py" "$port" "$@"; } # a TLS connection step by step

ctl keygen "$admin" >/dev/null
