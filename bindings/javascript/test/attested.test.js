/** attestedFetch without a server: what it refuses before it connects, and what it promises of any transport. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as browser from "../src/browser.js";
import { NoAnswer, NotVerified, PolicyError, attestedFetch } from "../src/node.js";
import { VECTORS } from "./folders.js";
import { evidenceOf } from "./vector.js";

const vector = JSON.parse(readFileSync(`${VECTORS}/good-all.json`, "utf8"));
const hash = "00".repeat(32);
const mine = { format: "enclave-os-policy/1", mrenclave: [hash], instance: hash };

/** A server that takes connections and says what it is told to, or nothing. */
async function listening(t, say) {
  const seen = { connections: 0 };
  const server = createServer((socket) => {
    seen.connections++;
    socket.on("error", () => {});
    if (say !== null) socket.end(say);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { url: `https://127.0.0.1:${server.address().port}`, seen };
}

test("a policy that cannot come to verified is refused before anything is connected to", async (t) => {
  const { url, seen } = await listening(t, "");
  const nobody = { format: "enclave-os-policy/1", mrenclave: [hash] };
  await assert.rejects(attestedFetch(url, nobody), PolicyError);
  await assert.rejects(attestedFetch(url, "{"), PolicyError);
  for (const wrong of ["http://localhost", "nonsense", "https://user:word@localhost/", 1])
    await assert.rejects(attestedFetch(wrong, mine), TypeError);
  assert.equal(seen.connections, 0);
});

test("no answer is no refusal", async (t) => {
  for (const say of ["", "HTTP/1.1 200 OK\r\n\r\n", "\x15\x03\x03\x00\x02\x02\x28"]) {
    const { url } = await listening(t, say);
    await assert.rejects(attestedFetch(url, mine, { timeout: 60000 }), NoAnswer);
  }
  const { url } = await listening(t, null); // silent until the caller gives up
  await assert.rejects(attestedFetch(url, mine, { timeout: 300 }), NoAnswer);
  await assert.rejects(attestedFetch("https://127.0.0.1:1", mine), NoAnswer);
});

test("a server without a key for a browser's requests", async () => {
  const answering = (body, status) => ({ fetch: async () => new Response(body, { status }) });
  const open = (options) => browser.attestedFetch("https://localhost", mine, options);
  await assert.rejects(open(answering("", 404)), browser.NotSupported);
  for (const body of ["", "{}", "[".repeat(100), "x".repeat(100000)]) await assert.rejects(open(answering(body, 200)), NoAnswer);
  await assert.rejects(open(answering("", 503)), NoAnswer);
  await assert.rejects(open({ fetch: () => Promise.reject(new TypeError("no network")) }), NoAnswer);
});

/** Evidence of a vector, over nothing: what a transport that brings its own way of connecting looks like. */
const transportOf = (change = {}) => ({
  async open(address, judge, policy) {
    const evidence = { ...(await evidenceOf(vector, policy)), ...change };
    await judge(evidence);
    return { fetch: async (target) => ({ address: target.href }), close: async () => {} };
  },
});

test("any transport is judged by the same policy", async () => {
  const evidence = await evidenceOf(vector, await browser.readPolicy(vector.policy));
  const options = { transport: transportOf({ now: evidence.now }), collateral: async () => evidence.collateral };
  const f = await browser.attestedFetch("https://enclave.example", vector.policy, options);
  assert.equal(f.result.verdict, "verified");
  assert.equal((await f("/path?query")).address, "https://enclave.example/path?query");
  await assert.rejects(f("https://elsewhere.example/"), TypeError);
  await assert.rejects(
    browser.attestedFetch("https://enclave.example", vector.policy, { ...options, collateral: null }),
    (error) => error instanceof NotVerified && error.message.includes("collateral: none was given"),
  );
  const stranger = { ...options, transport: transportOf({ now: evidence.now, manifest: "{}" }) };
  await assert.rejects(browser.attestedFetch("https://enclave.example", vector.policy, stranger), NotVerified);
});
