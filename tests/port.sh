# free_port: a port on 127.0.0.1 that nobody uses, below the range that the kernel gives to clients. Sourced.
free_port() {
    local candidate
    while :; do
        candidate=$((10000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
    done
    echo "$candidate"
}
