#!/usr/bin/env bash
# What the owner publishes, read by every worker while it changes: certificate, Merkle root and proofs, the table of apps,
# settings, the CA bundle, metrics; pushes, removals, the store and file systems with a quota that refuses, while requests
# run; and a shutdown in the middle of all that. On the whole enclave and host in one process (runtime.c), whose data races
# the thread sanitizer sees; without it, this shows that all answers are right.
# Usage: shared_test.sh BUILD APPS-FOLDER [ROUNDS]
BUILD=$1 apps=$2 rounds=${3:-2}
[ -f "$apps/counter-c.wasm" ] || { echo "components not built (apps/build.sh)"; exit 77; }
. "$(dirname "$0")/../e2e/lib.sh"
HOST=$BUILD/bin/native_enclave IMAGE=/dev/null
fail() { # with all that the sanitizer said
    echo "FAILED: $*" >&2
    grep -q 'WARNING: ThreadSanitizer' "$work/server.log" && cat "$work/server.log" >&2 || tail -n 20 "$work/server.log" >&2
    exit 1
}
push() { ctl app push "$1" "$apps/$2.wasm" "${to[@]}" >"$work/push.$1" || fail "push $1: $(cat "$work/push.$1")"; }
put() { status "$1" -X PUT --data-binary "@$2"; }

# reader NAME COMMAND...: again and again until the end; a failure is told, successes are counted by bytes
reader() {
    local name=$1
    shift
    : >"$work/$name.count"
    (
        until [ -e "$work/end" ]; do
            "$@" >"$work/$name.out" 2>&1 || [ -e "$work/end" ] || { echo "$name: $(cat "$work/$name.out")" >>"$work/wrong"; break; }
            printf . >>"$work/$name.count"
        done
    ) &
    readers="$readers $name" processes="$processes $!"
}
reads() { wc -c <"$work/$1.count"; }
has_read() { [ -e "$work/wrong" ] || [ "$(reads "$1")" -ge "$2" ]; }

# What may be seen meanwhile, and nothing else
hello() { [ "$(get /hello/)" = "Hello from C inside the enclave" ]; }
count() { get /counter/ | grep -qx '[0-9]*'; }
comes_and_goes() { # either app, or none
    case $(get /comes/ -d x) in x | "Hello from C inside the enclave" | *"no such app"* | *404* | *"not found"*) ;; *) return 1 ;; esac
}
numbers() { ctl get /metrics "${to[@]}" | python3 -c 'import json, sys; assert "hello" in json.load(sys.stdin)["apps"]'; }
listed() { ctl app list "${to[@]}" | grep -q hello; }
proven() { ctl verify "$url" --policy "$policy" --app "hello=$hash" --mrenclave "$mrenclave"; }
set_up() { ctl app settings hello "${to[@]}" | grep -q '"settings"'; }
trusted() { ctl egress-ca show "${to[@]}" >"$work/trust" 2>&1 || grep -q 'no CA bundle' "$work/trust" || { cat "$work/trust"; return 1; }; }
# Each writes a file of its own: whole afterwards, or refused for want of room, and then goes.
file() {
    local code
    code=$(put "/files/$1" "$2")
    case $code in
    200) get "/files/$1" | cmp -s - "$2" || { echo "$1 is not what was written"; return 1; } ;;
    507) ;;
    *) echo "$1: $code"; return 1 ;;
    esac
    echo "$code" >>"$work/codes"
    [ "$(status "/files/$1" -X DELETE)" != 500 ]
}

check start --workers 3 --app-disk 1
mrenclave=$(sed -n 's/^MRENCLAVE: *//p' "$work/server.log")
hash=$(sha256sum <"$apps/hello-c.wasm" | cut -d' ' -f1)
ctl ca "$url" --out "$work/ca.pem" --allow-simulation --mrenclave "$mrenclave" >/dev/null
for app in hello=hello-c counter=counter-c files=files-c comes=echo; do push "${app%=*}" "${app#*=}"; done
head -c 400000 /dev/urandom >"$work/some" # two have room, a third has none
readers= processes=
for reader in hello count comes_and_goes numbers listed proven set_up trusted; do reader $reader $reader; done
reader file-a file a "$work/some"
reader file-b file b "$work/some"
reader file-c file c "$work/some"

for round in $(seq "$rounds"); do
    push comes hello-c
    printf '{"config":{"round":"%s"}}' "$round" >"$work/settings"
    check ctl app settings hello "$work/settings" "${to[@]}" >/dev/null
    check ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null
    push hello hello-c &
    other=$!
    check ctl app rm comes "${to[@]}" >/dev/null
    wait $other || fail "a push beside a removal"
    push comes echo
    check ctl egress-ca rm "${to[@]}" >/dev/null
    for reader in $readers; do await "$reader in round $round" has_read "$reader" "$round"; done
    check proven >/dev/null # while nothing changes
    [ ! -e "$work/wrong" ] || fail "$(cat "$work/wrong")"
done
for reader in $readers; do echo "$reader: $(reads "$reader") times"; done
echo "files: $(sort "$work/codes" | uniq -c | tr '\n' ' ')"

# the end, while requests and a push are under way
ctl app push comes "$apps/hello-c.wasm" "${to[@]}" >/dev/null 2>&1 &
touch "$work/end"
stop || fail "the server's status was not 0"
wait $processes || true
! grep -q 'WARNING: ThreadSanitizer' "$work/server.log" || fail "data races"
