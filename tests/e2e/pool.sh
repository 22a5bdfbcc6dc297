#!/usr/bin/env bash
# A client that holds a certificate and keeps a pool of connections is never asked for it: not in a handshake, and not later on
# a connection that is used again. Where certificates are requested, it is asked once for each connection, by names, and is
# served whatever it shows. Python's urllib3, from Debian, as services have it.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import urllib3' 2>/dev/null || { echo "python3-urllib3 is not installed"; exit 77; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/person.key" -out "$work/person.pem" \
    -days 2 -subj "/CN=A service" 2>/dev/null
cat >"$work/pool.py" <<'P'
import collections, ssl, sys, threading
import urllib3
work, port, requests, threads = sys.argv[1], int(sys.argv[2]), 400, 8
context = ssl.create_default_context(cafile=work + "/ca.pem")
context.load_cert_chain(work + "/person.pem", work + "/person.key")
context.post_handshake_auth = True  # it would answer later, too
seen = collections.Counter()
lock = threading.Lock()
def message(connection, direction, version, content, kind, data):
    with lock:
        seen[getattr(kind, "name", str(kind)), direction] += 1
context._msg_callback = message
pool = urllib3.HTTPSConnectionPool("localhost", port, maxsize=threads, block=True, ssl_context=context, retries=False)
answers = collections.Counter()
def work_on():
    for _ in range(requests // threads):
        answer = pool.request("GET", "/echo/client")
        with lock:
            answers[answer.status, answer.data.decode().strip()] += 1
workers = [threading.Thread(target=work_on) for _ in range(threads)]
for w in workers: w.start()
for w in workers: w.join()
connections, asked = seen["SERVER_HELLO", "read"], seen["CERTIFICATE_REQUEST", "read"]
assert 1 <= connections <= threads, "the pool is none: %d connections" % connections
print(dict(answers), "asked on %s" % ("every connection" if asked == connections else asked))
P
pooled() { $python "$work/pool.py" "$work" "$port" 2>&1; }
everybody="{(200, 'nobody'): 400}"
check start --workers 2
push echo echo
ctl ca "https://localhost:$port" --out "$work/ca.pem" --allow-simulation --any-instance >/dev/null || fail "no CA"
equal "$(pooled)" "$everybody asked on 0"
echo '{"peers": "request"}' >"$work/settings.json"
ctl app settings echo "$work/settings.json" "${to[@]}" >/dev/null
equal "$(pooled)" "$everybody asked on every connection" "while an app wants to know its peers"
check stop
check start --workers 2 --request-client-certificates
equal "$(pooled)" "$everybody asked on every connection" "by the operator's option"
check stop
