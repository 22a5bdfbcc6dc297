#!/usr/bin/env bash
# Measures this server beside nginx and `wasmtime serve`, by turns in one run, and writes docs/benchmarks.md.
# Called by ./dev bench, which has built everything. Everything runs on loopback and ends by itself.
#   ROUNDS (5), REQUESTS per round (20000), HANDSHAKES per round (1500), IDLE connections (1000) make it shorter.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
out=${OUT:-docs/benchmarks.md}
rounds=${ROUNDS:-5}
requests=${REQUESTS:-20000}
handshakes=${HANDSHAKES:-1500}
idle=${IDLE:-1000}
cache=${ENCLAVE_OS_CACHE:-$HOME/.cache/enclave-os}
wasmtime_version=48.0.8
wasmtime_root=$cache/bench-wasmtime-$wasmtime_version
wasmtime=$wasmtime_root/bin/wasmtime

work=$(mktemp -d)
pids=()
cleanup() {
    local pid
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'bench: %s\n' "$*" >&2; exit 1; }

base=$((20000 + RANDOM % 12000)) # below the ephemeral ports: one in TIME_WAIT would be in a listener's way
port=$base static_port=$((base + 1)) proxy_port=$((base + 2)) wasmtime_port=$((base + 3)) boot_port=$((base + 4))
other_port=$((base + 5)) chain_port=$((base + 6))

# ---- what it needs -------------------------------------------------------------------------------------------------

# wasmtime's own server, with the features that its `serve` uses; about ten minutes on two cores, once.
need_wasmtime() {
    [ -x "$wasmtime" ] && return
    command -v cargo >/dev/null || return 1
    say "building wasmtime $wasmtime_version for comparison (once; log in $cache/bench-wasmtime.log)"
    mkdir -p "$cache"
    CARGO_TARGET_DIR=$cache/bench-wasmtime-target nice -n 19 cargo install wasmtime-cli --version "$wasmtime_version" \
        --locked --root "$wasmtime_root" --no-default-features \
        --features run,serve,component-model,component-model-async,cranelift,pooling-allocator,parallel-compilation \
        >"$cache/bench-wasmtime.log" 2>&1 && rm -rf "$cache/bench-wasmtime-target"
}

make_client() {
    client=$work/client
    cc -std=gnu17 -O2 -o "$client" bench/client.c -lssl -lcrypto
}

# ---- the servers ---------------------------------------------------------------------------------------------------

wait_for_port() {
    local try
    for try in $(seq 500); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.02
    done
    die "nothing listens on port $1"
}

enclavectl() { "$build/bin/enclavectl" "$@"; }

# server_command NAME PORT [option ...]: sets `command`; each name has a store of its own
server_command() {
    command=("$build/bin/enclave-os" serve --image "$build/enclave_os.signed" --listen "127.0.0.1:$2"
             --data "$work/$1" --sim-dir "$work/sim" --admin-key "$work/admin.pub" "${@:3}")
}

start_server() {
    server_command "$@"
    "${command[@]}" >"$work/$1.log" 2>&1 &
    server=$!
    pids+=("$server")
    wait_for_port "$2"
}

stop_server() {
    kill -TERM "$1"
    wait "$1" || true
}

push() { # PORT NAME FILE
    enclavectl app push "$2" "$build/apps/$3.wasm" --url "https://127.0.0.1:$1" --admin-key "$work/admin" \
        --allow-simulation --any-instance >/dev/null
}

# A leaf with an extension as long as a quote, and its CA: what a client of this server has to read, for nginx.
make_chain() {
    local octets
    octets=$(head -c 4600 /dev/zero | od -An -v -tx1 | tr -d '\n' | sed 's/^ //; s/ /:/g')
    echo "1.2.840.113741.1.13.1.0=DER:04:82:11:F8:$octets" >"$work/nginx/extensions"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout "$work/nginx/ca-key" \
        -out "$work/nginx/ca" 2>/dev/null
    openssl req -new -key "$work/nginx/key" -subj /CN=localhost 2>/dev/null |
        openssl x509 -req -CA "$work/nginx/ca" -CAkey "$work/nginx/ca-key" -CAcreateserial -days 2 \
            -extfile "$work/nginx/extensions" -out "$work/nginx/leaf" 2>/dev/null
    cat "$work/nginx/leaf" "$work/nginx/ca" >"$work/nginx/chain"
}

