# What the tests of recovery share. Sourced behind lib.sh.
for name in a b c; do ctl keygen --recovery "$work/$name" >/dev/null; done
of=(--recovery-key "$work/a.pub" --recovery-key "$work/b.pub" --recovery-key "$work/c.pub" --recovery-threshold 2)
request=$work/data/recover.request
measured() { ctl measure "$1"; }
# give HOLDER OUT [option...]: what the holder does, who expects the image $IMAGE, or the one that was built
give() {
    ctl recover --request "$request" --key "$work/$1" --out "$work/$2" --allow-simulation \
        --mrenclave "$(measured "${IMAGE:-$BUILD/enclave_os.signed}")" "${@:3}"
}
shares() { for name in "$@"; do printf -- '--recover-share %s ' "$work/$name"; done; }
ends() { # WHAT STATUS PART OPTION...: a start that ends, with this status and line
    local what=$1 status=$2 part=$3 code=0
    shift 3
    ! start "$@" || fail "$what: it serves"
    wait "$server" || code=$?
    server=
    equal "$code" "$status" "$what: $(tail -n 3 "$work/server.log")"
    logged "$part" || fail "$what: no '$part' in: $(tail -n 12 "$work/server.log")"
}
