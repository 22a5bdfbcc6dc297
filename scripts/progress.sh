# What the scripts that build share: the cache outside the tree, and steps that say what they do and how long that took
# the last time. Sourced; everything that it says goes to stderr.
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${ENCLAVE_OS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os}
. "$(dirname "${BASH_SOURCE[0]}")/clients.sh"

say() { # bold where somebody looks
    if [ -t 2 ]; then printf '\033[1m==> %s\033[0m\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi
}

# duration SECONDS: for people
duration() {
    if [ "$1" -lt 60 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

# Says every 15 s that a step still runs, until its standard input is closed.
remind() { # NAME EXPECTATION
    local begin=$SECONDS status=0
    while read -r -t 15 || status=$?; [ $status -gt 128 ]; do
        printf '    %s: running for %s (%s)\n' "$1" "$(duration $((SECONDS - begin)))" "$2" >&2
        status=0
    done
}

# step NAME SECONDS COMMAND...: what is done, and how long it took the last time that it had something to do (SECONDS is an
# estimate for the first time). The status is the command's.
step() {
    local name=$1 expectation="about $(duration "$2")" begin=$SECONDS status=0 took reminder
    local memory=$cache/durations/${name//[^A-Za-z0-9]/-}
    shift 2
    [ ! -f "$memory" ] || expectation="took $(duration "$(cat "$memory")") last time"
    say "$name ($expectation)"
    exec {reminder}> >(remind "$name" "$expectation")
    "$@" {reminder}>&- || status=$?
    exec {reminder}>&-
    took=$((SECONDS - begin))
    [ $status -ne 0 ] || [ $took -lt 3 ] || { mkdir -p "$cache/durations" && echo $took >"$memory"; }
    return $status
}

# locked NAME COMMAND...: what fills the cache, by one at a time
locked() {
    local name=$1
    shift
    mkdir -p "$cache"
    (
        flock -n 9 || { echo "waiting for another build that fills $cache ($name)..." >&2 && flock 9; }
        "$@" 9>&-
    ) 9>"$cache/$name.lock"
}
