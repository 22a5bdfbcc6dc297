#!/usr/bin/env bash
# A store with three apps, one of which has files, of which each record in turn is flipped, cut, missing, another's, or as it was before: the
# server starts, the other apps are served, and so is that one but for what is lost, which says what it is and stays an error until it is
# written anew or given up. Which records, and how, is drawn (SEED=, ROUNDS=); ALL=1 tries each of them in each way.
. "$(dirname "$0")/lib.sh"
tool="$BUILD/bin/lmdb_tool"
SEED=${SEED:-$RANDOM}
RANDOM=$SEED
echo "SEED=$SEED ROUNDS=${ROUNDS:-30} ALL=${ALL:-}"

put() { status "$1" -X PUT --data-binary "@$2"; }
head -c 150000 /dev/urandom >"$work/large" # three chunks
head -c 300 /dev/urandom >"$work/small"

check start
push counter counter-c
push files files-c
push hello hello-c
equal "$(put /files/large "$work/small")" 200
get /counter/ >/dev/null
check stop
cp -r "$work/data" "$work/old"
check start
for file in large small; do equal "$(put /files/$file "$work/$file")" 200; done
get /counter/ >/dev/null
check stop
cp -r "$work/data" "$work/good"
again() { rm -rf "$work/data"; cp -r "$work/good" "$work/data"; }
count=$("$tool" "$work/data" count)

# served WHAT: all but perhaps parts of one large file; sets lost
served() {
    equal "$(get /counter/peek)" 2 "$1: the counter"
    equal "$(status /hello/)" 200 "$1: hello"
    get /files/small | cmp -s - "$work/small" || fail "$1: the small file"
    lost=
    case $(get /files/large -o "$work/back" -w '%{http_code}') in
    200) cmp -s "$work/back" "$work/large" || lost=cut ;;
    500) lost=refused ;;
    *) fail "$1: the large file is neither there nor an error" ;;
    esac
    if [ "$lost" = cut ]; then # what came before the part that is lost is right
        cmp -s -n "$(stat -c %s "$work/back")" "$work/back" "$work/large" || fail "$1: other bytes in a file"
    fi
}
tells() { # WHAT: lost records are told by number, app and file
    equal "$(metric store_damaged)" 1 "$1: store_damaged"
    contains "$(ctl get /status "${to[@]}")" '"lost_records":1'
    contains "$(ctl salvage ls "${to[@]}")" "app files  fs  file"
}

# one HOW I: damages one record
one() {
    case $1 in
    flip) "$tool" "$work/data" flip "$2" "$(shuf -n 1 -e first middle last --random-source=<(yes $RANDOM))" ;;
    cut) "$tool" "$work/data" truncate "$2" ;;
    gone) "$tool" "$work/data" delete "$2" ;;
    another) "$tool" "$work/data" copy $((($2 + 1 + RANDOM % (count - 1)) % count)) "$2" ;;
    before) "$tool" "$work/data" restore "$2" "$work/old" 2>/dev/null || return 1 ;; # it was not there
    esac
}
losses=0
try() {
    again
    one "$1" "$2" || return 0
    start || fail "record $2 $1: it does not start"
    served "record $2 $1"
    [ -z "$lost" ] || { losses=$((losses + 1)); tells "record $2 $1"; }
    crash
}
if [ -n "${ALL:-}" ]; then
    for i in $(seq 0 $((count - 1))); do for how in flip cut gone another before; do try $how "$i"; done; done
else
    for _ in $(seq "${ROUNDS:-30}"); do try "$(shuf -n 1 -e flip cut gone another before --random-source=<(yes $RANDOM))" $((RANDOM % count)); done
fi
echo "$losses tries lost a part of the large file, of $count records"

# What somebody has put in that never was a record is passed over, whatever its shape, and so it is in a backup.
again
"$tool" "$work/data" junk
check start
served "junk"
[ -z "$lost" ] || fail "junk: the large file is lost"
check ctl backup "$work/data" "$work/of-junk" >/dev/null
get /counter/ >/dev/null
check stop
check start
equal "$(get /counter/peek)" 3 "junk: a write"
check stop

# Where both names of a record are damaged, it is still known whose it is: that app's files are an error until it is given up, and the others
# are served.
again
large=$("$tool" "$work/data" list | awk 'length($2) == 64 && $3 > 65536 && $3 < 66000 && !n++ {print $1}')
"$tool" "$work/data" names "$large"
check start
equal "$(get /counter/peek)" 2 "names: the counter"
equal "$(status /hello/)" 200 "names: hello"
equal "$(status /files/small)" 500 "names: the app whose record it is"
equal "$(metric store_damaged)" 1 "names: store_damaged"
contains "$(ctl get /status "${to[@]}")" '"lost_records":1'
said=$(ctl salvage ls "${to[@]}")
contains "$said" "app files  ?  (its very name is damaged"
contains "$(ctl salvage give-up "$(sed -n 's/.*enclavectl salvage give-up //p' <<<"$said")" "${to[@]}")" "1 lost records are given up"
get /files/small | cmp -s - "$work/small" || fail "names: the small file, after giving it up"
check stop
check start
contains "$(ctl salvage ls "${to[@]}")" "no stored record is lost"
equal "$(get /files/large | wc -c)" 150000 "names: the file with a part given up"
check stop

