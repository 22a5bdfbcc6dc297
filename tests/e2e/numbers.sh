#!/usr/bin/env bash
# Limits at the edges of what the enclave accepts, given by a host that asks nobody: it boots and serves, or says no in a
# line; it never dies of them. What is out of bounds, probe/numbers tries.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_host
seed=${SEED:-$RANDOM}
echo "SEED=$seed"
RANDOM=$seed
declare -A least=([http_max_header_bytes]=256 [http_max_headers]=1 [http_max_body_bytes]=1 [http_header_timeout_ms]=1
    [http_idle_timeout_ms]=1 [http_request_timeout_ms]=1 [http_min_rate]=1 [http_rate_grace_ms]=1 [drain_timeout_ms]=1 [app_memory_max_mib]=1
    [app_disk_max_mib]=1 [request_client_certificates]=0 [ratls]=1)
declare -A most=([http_max_header_bytes]=1048576 [http_max_headers]=4096 [http_max_body_bytes]=0x4000000000000000
    [http_header_timeout_ms]=86400000 [http_idle_timeout_ms]=86400000 [http_request_timeout_ms]=86400000
    [http_min_rate]=0x40000000 [http_rate_grace_ms]=86400000 [drain_timeout_ms]=86400000 [app_memory_max_mib]=4096 [app_disk_max_mib]=65536
    [request_client_certificates]=1 [ratls]=2)

# alive: whatever it answers, or not, to a request in time, another connection is taken
alive() { kill -0 "$server" || fail "with $lie the server is gone"; }
for round in least most mixed mixed mixed; do
    lie=
    for field in "${!least[@]}"; do
        case $round in
        least) value=${least[$field]} ;;
        most) value=${most[$field]} ;;
        *) case $((RANDOM % 3)) in 0) value=0 ;; 1) value=${least[$field]} ;; *) value=${most[$field]} ;; esac ;;
        esac
        lie+="$field=$value "
    done
    LIE_NUMBERS=$lie check start --workers 2
    for _ in 1 2 3; do curl -sk --max-time 20 "$url/healthz" >/dev/null || true; done
    alive
    [ $round != most ] || equal "$(status /healthz)" 200
    check stop
    ! grep -q "has died" "$work/server.log" || fail "with $lie the enclave died"
done
