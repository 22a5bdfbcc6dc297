#!/usr/bin/env bash
# Shares of the data: what a first boot makes for whom, what anybody sees of it, and a drill that proves that they open.
. "$(dirname "$0")/lib.sh"
for name in a b c stranger; do ctl keygen --recovery "$work/$name" >"$work/$name.said"; done
ctl keygen "$work/second" >/dev/null
trust=(--policy "$policy")
drill() { ctl recover --dry-run "$@"; }
refused() { # WHAT STATUS PART COMMAND...: it fails with this status, and says so
    local what=$1 status=$2 part=$3 code=0
    shift 3
    said=$("$@" 2>&1) || code=$?
    equal "$code" "$status" "$what: $said"
    contains "$said" "$part"
}
leaf() { # LABEL: its value as text
    get /_enclave/manifest | python3 -c 'import json,sys
print(*(bytes.fromhex(l["value"]).decode() for l in json.load(sys.stdin)["leaves"] if l["label"] == sys.argv[1]))' "$1"
}
holder() { openssl pkey -pubin -in "$work/$1.pub" -outform DER | tail -c 32 | od -An -tx1 | tr -d ' \n'; }
order() { # THRESHOLD NAME...: a file that orders these holders
    local threshold=$1 list=
    shift
    for name in "$@"; do list+="${list:+,}\"$(holder "$name")\""; done
    echo "{\"holders\":[$list],\"threshold\":$threshold}" >"$work/order.json"
    echo "$work/order.json"
}
otherwise() { python3 -c 'import sys; k = bytearray.fromhex(sys.argv[1]); k[31] ^= 0x80; print(k.hex())' "$1"; } # same key
contains "$(cat "$work/a.said")" "holder $(holder a)"
of=(--recovery-key "$work/a.pub" --recovery-key "$work/b.pub" --recovery-key "$work/c.pub" --recovery-threshold 2)

# One key is one holder, however it is written.
python3 - "$(openssl pkey -pubin -in "$work/a.pub" -outform DER | base64 -w0)" >"$work/twice.pub" <<'PYTHON'
import base64, sys
key = bytearray(base64.b64decode(sys.argv[1]))
key[-1] ^= 0x80
print(f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(key).decode()}\n-----END PUBLIC KEY-----")
PYTHON
! start --recovery-key "$work/a.pub" --recovery-key "$work/twice.pub" --recovery-threshold 2 || fail "one holder is two"
server=
check logged "twice.pub: it is not as X25519 keys are written"

# Nobody is named: nobody holds anything.
check start
equal "$(status /_enclave/recovery/shares)" 404
equal "$(leaf recovery)" ""
first_use
refused "no shares" 1 "nobody holds shares" drill --key "$work/a" "$url" "${trust[@]}"
contains "$(ctl recovery show "${to[@]}")" "nobody can recover the data"

# Until administrators, as many of them as it takes, name somebody: a change like another, and a leaf.
equal "$(ctl recovery set "$(order 1 stranger)" "${to[@]}" | head -n 1)" "sharing 1: any 1 of 1 holders can recover the data"
contains "$(leaf recovery)" "$(holder stranger)"
check drill --key "$work/stranger" "$url" "${trust[@]}" >/dev/null
contains "$(ctl log "$url" "${trust[@]}")" "recovery: sharing 1, 1 of 1 holders"
for wrong in '{"threshold":1}|there are no \"holders\"' '{"holders":[],"threshold":0}|a list of 1 to 16' \
    "{\"holders\":[\"$(holder a)\"],\"threshold\":2}|from 1 to that of holders" \
    "{\"holders\":[\"$(holder a)\",\"$(holder a)\"],\"threshold\":1}|number 2 is there already" \
    "{\"holders\":[\"aa\"],\"threshold\":1}|number 1 is no X25519 key" \
    "{\"holders\":[\"$(holder a)\",\"$(otherwise "$(holder a)")\"],\"threshold\":2}|number 2 is not as X25519 keys are written" \
    "{\"holders\":[\"$(printf '0%.0s' $(seq 64))\"],\"threshold\":1}|nothing can be sealed to holder 1" \
    "{\"holders\":[\"$(holder a)\"],\"threshold\":1,\"more\":1}|there is a member beside" \
    "{\"holders\":[\"$(holder a)\"],\"threshold\":1,\"replaces\":\"$(holder a)\"}|has changed since this was made"; do
    echo "${wrong%|*}" >"$work/wrong.json"
    said=$(ctl recovery set "$work/wrong.json" "${to[@]}" 2>&1) && fail "taken: ${wrong%|*}"
    contains "${said//\"/\\\"}" "${wrong##*|}"