# What is lost is given up, by the list that was shown and no other: an entry of the history.
again
large=$("$tool" "$work/data" list | awk 'length($2) == 64 && $3 > 65536 && $3 < 66000 && !n++ {print $1}')
"$tool" "$work/data" flip "$large" middle
check start
served "a part of a file is lost"
[ -n "$lost" ] || fail "nothing is lost"
tells "a part of a file is lost"
list=$(ctl salvage ls "${to[@]}" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["list"])')
contains "$(ctl salvage give-up "${list//[0-9]/0}" "${to[@]}" 2>&1 || true)" "what is lost is not what that list has"
equal "$(metric store_damaged)" 1 "after a list that is none"

# Where it takes two admins, one proposes it, and the other sees what is lost before approving.
ctl keygen "$work/b" >/dev/null
ctl admin add "$work/b.pub" --role admin "${to[@]}" >/dev/null
ctl admin threshold 2 "${to[@]}" >/dev/null
contains "$(ctl salvage give-up "$list" "${to[@]}" 2>&1 || true)" "there are 1"
second=(--url "$url" --policy "$policy" --admin-key "$work/b")
ctl salvage give-up "${list//[0-9]/0}" "${to[@]}" --propose "$work/proposal" >/dev/null
contains "$(ctl admin approve "$work/proposal" "${second[@]}" --out "$work/approval" 2>&1 || true)" "is not what was proposed to be given up"
[ ! -e "$work/approval" ] || fail "another list was approved"
ctl salvage give-up "$list" "${to[@]}" --propose "$work/proposal" >/dev/null
shown=$(ctl admin approve "$work/proposal" "${second[@]}" --out "$work/approval")
contains "$shown" "app files  fs  file"
contains "$shown" "to give up the lost records of this list"
contains "$(ctl salvage give-up "$list" "${to[@]}" --approval "$work/approval")" "1 lost records are given up"
equal "$(metric store_damaged)" 0 "after giving it up"
contains "$(ctl salvage ls "${to[@]}")" "no stored record is lost"
contains "$(ctl log "$url" --policy "$policy")" "salvage: 1 lost records given up"
check stop
check start
equal "$(get /files/large | wc -c)" 150000 "the file with a part given up"
zeros=$(get /files/large | (cmp -l - "$work/large" || true) | wc -l)
[ "$zeros" -gt 60000 ] && [ "$zeros" -le 65536 ] || fail "$zeros bytes of the file are others"
check stop

# Compiled code that is damaged in both places is compiled again of the component that was kept; without that the app is stopped by name, the
# others go on, and a push of the same component mends it, with all its data.
both() { "$tool" "$work/data" flip "$("$tool" "$work/data" twin "$1")" middle; "$tool" "$work/data" flip "$1" middle; }
size=$(stat -c %s "$BUILD/apps/counter-c.wasm")
rm -rf "$work/data"
check start
push hello hello-c
check stop
before=$("$tool" "$work/data" list | cut -d' ' -f2)
check start
push counter counter-c
get /counter/ >/dev/null
check stop
rm -rf "$work/good"
cp -r "$work/data" "$work/good"
artefact=$("$tool" "$work/data" list | grep -vF "$before" | awk 'length($2) == 64 {print $3, $1}' | sort -n | tail -n 1 | cut -d' ' -f2)
[ -n "$artefact" ] || fail "there is no compiled code"
wasm=$("$tool" "$work/data" list | awk -v size="$size" 'length($2) == 64 && $3 >= size && $3 < size + 300 && !n++ {print $1}')
[ -n "$wasm" ] || fail "the component is not kept"
both "$artefact"
check start
contains "$(cat "$work/server.log")" "app counter: its compiled code is damaged"
contains "$(cat "$work/server.log")" "it was compiled again"
equal "$(get /counter/peek)" 1 "compiled again"
equal "$(metric apps_stopped)" 0
check stop
check start
equal "$(grep -c "compiled again" "$work/server.log")" 0 "compiled once more"
equal "$(get /counter/peek)" 1 "after that"
check stop
again
both "$artefact"
both "$wasm"
check start
equal "$(status /hello/)" 200 "beside an app that is stopped"
equal "$(status /counter/peek)" 503 "an app that is stopped"
contains "$(get /counter/peek)" "app counter is stopped"
contains "$(ctl get /status "${to[@]}")" '"stopped":"app counter is stopped'
equal "$(metric apps_stopped)" 1
contains "$(ctl salvage ls "${to[@]}")" "app counter is stopped"
contains "$(ctl app settings counter "${to[@]}" <(echo '{}') 2>&1 || true)" "is stopped"
push counter counter-c
equal "$(get /counter/peek)" 1 "pushed again"
equal "$(metric apps_stopped)" 0
equal "$(metric store_damaged)" 0 "its damaged code is gone"
check stop
