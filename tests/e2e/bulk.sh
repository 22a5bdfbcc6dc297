#!/usr/bin/env bash
# The file system at size, by a guest (apps/guests/bulk.c): a large file written in order, read back whole and at random
# places, a file that is almost all holes, many files in many directories and in one, after a restart too, and quotas
# that refuse exactly at their bound. FULL=1: 1 GiB and 100,000 files instead of 128 MiB and 20,000, with figures.
. "$(dirname "$0")/lib.sh"
mib=128 files=20000 random=2000 slowest=60
[ -z "${FULL:-}" ] || mib=1024 files=100000 random=20000 slowest=200
to=(--url "$url" --admin-key "$admin" --allow-simulation)
figure() { ctl get /metrics "${to[@]}" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }
row() { printf '| %-28s | %8s | %8s | %8s |\n' "$@"; }
# task PATH [ANSWER]: ends well, within a minute
task() {
    local begin took
    begin=$(date +%s%N)
    equal "$(curl -sk --max-time 300 "$url/bulk/$1")" "${2:-ok}" "$1"
    took=$((($(date +%s%N) - begin) / 1000000))
    [ -z "${FULL:-}" ] || row "$1" $took "$(du -sm "$work/data" | cut -f1)" $(($(figure heap_pages_used) / 256))
    [ $took -lt $((slowest * 1000)) ] || fail "$1 took $took ms"
}

check start --request-timeout 300000 --workers 1
push bulk bulk
push hello hello-c
push counter counter-c
push files files-c
equal "$(get /files/small -X PUT -d small)" "done"
# innocent apps, asked again and again until $work/stop is there: the slowest answer, ms
innocent() {
    local worst=0 count=0 begin took
    rm -f "$work/stop"
    while [ -d "$work" ] && [ ! -e "$work/stop" ]; do # also when the test has failed
        for ask in hello/="Hello from C inside the enclave" files/small=small counter/=; do
            begin=$(date +%s%N)
            said=$(curl -sk --max-time 20 "$url/${ask%%=*}")
            took=$((($(date +%s%N) - begin) / 1000000))
            [ -z "${ask#*=}" ] || [ "$said" = "${ask#*=}" ] || echo "/${ask%%=*}: '$said'" >>"$work/wrong"
            [ $took -le $worst ] || worst=$took
            count=$((count + 1))
        done
        sleep 0.1
    done
    echo "$count $worst" >"$work/innocent"
}
beside() { # end of it
    touch "$work/stop"
    wait $prober
    [ ! -e "$work/wrong" ] || fail "beside it: $(head -n 3 "$work/wrong")"
    read -r count worst <"$work/innocent"
    [ "$count" -gt 30 ] && [ "$worst" -lt 5000 ] || fail "beside it: $count answers, the slowest after $worst ms"
}
innocent & prober=$!
[ -z "${FULL:-}" ] || row task ms "disk MiB" "heap MiB"
task "write?$mib"
task "check?$mib"
task "random?$random"
task sparse
task ends
task "make?$files,100"
task "list?$files,100"
task "stat?$files,100"
beside
check stop
check start --request-timeout 300000 --workers 1
innocent & prober=$!
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
beside
check stop