start_nginx() {
    mkdir -p "$work/nginx"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -keyout "$work/nginx/key" -out "$work/nginx/certificate" 2>/dev/null
    make_chain
    cat >"$work/nginx/nginx.conf" <<CONF
daemon off;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
worker_processes auto;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    ssl_certificate $work/nginx/certificate;
    ssl_certificate_key $work/nginx/key;
    ssl_protocols TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    upstream wasmtime { server 127.0.0.1:$wasmtime_port; keepalive 64; keepalive_requests 100000000; }
    server {
        listen 127.0.0.1:$static_port ssl reuseport backlog=4096;
        location / { default_type text/plain; return 200 "Hello from C.\n"; }
    }
    server {
        listen 127.0.0.1:$chain_port ssl reuseport backlog=4096;
        ssl_certificate $work/nginx/chain;
        ssl_certificate_key $work/nginx/key;
        location / { return 200 "Hello.\n"; }
    }
    server {
        listen 127.0.0.1:$proxy_port ssl reuseport backlog=4096;
        location / { proxy_pass http://wasmtime; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
CONF
    nginx -c "$work/nginx/nginx.conf" 2>"$work/nginx/start.log" &
    pids+=($!)
    wait_for_port "$static_port"
}

start_wasmtime() {
    "$wasmtime" serve --addr "127.0.0.1:$wasmtime_port" -W component-model=y -O pooling-allocator=y "$build/apps/hello-c.wasm" \
        >"$work/wasmtime.log" 2>&1 &
    pids+=($!)
    wait_for_port "$wasmtime_port"
}

# ---- figures -------------------------------------------------------------------------------------------------------

declare -A samples

sample() { samples[$1]+="$2 "; } # NAME VALUE
median() {
    tr ' ' '\n' <<<"${samples[$1]:-}" | grep . | sort -g | awk '{v[NR] = $1} END {print NR ? v[int((NR + 1) / 2)] : "-"}'
}

# load NAME URL COUNT: requests/s into NAME
load() {
    local text rate
    text=$(h2load --h1 -c 32 -t 1 -n "$3" "$2" 2>&1) || die "h2load $2: $text"
    rate=$(awk '/^finished in/ {print $4}' <<<"$text")
    grep -q "requests:.* $3 succeeded" <<<"$text" || die "not every request to $2 succeeded: $(grep requests: <<<"$text")"
    sample "$1" "$rate"
}

# latency NAME URL COUNT: p99 in milliseconds into NAME; the log makes the client slower, so it has a run of its own
latency() {
    rm -f "$work/latency"
    h2load --h1 -c 32 -t 1 -n "$3" --log-file="$work/latency" "$2" >/dev/null 2>&1
    sample "$1" "$(cut -f3 "$work/latency" | sort -n | awk '{v[NR] = $1} END {printf "%.2f\n", v[int(NR * 0.99)] / 1000}')"
}

# counters FILE PID: what the emulator has counted so far, as "exits syscalls"
counters() {
    local before after
    before=$(grep -c '^counters:' "$1" || true)
    kill -USR1 "$2"
    for _ in $(seq 200); do
        after=$(grep -c '^counters:' "$1" || true)
        [ "$after" -gt "$before" ] && break
        sleep 0.01
    done
    grep '^counters:' "$1" | tail -n 1 | awk '{print $5 + $9, $11}'
}

# exits NAME URL COUNT LOG PID: exits and system calls per request into NAME and NAME-syscalls
exits() {
    local e0 s0 e1 s1
    read -r e0 s0 < <(counters "$4" "$5")
    h2load --h1 -c 32 -t 1 -n "$3" "$2" >/dev/null 2>&1
    read -r e1 s1 < <(counters "$4" "$5")
    sample "$1" "$(awk "BEGIN {printf \"%.5f\", ($e1 - $e0) / $3}")"
    sample "$1-syscalls" "$(awk "BEGIN {printf \"%.5f\", ($s1 - $s0) / $3}")"
}

rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }

measure_requests() {
    local round
    for round in $(seq "$rounds"); do
        say "requests, round $round of $rounds"
        load hello "https://127.0.0.1:$port/hello/" "$requests"
        [ -z "$compare" ] || load wasmtime "http://127.0.0.1:$wasmtime_port/" $((requests / 2))
        load static "https://127.0.0.1:$static_port/" $((requests * 2))
        [ -z "$compare" ] || load proxy "https://127.0.0.1:$proxy_port/" $((requests / 2))
        load other "https://127.0.0.1:$other_port/hello/" "$requests"
        load counter "https://127.0.0.1:$port/counter/" $((requests / 10))
        exits exits "https://127.0.0.1:$port/hello/" $((requests * 3)) "$work/main.log" "$server_pid"
        exits exits-kv "https://127.0.0.1:$port/counter/" $((requests / 10)) "$work/main.log" "$server_pid"
        exits exits-other "https://127.0.0.1:$other_port/hello/" "$requests" "$work/other.log" "$other_pid"
        latency hello-p99 "https://127.0.0.1:$port/hello/" "$requests"
        [ -z "$compare" ] || latency wasmtime-p99 "http://127.0.0.1:$wasmtime_port/" $((requests / 2))
        [ -z "$compare" ] || latency proxy-p99 "https://127.0.0.1:$proxy_port/" $((requests / 2))
        latency static-p99 "https://127.0.0.1:$static_port/" "$requests"
        latency other-p99 "https://127.0.0.1:$other_port/hello/" "$requests"
        latency counter-p99 "https://127.0.0.1:$port/counter/" $((requests / 10))
    done
}

measure_handshakes() {
    local round
    for round in $(seq "$rounds"); do
        say "handshakes, round $round of $rounds"
        sample shakes "$("$client" handshakes "$port" "$handshakes" 16)"
        sample shakes-other "$("$client" handshakes "$other_port" "$handshakes" 16)"
        sample shakes-nginx "$("$client" handshakes "$static_port" "$handshakes" 16)"
        sample shakes-chain "$("$client" handshakes "$chain_port" "$handshakes" 16)"
    done
}

measure_idle() {
    local before after hold
    say "$idle idle connections"
    before=$(rss_kib "$server_pid")
    mkfifo "$work/hold"
    "$client" idle "$port" /hello/ "$idle" <"$work/hold" >"$work/idle.out" &
    hold=$!
    exec 9>"$work/hold"
    for _ in $(seq 600); do
        grep -q open "$work/idle.out" && break
        kill -0 $hold 2>/dev/null || die "the idle connections could not be opened"
        sleep 0.1
    done
    sleep 0.5
    after=$(rss_kib "$server_pid")
    exec 9>&-
    wait $hold
    sample idle "$(awk "BEGIN {printf \"%.1f\", ($after - $before) / $idle}")"
    sample rss "$((before / 1024))"
}

boot() { # NAME PATH
    local ms
    ms=$("$client" boot "$boot_port" "$2" "${command[@]}" 2>"$work/boot.log") || die "boot: $(cat "$work/boot.log")"
    sample "$1" "$ms"
}

measure_boot() {
    local round
    for round in $(seq "$rounds"); do
        say "boot, round $round of $rounds"
        rm -rf "$work/cold"
        server_command cold "$boot_port"
        boot boot-cold /healthz
        server_command main "$boot_port" # by now the main server is stopped; its store holds the apps
        boot boot-warm /hello/
    done
}

# ---- the page ------------------------------------------------------------------------------------------------------

ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN {if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else print "-"}'; }
verdict() { # VALUE OPERATOR TARGET
    awk -v v="$1" -v t="$3" "BEGIN {if (v == \"-\") print \"not measured\"; else print (v + 0 $2 t + 0) ? \"**met**\" : \"**missed**\"}"
}
row() { # LABEL NAME
    printf '| %s | %s | %s | %s |\n' "$1" "$(median "$2")" "$(ratio "$2" wasmtime)" "$(median "$2-p99")"
}

write_page() {
    local page=$work/page
    {
        cat <<PAGE
# Benchmarks

Written by \`./dev bench\` ($rounds rounds, medians). Do not edit: run it again.

- date: $(date -u +%Y-%m-%d), revision $(git rev-parse --short HEAD)
- machine: $(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo), $(nproc) cores, Linux $(uname -r | cut -d- -f1), load average before the run $load_before
- client: h2load, HTTP/1.1 keep-alive, 32 connections, 1 thread, on the same cores; so only the ratios mean something
- this server runs on the emulator ($workers), nginx $(nginx -v 2>&1 | sed 's,.*/,,') with a process for each core, wasmtime $([ -n "$compare" ] && "$wasmtime" --version | awk '{print $2}' || echo "absent")

## Requests

| server | requests/s | against \`wasmtime serve\` | p99, ms |
| --- | ---: | ---: | ---: |
$(row "this server, C hello, HTTPS" hello)
$(row "this server, $other_workers, C hello, HTTPS" other)
$(row "\`wasmtime serve\`, the same component, plain HTTP" wasmtime)
$(row "nginx TLS 1.3 in front of \`wasmtime serve\`" proxy)
$(row "nginx TLS 1.3, P-256, a fixed answer" static)
$(row "this server, C counter (each request a synced commit), HTTPS" counter)

## Handshakes

Full TLS 1.3 handshakes, X25519 and ECDSA P-256, nothing resumed, 16 at a time; the client is the larger part of the work.
This server sends a leaf with a quote of about 5 KB, and its CA. Reading them costs the client more than one small
certificate does, so nginx is measured with a chain of the same shape as well.

| server | handshakes/s | against nginx | against nginx, same chain |
| --- | ---: | ---: | ---: |
| this server | $(median shakes) | $(ratio shakes shakes-nginx) | $(ratio shakes shakes-chain) |
| this server, $other_workers | $(median shakes-other) | $(ratio shakes-other shakes-nginx) | $(ratio shakes-other shakes-chain) |
| nginx, one small certificate | $(median shakes-nginx) | 1.00 | $(ratio shakes-nginx shakes-chain) |
| nginx, a chain of the same shape | $(median shakes-chain) | $(ratio shakes-chain shakes-nginx) | 1.00 |

## The boundary

Exits are every EEXIT and AEX that the emulator saw, the clock's and those for opening the 32 connections among them.

| | per request |
| --- | ---: |
| enclave exits, hello | $(median exits) |
| enclave exits, hello, $other_workers | $(median exits-other) |
| system calls inside, hello | $(median exits-syscalls) |
| enclave exits, counter | $(median exits-kv) |
| system calls inside, counter | $(median exits-kv-syscalls) |

Rings (\`queue_bench\`):

\`\`\`text
$(cat "$work/queue")
\`\`\`

## Boot and memory

| | |
| --- | ---: |
| process start to the first byte of an answer, empty store, ms | $(median boot-cold) |
| process start to the first byte of an app's answer, store with two apps, ms | $(median boot-warm) |
| resident memory after the load above, MiB | $(median rss) |
| growth for each of $idle idle TLS connections that made one request, KiB | $(median idle) |

## Targets

| target | measured | |
| --- | ---: | --- |
| requests/s of hello at least 2 x \`wasmtime serve\` | $(ratio hello wasmtime) x | $(verdict "$(ratio hello wasmtime)" '>=' 2) |
| exits per request under load below 0.01 | $(median exits) | $(verdict "$(median exits)" '<' 0.01) |
| system calls inside per request below 0.01 | $(median exits-syscalls) | $(verdict "$(median exits-syscalls)" '<' 0.01) |
| first byte from a warm store below 1 s | $(median boot-warm) ms | $(verdict "$(median boot-warm)" '<' 1000) |
| idle connection below 40 KiB | $(median idle) KiB | $(verdict "$(median idle)" '<' 40) |
PAGE
    } >"$page"
    mkdir -p "$(dirname "$out")"
    cp "$page" "$out"
    cat "$page"
}

# ---- the run -------------------------------------------------------------------------------------------------------

compare=
if need_wasmtime; then
    compare=yes
else
    say "no wasmtime to compare with: it is not built and cannot be (see $cache/bench-wasmtime.log); going on without"
fi
make_client
load_before=$(cut -d' ' -f1 /proc/loadavg)
enclavectl keygen "$work/admin" >/dev/null

start_server main "$port"
server_pid=$server
workers=$(sed -n 's/^listen:.*, \([0-9]* workers\?\)$/\1/p' "$work/main.log")
case $workers in "1 worker") other_workers="2 workers" ;; *) other_workers="1 worker" ;; esac
start_server other "$other_port" --workers "${other_workers%% *}"
other_pid=$server
push "$port" hello hello-c
push "$port" counter counter-c
push "$other_port" hello hello-c
[ -z "$compare" ] || start_wasmtime
start_nginx

say "rings"
"$build/bin/queue_bench" | tee "$work/queue" >&2
measure_requests
measure_handshakes
measure_idle
stop_server "$server_pid"
stop_server "$other_pid"
measure_boot
write_page
say "written to $out"
