#!/usr/bin/env bash
# The file system at size, by a guest (apps/guests/bulk.c): a large file written in order, read back whole and at random
# places, a file that is almost all holes, many files in many directories and in one, after a restart too, and quotas
# that refuse exactly at their bound. FULL=1: 1 GiB and 100,000 files instead of 128 MiB and 20,000, with figures.
. "$(dirname "$0")/lib.sh"
mib=128 files=20000 random=2000
[ -z "${FULL:-}" ] || mib=1024 files=100000 random=20000 hang=3600
row() { printf '| %-28s | %8s | %8s | %8s |\n' "$@"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
rounds() { wc -l <"$work/rounds"; }
# task PATH [ANSWER]: ends well, and in a long one the innocent apps come to answer
task() {
    local begin took before
    begin=$(now_ms) before=$(rounds)
    equal "$(get "/bulk/$1")" "${2:-ok}" "$1"
    took=$(($(now_ms) - begin))
    [ -z "${FULL:-}" ] || row "$1" $took "$(du -sm "$work/data" | cut -f1)" $(($(metric heap_pages_used) / 256))
    [ $took -lt $((100 * alone)) ] || [ "$(rounds)" -gt "$before" ] ||
        fail "no innocent app answered during $1, which took $took ms; alone they take $alone"
    busy=$((busy + took))
}

check start --request-timeout 3600000 --workers 1
push bulk bulk
push hello hello-c
push counter counter-c
push files files-c
equal "$(get /files/small -X PUT -d small)" "done"
# innocent apps, asked again and again until $work/stop is there: a line in $work/rounds each time that all have answered
innocent() {
    local ask said
    while [ -d "$work" ] && [ ! -e "$work/stop" ]; do # also when the test has failed
        for ask in hello/="Hello from C inside the enclave" files/small=small counter/=; do
            said=$(get "/${ask%%=*}") || said="$said (curl: $?)"
            [ -z "${ask#*=}" ] || [ "$said" = "${ask#*=}" ] || echo "/${ask%%=*}: '$said'" >>"$work/wrong"
        done
        echo >>"$work/rounds"
    done
}
# beside: from here on they are asked; first alone, so that it is known how long a round takes on this machine now
beside() {
    local begin
    rm -f "$work/stop"
    : >"$work/rounds"
    innocent & prober=$!
    begin=$(now_ms)
    await "answers of innocent apps" lines "$work/rounds" 20
    alone=$((($(now_ms) - begin) / 20 + 1)) busy=0
}
# Beside one app that computes each of theirs waits for some of its turns, four per request or so; a fiftieth of the rounds that
# they make alone leaves room for a machine that is slower now than it was then.
beside_ends() {
    local made
    made=$(($(rounds) - 20))
    touch "$work/stop"
    wait $prober
    [ ! -e "$work/wrong" ] || fail "beside it: $(head -n 3 "$work/wrong")"
    echo "innocent apps: a round in $alone ms alone, $made rounds in $busy ms beside the tasks"
    [ $made -ge $((busy / alone / 50)) ] || fail "only $made rounds in $busy ms; alone they take $alone each"
}
beside
[ -z "${FULL:-}" ] || row task ms "disk MiB" "heap MiB"
task "write?$mib"
task "check?$mib"
task "random?$random"
task sparse
task ends
task "make?$files,100"
task "list?$files,100"
task "stat?$files,100"
beside_ends
check stop
check start --request-timeout 3600000 --workers 1
beside
task "list?$files,100" # loads the tree
task "stat?$files,100" # and every inode
task "rename?$files,100"
task "check?$mib"
task "remove?$files,100"
task "make?$files,1"
task "list?$files,1"
task "rename?$files,1"
task "remove?$files,1"
task "pwrite?$mib,64"
task "pread?$mib,64"
# quotas: 131,072 files and directories; 65,536 parts of 64 KiB beyond each file's first
task "fill?140000" "ok 131071 refused again"
task "chunks?70000" "ok $((65536 - (mib * 16 - 1) + 1)) refused again"
task "pread?$mib,64"
beside_ends
check stop