done
check ctl admin add "$work/second.pub" --role admin "${to[@]}" >/dev/null
check ctl admin threshold 2 "${to[@]}" >/dev/null
refused "one admin alone" 1 "takes the tokens of 2 admins together" ctl recovery set "$(order 2 a b)" "${to[@]}"
check ctl recovery set "$(order 2 a b)" "${to[@]}" --propose "$work/proposal" >/dev/null
check ctl admin approve "$work/proposal" --admin-key "$work/second" --out "$work/approval" >/dev/null
contains "$(ctl recovery set "$work/order.json" "${to[@]}" --approval "$work/approval")" "sharing 2: any 2 of 2 holders"
refused "an old holder" 1 "no share is sealed to this key" drill --key "$work/stranger" "$url" "${trust[@]}"
check drill --key "$work/a" --key "$work/b" "$url" "${trust[@]}" >/dev/null
check stop
rm -rf "$work/data"

# Three holders, of whom two are enough.
check start "${of[@]}"
first_use
shares=$(get /_enclave/recovery/shares)
equal "$(leaf recovery)" "$shares" "what clients see"
for name in a b c; do contains "$shares" "\"holder\":\"$(holder $name)\""; done
contains "$shares" '"threshold":2'
check ctl verify "$url" "${trust[@]}" >/dev/null
said=$(drill --key "$work/a" --key "$work/c" "$url" "${trust[@]}" --save "$work/shares.json") || fail "two of them: $said"
contains "$said" "share 3 of 3 opens, and is what the enclave made"
contains "$said" "2 of 3 shares open, and 2 are needed: the data can be recovered with them"
refused "one of them" 1 "1 of 3 shares open, and 2 are needed: not enough" drill --key "$work/b" "$url" "${trust[@]}"
refused "one of them, twice" 1 "$work/b: share 2 is there already: it counts once" drill --key "$work/b" --key "$work/b" "$url" "${trust[@]}"
refused "somebody else's key" 1 "no share is sealed to this key" drill --key "$work/a" --key "$work/stranger" "$url" "${trust[@]}"
refused "another enclave" 1 "mrenclave:" drill --key "$work/a" "$url" --allow-simulation --mrenclave "$(printf '0%.0s' $(seq 64))" \
    --instance "$(printf '0%.0s' $(seq 64))"
check stop

# They are there for as long as the data is, and nobody else comes to be a holder. What a disk has changed beside the store is
# written again.
names="recovery recovery-copy recovery.key recovery.key-copy recovery.sha256"
beside() { local name; for name in $names; do "$BUILD/bin/lmdb_tool" "$work/data" show "$name"; done; }
change() { # VERB NAME...: what the host keeps under these names
    local verb=$1 name
    shift
    for name in "$@"; do
        check "$BUILD/bin/lmdb_tool" "$work/data" "$verb" \
            "$("$BUILD/bin/lmdb_tool" "$work/data" list | grep -a "^[0-9]* $name " | cut -d' ' -f1)" middle
    done
}
kept=$(beside) two=(--key "$work/a" --key "$work/c" --data "$work/data")
equal "$(wc -l <<<"$kept")" 5 "records beside the store"
equal "$(sort -u <<<"$kept" | wc -l)" 3 "of them not copies"
# The drill reads the folder and leaves nothing in it, and needs all of that, each record twice.
cp -r "$work/data" "$work/whole"
rm -f "$work/data/lock.mdb" "$work/data/enclave-os.lock"
before=$(cd "$work/data" && find . -type f -exec sha256sum {} + | sort)
check drill "${two[@]}" >/dev/null
equal "$(cd "$work/data" && find . -type f -exec sha256sum {} + | sort)" "$before" "the folder, behind a drill"
for verb in delete flip truncate; do
    for name in $names; do
        change "$verb" "$name"
        refused "$verb $name" 1 " $name" drill "${two[@]}"
        contains "$said" "2 of 3 shares open"
        rm -rf "$work/data" && cp -r "$work/whole" "$work/data"
    done
