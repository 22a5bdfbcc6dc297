#!/usr/bin/env bash
# A store of an older image: one from before generations, with an app that had no identity and no rule, and with one administrator's
# key (revision bc9bab4; --admin-key admin.key.pub; app push counter, three requests to /counter/, /counter/put/kept, app settings
# counter {"config":{"a":"b"}}, ca; older.tar.xz has the store, the keys and the emulated machine's fuses). A host lets this
# image have the keys that the older one sealed with (heir.c), which no other machine does: what is shown is that all is taken over.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/heir
export FORMER=fd2e5a6d3c5ee823c8c97486ad81e4b903212e13319999bb956866fe23295bd6
tar -C "$work" -xJf "$(dirname "$0")/older.tar.xz"
leaf() { get /_enclave/manifest | python3 -c 'import json, sys
print(next((bytes.fromhex(l["value"]) for l in json.load(sys.stdin)["leaves"] if l["label"] == sys.argv[1]), b"").decode("latin1"))' "$1"; }
leaves() { get /_enclave/manifest | grep -o '"label":"[^"]*"' | cut -d'"' -f4; }

check start
curl -s --cacert "$work/ca.pem" "https://localhost:$port/healthz" >/dev/null || fail "it is not the CA of before"
equal "$(get /counter/)" 4 "what the app had counted"
equal "$(get /counter/get)" kept "what the app had stored"
contains "$(leaves)" settings:counter
contains "$(leaves)" instance
contains "$(leaves)" "admin:$(openssl pkey -pubin -in "$admin.pub" -outform DER | sha256sum | cut -c1-64)"
equal "$(leaf administrators)" threshold=1
rule=$(leaf rule:counter)
contains "$rule" rule=operator
id=$(sed -n 's/^id=//p' <<<"$rule")
equal ${#id} 32 "the length of its identity"
contains "$(ctl app list "${to[@]}")" "id $id"

# It has no history: that begins now, and the next start goes on with it.
contains "$(get /_enclave/log/tile/entries/000.p/1)" '"kind":"begin"'
equal "$(status /_enclave/log/tile/entries/000.p/2)" 404 "a second entry"

# It is the same to the next boot, and to another push; and the operator may remove it, with what it has stored.
check stop
check start
equal "$(leaf rule:counter)" "$rule" "after a restart"
contains "$(get /_enclave/log/tile/entries/000.p/2)" '"index":1,'
contains "$(get /_enclave/log/tile/entries/000.p/2)" '"kind":"boot"'
push counter counter-c
equal "$(leaf rule:counter)" "$rule" "after a push"
equal "$(get /counter/)" 5 "after a push"
check ctl app rm counter "${to[@]}" >/dev/null
push counter counter-c
equal "$(get /counter/)" 1 "the next app of this name"
[ "$(leaf rule:counter)" != "$rule" ] || fail "the next app of this name has the identity of the one before"
check stop

# Without the older image's keys it is another's store.
unset FORMER
! start || fail "an image has opened another's store"
