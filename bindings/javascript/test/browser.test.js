/** The core in Chromium, as plain ES modules with an import map: all vectors come out as in Node. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, normalize } from "node:path";
import { test } from "node:test";
import { VECTORS } from "./folders.js";

const root = new URL("..", import.meta.url).pathname;
const names = readdirSync(VECTORS).filter((name) => name.endsWith(".json"));
const types = { ".js": "text/javascript", ".html": "text/html", ".json": "application/json" };

/** This folder and the vectors over HTTP, until the page has posted what came of it. */
function serve(t) {
  const done = Promise.withResolvers?.() ?? {};
  if (!done.promise) done.promise = new Promise((resolve, reject) => Object.assign(done, { resolve, reject }));
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    if (request.method === "POST") {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
        const value = JSON.parse(Buffer.concat(chunks));
        response.end();
        if (path === "/done") done.resolve(value);
        else done.reject(new Error(`the page: ${value}`));
      });
      return;
    }
    try {
      const vector = path.startsWith("/vectors/");
      const body =
        path === "/vectors" ? JSON.stringify(names) : readFileSync(vector ? VECTORS + path.slice(8) : root + path);
      response.setHeader("content-type", types[extname(path)] ?? "application/json").end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  t.after(() => server.close());
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve({ port: server.address().port, done: done.promise, fail: done.reject })),
  );
}

function browse(t, url, fail) {
  const profile = mkdtempSync(`${tmpdir()}/chromium-`);
  const options = [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"],
    ...["--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`],
    "--remote-debugging-port=0", // so that it stays until it is ended
  ];
  const browser = spawn("chromium", [...options, url], {
    env: { ...process.env, HOME: profile },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  browser.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2000)));
  browser.on("error", fail);
  browser.on("exit", (status) => fail(new Error(`chromium ended with ${status}: ${said}`)));
  t.after(async () => {
    browser.removeAllListeners("exit");
    const ended = new Promise((resolve) => browser.once("close", resolve));
    if (browser.exitCode === null && browser.kill("SIGKILL")) await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
}

test("Chromium judges all vectors alike", async (t) => {
  const { port, done, fail } = await serve(t);
  browse(t, `http://127.0.0.1:${port}/test/browser/index.html`, fail);
  const { results, refused, node } = await done;
  assert.equal(node, "undefined");
  assert.match(refused, /does not say whose enclave it is to be/);
  assert.deepEqual(Object.keys(results).sort(), [...names].sort());
  for (const name of names) {
    const { verdict, checks } = JSON.parse(readFileSync(`${VECTORS}/${name}`, "utf8"));
    assert.deepEqual(results[name], { verdict, checks }, name);
  }
});