done
change delete recovery.key recovery.key-copy
refused "no key record" 1 "without recovery.key, 60 bytes, no shares open what is stored" drill "${two[@]}"
change flip recovery
check start
equal "$(beside)" "$kept" "what is beside the store"
check stop
change delete recovery-copy recovery.key-copy recovery.sha256 # a store from before there were copies
refused "one from before" 1 "recovery.key-copy is missing" drill "${two[@]}"
check start
equal "$(beside)" "$kept" "what is beside the store"
equal "$(get /_enclave/recovery/shares)" "$shares" "after a restart"
check stop
check start "${of[@]}"
equal "$(get /_enclave/recovery/shares)" "$shares" "after a restart with the same options"
check stop
for other in "--recovery-key $work/stranger.pub --recovery-threshold 1" \
    "--recovery-key $work/a.pub --recovery-key $work/b.pub --recovery-key $work/c.pub --recovery-threshold 3" \
    "--recovery-key $work/b.pub --recovery-key $work/a.pub --recovery-key $work/c.pub --recovery-threshold 2"; do
    ! start $other || fail "other holders are taken: $other"
    server=
    check logged "are not the holders of this store's shares"
done

# Another sharing among the same: what was saved before is old, and what is of another instance is told, too.
cp "$work/shares.json" "$work/first.json"
check start
check ctl recovery set "$(order 2 a b c)" "${to[@]}" >/dev/null
[ "$(get /_enclave/recovery/shares)" != "$shares" ] || fail "the shares are the same"
equal "$(leaf recovery)" "$(get /_enclave/recovery/shares)" "what clients see"
check drill --key "$work/a" --key "$work/c" "$url" "${trust[@]}" >/dev/null
refused "another text under the name" 1 "its shares are others now" drill --key "$work/a" --key "$work/c" "$url" "${trust[@]}" \
    --save "$work/shares.json"
# Under a rule by which administrators cannot have the data they name nobody new, and do not ask for less.
echo '{"rule":"measurements","measurements":[],"publishers":true}' >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null
for more in "2 a b c stranger" "1 a b c" "1 a"; do
    refused "$more" 1 "only holders of now, and no lower threshold" ctl recovery set "$(order $more)" "${to[@]}"
done
contains "$(ctl recovery set "$(order 2 c a)" "${to[@]}")" "sharing 3: any 2 of 2 holders"
refused "a holder who is none any more" 1 "no share is sealed to this key" drill --key "$work/b" "$url" "${trust[@]}"
check drill --key "$work/a" --key "$work/c" "$url" "${trust[@]}" --save "$work/second.json" >/dev/null
check stop
check drill --key "$work/a" --key "$work/c" --shares "$work/second.json" --data "$work/data" >/dev/null
refused "old shares" 1 "these are old shares, of sharing 1: $work/data has sharing 3" \
    drill --key "$work/a" --key "$work/c" --shares "$work/first.json" --data "$work/data"
python3 - "$work" <<'PYTHON'
import json, sys
sharing = json.load(open(f"{sys.argv[1]}/second.json"))
for name, change in ("elsewhere", dict(instance="0" * 64)), ("later", dict(epoch=4)), ("looser", dict(threshold=1)):
    json.dump({**sharing, **change}, open(f"{sys.argv[1]}/{name}.json", "w"))
PYTHON
for kept in "elsewhere|are another instance's" "later|are of sharing 4" "looser|are not the shares of"; do
    refused "${kept%|*}" 1 "${kept#*|}" drill --key "$work/a" --shares "$work/${kept%|*}.json" --data "$work/data"
done

# What was saved is enough for a drill, and a share that was changed is none.
check drill --key "$work/a" --key "$work/b" --shares "$work/shares.json" >/dev/null
python3 - "$work" <<'PYTHON'
import json, sys
work = sys.argv[1]
def write(name, change):
    sharing = json.load(open(f"{work}/shares.json"))
    change(sharing)
    json.dump(sharing, open(f"{work}/{name}.json", "w"))
def flip(member):
    def change(sharing):
        text = sharing["shares"][0][member]
        sharing["shares"][0][member] = text[:-1] + ("1" if text[-1] == "0" else "0")
    return change
write("sealed", flip("sealed"))
write("hash", flip("hash"))
write("instance", lambda s: s.update(instance="0" * 64))
write("epoch", lambda s: s.update(epoch=2))
write("threshold", lambda s: s.update(threshold=1))
write("fewer", lambda s: s["shares"].pop())
write("none", lambda s: s.update(shares=[]))
PYTHON
for changed in sealed instance epoch threshold fewer; do
    refused "$changed" 1 "it does not open" drill --key "$work/a" --shares "$work/$changed.json"
done
refused "hash" 1 "is not what the enclave made" drill --key "$work/a" --shares "$work/hash.json"
refused "none" 1 "these are no shares" drill --key "$work/a" --shares "$work/none.json"
echo "shares of three holders, of whom two are enough, and old ones"
