#!/usr/bin/env bash
# The machine is lost, and the data is not: two of three holders give their shares to an enclave on another machine, which they
# have judged, and it goes on with the instance. With fewer, others', old, mixed, doubled or changed shares it does not, says of
# each what is wrong with it, and changes nothing. An image that the upgrade rule names can do it too, and no other.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
. "$(dirname "$0")/recover_lib.sh"
image=$BUILD/enclave_os.signed
make_image "$work/next.signed" 2 575
make_image "$work/stranger.signed" 2 573
refused() { # WHAT STATUS PART COMMAND...: it fails with this status, and says so
    local what=$1 status=$2 part=$3 said code=0
    shift 3
    said=$("$@" 2>&1) || code=$?
    equal "$code" "$status" "$what: $said"
    contains "$said" "$part"
}
leaf() { # LABEL: its value in hex
    get /_enclave/manifest | python3 -c 'import json,sys
print(*(l["value"] for l in json.load(sys.stdin)["leaves"] if l["label"] == sys.argv[1]))' "$1"
}
beside() { # FROM NAME...: what the host keeps of the sharing is as in that folder
    local name at
    for name in "${@:2}"; do
        at=$("$BUILD/bin/lmdb_tool" "$work/data" list | grep -a "^[0-9]* $name " | cut -d' ' -f1)
        check "$BUILD/bin/lmdb_tool" "$work/data" restore "$at" "$1"
    done
}

# Another instance with the same holders, whose shares are good for nothing here.
check start "${of[@]}"
get /_enclave/recovery/shares >"$work/others.json"
check stop
rm -rf "$work/data"

# Ours, with a sharing that is old by now.
check start "${of[@]}"
first_use
check push hello hello-c
get /_enclave/recovery/shares >"$work/first.json"
check stop
cp -r "$work/data" "$work/before"
check start
ctl recovery show "${to[@]}" --json >"$work/order.json"
contains "$(ctl recovery set "$work/order.json" "${to[@]}")" "sharing 2: any 2 of 3"
echo "{\"rule\":\"measurements\",\"measurements\":[\"$(measured "$work/next.signed")\"]}" >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null
get /_enclave/recovery/shares >"$work/shares.json"
size=$(get /_enclave/log/checkpoint | sed -n 2p)
check stop
ends "a store that opens" 0 "there is nothing to recover" --recover
[ ! -e "$request" ] || fail "a request for nothing"

# The machine is gone.
rm -rf "$work/sim"
ends "another machine" 1 "on another CPU"
beside "$work/before" recovery # one of two copies is another: its hash says which one counts
ends "asking" 0 "recover.request is for the holders of shares" --recover
[ -s "$request" ] || fail "there is no request"
refused "one copy" 1 "recovery and recovery-copy differ" ctl recover --dry-run --key "$work/a" --key "$work/b" --data "$work/data"

# A holder gives nothing to anybody but whom he expects, and no share but the one that is asked for.
zeros=$(printf '0%.0s' $(seq 64))
plain=(ctl recover --key "$work/a" --out "$work/a.share")
refused "another image" 1 "mrenclave:" "${plain[@]}" --request "$request" --allow-simulation --mrenclave "$zeros"
refused "no simulation is expected" 1 "no share was given" "${plain[@]}" --request "$request" --mrenclave "$(measured "$image")"
refused "nobody is expected" 2 "nothing says which program" "${plain[@]}" --request "$request" --allow-simulation
refused "old shares" 1 "these are old shares, of sharing 1: $request has sharing 2" give a a.share --shares "$work/first.json"
refused "a folder's old shares" 1 "these are old shares, of sharing 1: $request has sharing 2" give a a.share --data "$work/before"
refused "another instance's" 1 "are another instance's" give a a.share --shares "$work/others.json"
refused "no holder" 1 "no share is sealed to this key" ctl recover --request "$request" --key <(openssl genpkey -algorithm X25519) \
    --out "$work/a.share" --allow-simulation --mrenclave "$(measured "$image")"
python3 - "$request" "$work" <<'PYTHON'
import struct, sys
request, work = bytearray(open(sys.argv[1], "rb").read()), sys.argv[2]
def write(name, data):
    open(f"{work}/{name}.request", "wb").write(data)
at = 40
for _ in range(2):
    at += 4 + struct.unpack_from("<I", request, at)[0]
for name in "first", "others":  # a hostile one, which asks for other shares than those that open its store
    text = open(f"{work}/{name}.json", "rb").read()
    write(name, request[:at] + struct.pack("<I", len(text)) + text)
