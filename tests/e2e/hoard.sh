#!/usr/bin/env bash
# Apps that store without end, keys or files: each is refused when it holds as much of the enclave's memory as it leaves
# free, whatever it holds can be removed, also after a restart, and apps that need little never notice.
. "$(dirname "$0")/lib.sh"
innocent() {
    count=$((count + 1))
    equal "$(get /counter/)" $count "the counter $1"
    printf '%d' $count >"$work/small"
    equal "$(get /files/f -X PUT --data-binary "@$work/small")" "done" "a file $1"
    equal "$(get /files/f)" $count "a file $1"
}
count=0
check start --workers 2 --request-timeout 3600000
push one hoard
push two hoard
push counter counter-c
push files files-c
innocent "at first"
first=$(get /one/fill)
contains "$first" " the store is full"
second=$(get /two/fill)
contains "$second" " the store is full"
one=$((10#${first%% *})) two=$((10#${second%% *}))
[ $one -gt 100 ] && [ $one -lt 250 ] || fail "one app stored $one thousand keys of 400 bytes"
[ $two -gt $((one / 3)) ] && [ $two -lt $one ] || fail "a second app stored $two thousand, the first one $one"
innocent "beside two apps that store all they can"
heap=$(ctl get /metrics "${to[@]}" | grep -o '"heap_pages_used":[0-9]*' | cut -d: -f2)
[ "$heap" -lt $((512 * 256)) ] || fail "they take $((heap / 256)) MiB of the heap"
crash
check start --workers 2 --request-timeout 3600000
innocent "after a restart"
equal "$(get /one/fill)" "$first" "the same keys once more"
contains "$(get "/one/clear?20")" "000020 "
contains "$(get /one/set)" "000000 "
innocent "afterwards"
check stop
