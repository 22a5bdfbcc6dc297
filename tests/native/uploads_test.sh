#!/usr/bin/env bash
# Uploads that break off are told so, and no example takes them for whole: uploads.py says how they break.
# Usage: uploads_test.sh NATIVE_SERVER APPS-FOLDER
set -euo pipefail
server=$1 apps=$2
[ -f "$apps/files-c.wasm" ] || { echo "components not built (apps/build.sh)"; exit 77; }
work=$(mktemp -d)
. "$(dirname "$0")/../port.sh"
port=$(free_port)
names=() loaded=()
for app in files=files-c echo=echo sum=sum-c zstd=zstd quickjs=quickjs hello=hello-c notes-go=notes-go \
    notes-rust=notes-rust; do
    [ -f "$apps/${app#*=}.wasm" ] || continue
    names+=("${app%%=*}")
    loaded+=("${app%%=*}=$apps/${app#*=}.wasm")
done
TIMEOUT_MS=300000 "$server" "$port" 2 "${loaded[@]}" 2>"$work/log" &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$work"' EXIT
until grep -q '^listening' "$work/log"; do
    kill -0 $pid 2>/dev/null || { echo "the server did not start:"; cat "$work/log"; exit 1; }
    sleep 0.1
done
python3 "$(dirname "$0")/uploads.py" "$port" "${names[@]}" && exit
tail -n 50 "$work/log"
exit 1
