#!/usr/bin/env bash
# ./dev bench at tiny sizes, without wasmtime and the slow languages: whether each part measures what the page is made of,
# not how fast anything is. It serves hello-c, echo and counter-c. Then what is done with figures, on figures that are known.
set -euo pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
python3 "$SOURCE/bench/bench.py" --short --out "$out/page.md"

# measured LABEL COUNT: so many rows that begin so, and have no gap but those of `wasmtime serve`
measured() { [ "$(grep -cE "^\| $1" "$out/page.md")" -eq "$2" ] || fail "$2 rows of $1: $(cat "$out/page.md")"; }
measured 'C, clang \| 0\.0625 \| [0-9]' 1
measured 'this server, C hello \| [0-9]' 1
measured 'this server with two workers, C hello \| [0-9]' 1
measured 'this server, C counter: each request a synced commit \| [0-9]' 1
measured 'nginx, TLS 1\.3, a fixed answer \| [0-9]' 1
measured 'this server \| X25519(MLKEM768)? \| [0-9]' 2
measured 'nginx, (one small certificate|a chain of the same shape) \| X25519 \| [0-9]' 2
measured '1 MiB \| [0-9]' 1
measured '(1|10) \| [0-9.]+ \([0-9]' 3 # connections, and one app
measured '3 \| [0-9]' 1
measured 'C (hello|counter) \| [0-9]+\.[0-9]{5} \| 0\.00000' 2
# Of several workers one may find malloc's memory taken by another, and has more made, once: of a thousand requests that shows.
measured 'C hello, two workers \| [0-9]+\.[0-9]{5} \| 0\.0[0-9]{4}' 1
measured 'idle with .*spinning included \| [0-9]' 2
measured 'process start .* \| [0-9]' 2
! command -v gnuplot >/dev/null || python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$out/page.svg"

python3 "$SOURCE/tests/bench_figures.py"
