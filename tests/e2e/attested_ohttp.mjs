/** The client of attested-ohttp.sh: attested_ohttp.mjs WHAT ARGUMENT... */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline/promises";
import { NoAnswer, NotVerified, attestedFetch, ohttpTransport } from "enclave-verifier";

const open = (url, policyFile, options) =>
  attestedFetch(url, readFileSync(policyFile), { transport: ohttpTransport(options) });
const text = async (promise) => (await promise).text();

/** What carries bytes, and changes those of one path. */
const between = (path, change) => async (address, init) => {
  const response = await fetch(address, init);
  if (new URL(address).pathname !== path) return response;
  const { status, headers } = response;
  return new Response(await change(new Uint8Array(await response.arrayBuffer())), { status, headers });
};
const KEYS = "/_enclave/ohttp-keys/evidence";
const GATEWAY = "/_enclave/ohttp";
const json = (edit) => (bytes) => {
  const value = JSON.parse(Buffer.from(bytes));
  edit(value);
  return JSON.stringify(value);
};
const flip = (text) => {
  const bytes = Buffer.from(text, "base64url");
  bytes[bytes.length - 9] ^= 1;
  return bytes.toString("base64url");
};

const commands = {
  async fetch(url, policyFile) {
    const f = await open(url, policyFile, { history: true });
    assert.equal(f.result.verdict, "verified");
    assert.ok(f.result.checks.some((c) => c.name === "log checkpoint" && c.outcome === "passed"));
    assert.match(await text(f("/hello/")), /Hello from C inside the enclave/);
    const body = new Uint8Array(500000).map((_, i) => i * 7);
    const echo = await f("/echo/", { method: "POST", body });
    assert.deepEqual(new Uint8Array(await echo.arrayBuffer()), body);
    assert.ok(echo.headers.get("date"));
    assert.equal((await f("/nobody/")).status, 404);
    assert.equal((await f("/_enclave/apps")).status, 403);
    const head = await f("/healthz", { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const counts = await Promise.all(Array.from({ length: 5 }, () => text(f("/counter/"))));
    assert.equal(new Set(counts).size, 5);
    await assert.rejects(f("https://elsewhere.example/"), TypeError);
    const write = Date.prototype.toUTCString; // a clock that is wrong: the enclave tells the time, and is asked once more
    Date.prototype.toUTCString = () => "Thu, 01 Jan 1970 00:00:00 GMT";
    assert.equal(await text(f("/echo/", { method: "POST", body: "late" })), "late");
    Date.prototype.toUTCString = write;
    const fresh = attestedFetch(url, readFileSync(policyFile), { transport: ohttpTransport(), fresh: true });
    await assert.rejects(fresh, (error) => error instanceof NotVerified && /fresh evidence/.test(error.message));
  },

  /** Who carries it: changes the key, its signature, the certificate; answers; what is sent. */
  async hostile(url, policyFile) {
    const other = await crypto.subtle.exportKey(
      "raw", (await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"])).publicKey);
    const keyOf = (bytes) => {
      const keys = Buffer.from(bytes, "base64url");
      keys.set(new Uint8Array(other), 5);
      return keys.toString("base64url");
    };
    const refused = {
      "another key": (value) => void (value.keys = keyOf(value.keys)),
      "another signature": (value) => void (value.signature = flip(value.signature)),
      "another certificate": (value) => void (value.certificate = flip(value.certificate)),
    };
    for (const [name, edit] of Object.entries(refused))
      await assert.rejects(open(url, policyFile, { fetch: between(KEYS, json(edit)) }), NotVerified, name);
    for (const nothing of ["", "{}", "null"])
      await assert.rejects(open(url, policyFile, { fetch: between(KEYS, () => nothing) }), NoAnswer);
    let answers = [];
    let spoil = null;
    const f = await open(url, policyFile, {
      fetch: between(GATEWAY, (bytes) => {
        answers.push(bytes);
        return spoil ? spoil(bytes) : bytes;
      }),
    });
    assert.equal(f.result.verdict, "verified");
    assert.equal((await f("/hello/")).status, 200);
    const spoils = [
      () => answers[0], // of another request
      () => new Uint8Array(),
      (bytes) => bytes.subarray(0, bytes.length - 1),
      (bytes) => bytes.map((b, i) => (i === 40 ? b ^ 1 : b)),
      () => new Uint8Array(7 << 20),
    ];
    for (const one of spoils) {
      spoil = one;
      await assert.rejects(f("/hello/"), NoAnswer, String(one));
    }
    // what is sent is answered once, if it may change something
    const messages = [];
    const keeping = await open(url, policyFile, {
      fetch: async (address, init) => {
        if (init.method === "POST") messages.push(init);
        return fetch(address, init);
      },
    });
    assert.equal((await keeping("/echo/", { method: "POST", body: "once" })).status, 200);
    const { status, headers } = await fetch(new URL(GATEWAY, url), messages.at(-1));
    assert.deepEqual([status, headers.get("content-type")], [200, "message/ohttp-res"]); // 409, encrypted to whom it was from
  },

  async again(url, policyFile) {
    const f = await open(url, policyFile);
    assert.equal((await f("/hello/")).status, 200);
    console.log(1);
    await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();
    const before = f.result;
    assert.match(await text(f("/hello/")), /Hello from C/);
    assert.equal(await text(f("/echo/", { method: "POST", body: "again" })), "again");
    assert.notEqual(f.result, before);
    assert.equal(f.result.verdict, "verified");
    process.stdin.destroy();
  },

  async refused(url, policyFile) {
    await assert.rejects(open(url, policyFile), (error) => {
      assert.ok(error instanceof NotVerified, error.stack);
      assert.equal(error.result.failed.map((c) => c.name).join(", "), "certificate issuer, instance");
      return true;
    });
  },

  async browser(url, port) {
    const profile = mkdtempSync(`${tmpdir()}/chromium-`);
    const told = Promise.withResolvers?.() ?? {};
    if (!told.promise) told.promise = new Promise((resolve, reject) => Object.assign(told, { resolve, reject }));
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk)).on("end", () => {
        response.end();
        told.resolve(JSON.parse(body));
      });
    });
    await new Promise((resolve) => server.listen(Number(port), "127.0.0.1", resolve));
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"];
    const quiet = ["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"];
    // nginx's certificate is nobody's: what the page relies on is beneath it
    const args = [...options, ...quiet, "--ignore-certificate-errors", `--user-data-dir=${profile}`, url];
    const browser = spawn("chromium", args, { env: { ...process.env, HOME: profile }, stdio: "ignore" });
    browser.on("error", told.reject);
    browser.on("exit", (status) => told.reject(new Error(`chromium ended with ${status}`)));
    const { checks, ...said } = await told.promise.finally(async () => {
      browser.removeAllListeners("exit");
      const ended = new Promise((resolve) => browser.once("close", resolve));
      if (browser.exitCode === null && browser.kill("SIGKILL")) await ended;
      server.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    });
    const greeting = "Hello from C inside the enclave\n";
    assert.deepEqual(said, { verdict: "verified", greeting, echo: "from a page", nobody: 404 });
    assert.ok(checks >= 57);
  },
};

const [what, ...rest] = process.argv.slice(2);
await commands[what](...rest);
