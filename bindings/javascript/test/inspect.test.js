/** What inspect makes of servers that show nothing, or nonsense: a step fails and says why, and nothing throws or is asked on. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { base64url } from "../src/bytes.js";
import { STEPS, inspect } from "../src/inspect.js";
import { readPolicy } from "../src/policy.js";
import { VECTORS } from "./folders.js";

const good = readdirSync(VECTORS).find((name) => name.startsWith("good-"));
const certificate = base64url(Buffer.from(JSON.parse(readFileSync(`${VECTORS}/${good}`, "utf8")).certificate, "base64"));
const policy = await readPolicy('{"format": "enclave-os-policy/1"}', { anyInstance: true });
const KEYS = base64url(new Uint8Array(45));

/** What comes of a server that answers so, and which paths were asked for. */
async function ask(answer, options = {}) {
  const asked = [];
  const fetch = async (url) => {
    asked.push(new URL(url).pathname);
    return answer(new URL(url).pathname);
  };
  const found = await inspect("https://enclave.example", policy, { fetch, ...options });
  assert.deepEqual(found.steps.map(({ name }) => name), STEPS.map(([name]) => name));
  const failed = found.steps.filter(({ outcome }) => outcome === "failed");
  return { ...found, asked, failed };
}
const shown = (members = {}) =>
  JSON.stringify({ format: "enclave-os-ohttp-keys/1", certificate, keys: KEYS, signature: "MAYCAQECAQE", ...members });

test("a server that shows no key", async () => {
  for (const [status, body] of [[404, ""], [503, "later"], [200, ""], [200, "{}"], [200, shown({ format: "another/1" })],
    [200, shown({ certificate: "=" })], [200, shown({ keys: 7 })], [200, `${shown()}x`], [200, " ".repeat(1 << 20)]]) {
    const { result, manifest, asked, failed } = await ask(() => new Response(body, { status }));
    assert.equal(result, null);
    assert.equal(manifest, null);
    assert.deepEqual(asked, ["/_enclave/ohttp-keys/evidence"]);
    assert.deepEqual(failed.map(({ name }) => name), ["key configuration"]);
    assert.ok(failed[0].reason.length > 3);
  }
});

test("a server that cannot be reached", async () => {
  const { failed } = await ask(() => Promise.reject(new TypeError("fetch failed")));
  assert.match(failed[0].reason, /enclave\.example: fetch failed/);
});

test("a genuine certificate whose key has signed nothing", async () => {
  for (const sealed of [false, true]) {
    const { result, asked, failed } = await ask(() => new Response(shown()), { sealed });
    assert.deepEqual(failed.map(({ name }) => name), ["key signature"]);
    assert.deepEqual(asked, ["/_enclave/ohttp-keys/evidence"]); // nothing else of it would count
    assert.notEqual(result, null);
    assert.notEqual(result.verdict, "verified");
  }
});

test("what is no certificate", async () => {
  const { result, failed } = await ask(() => new Response(shown({ certificate: "AAAA" })));
  assert.deepEqual(failed.map(({ name }) => name), ["key signature"]);
  assert.equal(result.verdict, "refused");
});

test("steps are told as they are made", async () => {
  const told = [];
  await ask(() => new Response(shown()), { onStep: ({ name, outcome }) => told.push(`${name}: ${outcome}`) });
  assert.deepEqual(told, ["key configuration: passed", "key signature: failed"]);
});