write("short", request[:-1])
request[8] ^= 1  # the key, which the quote is over
write("changed", request)
PYTHON
request=$work/changed.request refused "another key in the request" 1 "no share was given" give a a.share
request=$work/short.request refused "half a request" 1 "not a request" give a a.share
[ ! -e "$work/a.share" ] || fail "a share was given"
for name in a b c; do check give $name $name.share >/dev/null; done
# Again, by what was saved, and by what the folder has: it is the same.
check give a a.share --shares "$work/shares.json" >/dev/null
check give a a.share --data "$work/data" >/dev/null
refused "another's place" 1 "there is something else in it" give b a.share
for name in a b; do request=$work/first.request check give $name $name.old >/dev/null; done
request=$work/others.request check give b b.other >/dev/null
python3 - "$work" <<'PYTHON'
import sys
share = bytearray(open(f"{sys.argv[1]}/b.share", "rb").read())
share[60] ^= 1
open(f"{sys.argv[1]}/b.changed", "wb").write(share)
PYTHON

# Fewer, doubled, others', old and changed ones open nothing.
cp -r "$work/data" "$work/copy"
ends "one that is right, and others" 1 "recover: 1 of the shares that were given are not enough: it takes 2 of sharing 2" \
    --recover $(shares a.share a.share b.other b.old b.changed)
check logged "share number 2 that was given, which is share 1 of 3: it was given already, and counts once"
check logged "share number 3 that was given, which is share 2 of 3: it is another instance's"
check logged "share number 4 that was given, which is share 2 of 3: it is an old share, of sharing 1, and this store's sharing is 2"
check logged "share number 5 that was given is not sealed to this enclave, or was changed"
ends "old ones" 1 "recover: 0 of the shares that were given are not enough" --recover $(shares a.old b.old)
beside "$work/before" recovery recovery-copy recovery.key recovery.key-copy recovery.sha256 # a host that has kept what old shares open
ends "old ones that open" 1 "recover: these are old shares, of sharing 1: this store's sharing is 2" --recover $(shares a.old b.old)
mv "$work/sim" "$work/sim.asked"
ends "on a third machine" 1 "share number 1 that was given is not sealed to this enclave" --recover $(shares a.share c.share)
rm -rf "$work/sim" && mv "$work/sim.asked" "$work/sim"

# Another image: which the rule does not name, and which it does.
rm -rf "$work/data" && cp -r "$work/copy" "$work/data"
export IMAGE=$work/stranger.signed
ends "a stranger asks" 0 "recover.request is for the holders of shares" --recover
for name in a c; do check give $name $name.stranger >/dev/null; done
ends "a stranger" 1 "the upgrade rule does not name $(measured "$IMAGE"), and $(measured "$image") had it last" \
    --recover $(shares a.stranger c.stranger)
export IMAGE=$work/next.signed
ends "the next one asks" 0 "recover.request is for the holders of shares" --recover
for name in b c; do check give $name $name.next >/dev/null; done
check start --recover $(shares b.next c.next)
equal "$(get /hello/)" "Hello from C inside the enclave"
equal "$(leaf lineage)" "$(measured "$image")"
check ctl policy from "$url" --out "$work/next.json" --allow-simulation --instance "$(leaf instance)" 2>/dev/null
contains "$(ctl log "$url" --policy "$work/next.json")" "by shares 2, 3 of 3, after image $(measured "$image")"
check stop
unset IMAGE

# Two that are right, whatever else is among them: the same instance, its apps and its history, and an entry that says so.
# One of two copies of the key record opens it.
rm -rf "$work/data" && cp -r "$work/copy" "$work/data"
check "$BUILD/bin/lmdb_tool" "$work/data" flip \
    "$("$BUILD/bin/lmdb_tool" "$work/data" list | grep -a "^[0-9]* recovery.key " | cut -d' ' -f1)" middle
with=(--recover $(shares b.other a.share b.old b.changed c.share))
check start "${with[@]}"
check ctl verify "$url" --policy "$policy" >/dev/null
equal "$(get /hello/)" "Hello from C inside the enclave"
equal "$(leaf lineage)" "" "an image comes after itself"
said=$(ctl log "$url" --policy "$policy") || fail "log: $said"
contains "$said" "by shares 1, 3 of 3"
equal "$(get /_enclave/log/checkpoint | sed -n 2p)" $((size + 2)) "entries: recovery, and the start"
check push again hello-c
check stop
check start "${with[@]}" # the same command again, as a service manager gives it
equal "$(get /again/)" "Hello from C inside the enclave"
equal "$(get /_enclave/log/checkpoint | sed -n 2p)" $((size + 4)) "entries: a push, and a start"
check stop
echo "recovered by two of three"
