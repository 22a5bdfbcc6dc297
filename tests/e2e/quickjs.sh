#!/usr/bin/env bash
# QuickJS (apps/programs/quickjs.c) runs scripts: recursion, JSON that is deep, much that is allocated and collected,
# files. What it prints is compared with what node prints of the same script, where there is nothing of its own in it.
. "$(dirname "$0")/lib.sh"
check start --request-timeout 600000
push quickjs quickjs
script() { get /quickjs/ --max-time 600 --data-binary @-; }

cat >"$work/script.js" <<'SCRIPT'
const depth = (n) => (n === 0 ? 0 : 1 + depth(n - 1));
print(depth(RECURSION));
const nested = "[".repeat(NESTING) + "1" + "]".repeat(NESTING);
print(JSON.stringify(JSON.parse(nested)) === nested);
const tree = (n) => (n === 0 ? { leaf: true } : { left: tree(n - 1), right: tree(n - 1), name: "node " + n });
print(JSON.stringify(tree(12)).length);
let total = 0;
for (let round = 0; round < 200; round++) {
  const list = Array.from({ length: 1000 }, (_, i) => ({ i, text: "x".repeat(i % 100) }));
  total += list.reduce((sum, { i, text }) => sum + i + text.length, 0);
}
print(total);
print([..."the quick brown fox".matchAll(/\b(\w)(\w*)/g)].map(([, a, b]) => a.toUpperCase() + b).join(" "));
print(2n ** 521n - 1n);
const sorted = Array.from({ length: 20000 }, (_, i) => (i * 7919) % 20011).sort((a, b) => a - b);
print(sorted.every((n, i) => i === 0 || sorted[i - 1] <= n), sorted.length);
SCRIPT
sed -i "s/RECURSION/${RECURSION:-300}/g; s/NESTING/${NESTING:-1000}/g" "$work/script.js" # what wasmtime's own stack holds
{ echo 'const print = console.log;'; cat "$work/script.js"; } >"$work/node.js"
node "$work/node.js" | sed 's/^\([0-9]\{100,\}\)n$/\1/' >"$work/expected"
script <"$work/script.js" >"$work/printed"
diff "$work/expected" "$work/printed" || fail "QuickJS prints something else than node"
equal "$(echo 'write("/kept", "a line"); print(read("/kept"))' | script)" "a line"
equal "$(echo 'print(read("/kept"))' | script)" "a line" "in the next request"
equal "$(echo 'throw new Error("as it was asked to")' | get /quickjs/ --data-binary @- -o /dev/null -w '%{http_code}')" 500
contains "$(cat "$work/server.log")" "as it was asked to"
equal "$(echo '(function forever() { forever(); })()' | get /quickjs/ --data-binary @- -o /dev/null -w '%{http_code}')" 500 "recursion without end"
equal "$(echo 'print(1)' | script)" 1 "afterwards"
check stop
