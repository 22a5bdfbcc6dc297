#!/usr/bin/env bash
# A host that changes the store under a running server: records flipped, cut, missing, swapped, doubled, or old. The guest
# gets an error that it can read and never other bytes, its other files and other apps go on, and a file that is written
# anew is well again. And between two runs: the server refuses to start, or the file is right, or it is an error.
. "$(dirname "$0")/lib.sh"
tool="$BUILD/bin/lmdb_tool"
other=another-app-by-a-longer-name # so that its records have other sizes
put() { status "$1" -X PUT --data-binary "@$2"; }
# Each file has a size of its own, by which the host finds its record.
declare -A size=([a]=21000 [b]=22000 [c]=23000 [victim]=24000) # and none of those that steps writes
for file in "${!size[@]}"; do head -c ${size[$file]} /dev/urandom >"$work/$file"; done
right() { get "/$1/$2" | cmp -s - "$work/$2" || fail "$3: /$1/$2 is not what was written"; }
broken() {
    equal "$(get "/$1/$2" -o "$work/back" -w '%{http_code}')" 500 "$3: /$1/$2"
    equal "$(cat "$work/back")" "I/O error" "$3: /$1/$2"
}
others() { right one c "$1"; right $other victim "$1"; equal "$(get /counter/peek)" 1 "$1: the counter"; }

check start --workers 2
push one files-c
push $other files-c
push counter counter-c
push steps steps
get /counter/ >/dev/null
head -c 20000 "$work/a" >"$work/a.begin" # what is appended to it later changes the same record
tail -c +20001 "$work/a" >"$work/a.rest"
equal "$(put /one/a "$work/a.begin")" 200
check stop
cp -r "$work/data" "$work/old"
check start --workers 2
equal "$(status "/one/a?append" --data-binary "@$work/a.rest")" 200
for file in b c; do equal "$(put "/one/$file" "$work/$file")" 200; done
equal "$(put /$other/victim "$work/victim")" 200
check stop
cp -r "$work/data" "$work/good"
again() { rm -rf "$work/data"; cp -r "$work/good" "$work/data"; }

# lie WHAT VERB ...: to a server that has read no file yet
lie() {
    local what=$1
    shift
    check start --workers 2 --request-timeout 3600000
    : >"$work/run"
    get /steps/run -N >"$work/run" &
    client=$!
    await "the first steps of another app" lines "$work/run" 3
    "$tool" "$work/data" "$@"
    for file in a b; do
        case " $expected " in *" $file "*) broken one $file "$what" ;; *) right one $file "$what" ;; esac
    done
    for file in $expected; do broken one $file "$what, again"; done
    others "$what"
    # written anew, they are well
    for file in $expected; do equal "$(put "/one/$file" "$work/$file")" 200 "$what: writing $file anew"; done
    for file in a b; do right one $file "$what, written anew"; done
    await "$what: another step of the other app" lines "$work/run" $(($(wc -l <"$work/run") + 1))
    crash
    wait $client || true
    check start --workers 2 # the store is as it should be
    for file in a b; do right one $file "$what, after a restart"; done
    contains "$(get "/steps/check?$(grep -E '^[0-9]+ [0-9]$' "$work/run" | tail -n 1 | tr ' ' ,)")" "ok "
    others "$what, after a restart"
    crash
    again
}
a==${size[a]} b==${size[b]} # records by their size, for lmdb_tool
for where in first middle last; do expected=a lie "a bit flipped, $where" flip $a $where; done
expected=a lie "a record cut" truncate $a
expected=a lie "a record missing" delete $a
expected="a b" lie "two records swapped" swap $a $b
expected=a lie "a record in two places" copy $b $a

expected=a lie "an old record" restore $a "$work/old"

# a record that nobody wrote: nobody asks for it, and the next start says that it was there, and removes it
check start --workers 2
"$tool" "$work/data" extra $a
for file in a b; do right one $file "one record more"; done
crash
check start --workers 2
grep -q "1 that never were records are removed" "$work/server.log" || fail "one record more: no clear line"
others "one record more"
crash
again

# inodes: an app of whose files nothing can be known, and one that is none the worse. All apps' have the same size: these are taken
# from the store as it was when only one app had files.
rm -rf "$work/data"
cp -r "$work/old" "$work/data"
check start --workers 2
inodes="$("$tool" "$work/data" find 163 163) $("$tool" "$work/data" find 172 172)" # and their twins
[ "$inodes" != " " ] || fail "no record is as long as an inode"
for inode in $inodes; do "$tool" "$work/data" flip "$inode" middle; done
broken one a "no inodes"
equal "$(put /$other/victim "$work/victim")" 200 "no inodes of another app"
right $other victim "no inodes of another app"
equal "$(get /counter/peek)" 1 "no inodes of another app"
crash
again

# damaged between two runs: it is still known whose record it was
again
"$tool" "$work/data" flip $a middle
check start --workers 2
grep -q "1 of .* records are damaged" "$work/server.log" || fail "nobody says that a record is damaged"
broken one a "damaged between two runs"
right one b "beside a damaged file"
others "beside a damaged file"
equal "$(put /one/a "$work/a")" 200 "writing the damaged file anew"
crash
check start --workers 2
for file in a b; do right one $file "written anew"; done
crash

# between two runs, anything: every file is right, an error, or the server says why it does not start
count=$(again; "$tool" "$work/data" count)
refused=0 wrong=0
for round in $(seq 24); do
    again
    i=$((RANDOM % count)) j=$((RANDOM % count))
    case $((round % 6)) in
    0) change=(flip $i middle) ;;
    1) change=(delete $i) ;;
    2) change=(swap $i $j) ;;
    3) change=(copy $i $j) ;;
    4) change=(restore $a "$work/old") ;;
    5) change=(extra $i) ;;
    esac
    "$tool" "$work/data" "${change[@]}" || fail "${change[*]}"
    if start --workers 2; then
        for file in one/a one/b one/c $other/victim; do
            answer=$(get "/$file" -o "$work/back" -w '%{http_code}')
            case $answer in
            200) cmp -s "$work/back" "$work/${file#*/}" || fail "${change[*]}: other bytes in $file" ;;
            500 | 403 | 404) wrong=$((wrong + 1)) ;;
            *) fail "${change[*]}: $file: $answer" ;;
            esac
            [ "$answer" != 404 ] || grep -q damaged "$work/server.log" || fail "${change[*]}: $file is not there, and nobody says why"
        done
        crash
    else
        server=
        grep -qE "$says_what_is_damaged" "$work/server.log" || fail "${change[*]}: no clear line"
        refused=$((refused + 1))
    fi
done
echo "$refused of 24 changed stores were refused, $wrong files of the others"
