# free_port: a port on 127.0.0.1 that nobody uses, below the range that the kernel gives to clients, and that no other test
# gets while the script that asked for it lives, though nobody listens there yet (or ever). Sourced.
free_port() {
    local folder=${TMPDIR:-/tmp}/enclave-os-ports-$(id -u) candidate owner
    mkdir -p "$folder"
    (
        flock 9
        while :; do
            candidate=$((10000 + RANDOM % 20000))
            owner=$(cat "$folder/$candidate" 2>/dev/null || true)
            [ -z "$owner" ] || ! kill -0 "$owner" 2>/dev/null || continue
            (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
        done
        echo $$ >"$folder/$candidate"
        echo "$candidate"
    ) 9>"$folder/lock"
}
