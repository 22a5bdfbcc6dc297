/** The client of attested-fetch.sh: attested_fetch.mjs WHAT ARGUMENT... */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { createServer } from "node:tls";
import { NoAnswer, NotVerified, attestedFetch, collateralFrom } from "enclave-verifier";

const FILES = ["tcb-info.json", "tcb-info-chain.pem", "qe-identity.json", "qe-identity-chain.pem", "root.crl", "pck.crl"];
const folder = (path) =>
  path ? Object.fromEntries(FILES.filter((f) => existsSync(`${path}/${f}`)).map((f) => [f, readFileSync(`${path}/${f}`)])) : null;

/** The result of a first connection, whatever it is. */
async function judged(url, policy, options) {
  let result = null;
  try {
    await (await attestedFetch(url, policy, { ...options, onResult: (r) => (result = r) })).close();
  } catch (error) {
    if (!(error instanceof NotVerified)) throw error;
    assert.equal(error.result, result);
  }
  return result;
}

const outcomes = (checks) => checks.map(({ name, outcome, reason }) => [name, outcome, reason.replace(/[0-9]+ (h|min)/g, "N $1")]);

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const commands = {
  /** As enclavectl has written it down: verdict, claims and checks, their reasons included. */
  async alike(url, policyFile, theirsFile, collateralFolder) {
    const theirs = JSON.parse(readFileSync(theirsFile));
    const fresh = theirs.checks.some((c) => c.name === "fresh evidence" && c.outcome === "passed");
    const result = await judged(url, readFileSync(policyFile), {
      ...{ fresh, history: true, collateral: folder(collateralFolder), anyInstance: true },
    });
    const ours = JSON.parse(JSON.stringify(result));
    assert.equal(ours.verdict, theirs.verdict);
    const [said, expected] = [outcomes(ours.checks), outcomes(theirs.checks)];
    assert.deepEqual(said.filter((c, i) => !same(c, expected[i])), expected.filter((c, i) => !same(c, said[i])));
    for (const name of Object.keys(ours).filter((n) => !["checks", "age_seconds", "log"].includes(n)))
      assert.deepEqual(ours[name], theirs[name], name);
  },

  async fetch(url, policyFile, collateralFolder) {
    const results = [];
    const collateral = async (certificate) => {
      assert.ok(certificate instanceof Uint8Array && certificate[0] === 0x30);
      return folder(collateralFolder);
    };
    const f = await attestedFetch(url, readFileSync(policyFile), { collateral, onResult: (r) => results.push(r) });
    assert.equal(f.result.verdict, "verified");
    assert.ok(f.result.checks.some((c) => c.name === "tcb status" && c.outcome === "passed"));
    const answers = await Promise.all(Array.from({ length: 8 }, async () => (await f("/hello/")).text()));
    for (const answer of answers) assert.match(answer, /Hello from C inside the enclave/);
    assert.ok(results.length > 1 && results.every((r) => r.verified), `${results.length} connections were judged`);
    const body = "x".repeat(100000);
    const echoed = await f(new URL("/echo/", url), { method: "POST", body });
    assert.equal(echoed.status, 200);
    assert.equal(await echoed.text(), body);
    assert.equal((await f("/nobody/")).status, 404);
    await assert.rejects(f("https://elsewhere.example/"), TypeError);
    await assert.rejects(f("/hello/", { signal: AbortSignal.abort() }), { name: "AbortError" });
    await f.close();
    await assert.rejects(f("/hello/"));
  },

  /** One fetch over a change of the server's configuration: whoever answers then was judged, too. */
  async change(url, policyFile) {
    const f = await attestedFetch(url, readFileSync(policyFile));
    assert.equal((await f("/hello/")).status, 200);
    const before = f.result.claims.generation;
    console.log(`generation ${before}`);
    await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();
    while (f.result.claims.generation === before) await (await f("/other/")).text();
    assert.match(await (await f("/other/")).text(), /Hello from C/);
    assert.equal(f.result.claims.generation, before + 1n);
    console.log(`generation ${f.result.claims.generation}`);
    await f.close();
    process.stdin.destroy();
  },

  /** Collateral from a server of it; and none from one that has none. */
  async pccs(url, policyFile, pccs) {
    const policy = readFileSync(policyFile);
    for (const address of [pccs, `${pccs}/sgx/certification/v4/`]) {
      const result = await judged(url, policy, { collateral: collateralFrom(address) });
      assert.equal(result.claims.tcbStatus, "UpToDate");
      assert.equal(result.verdict, "verified");
    }
    for (const address of [`${pccs}/elsewhere`, "http://127.0.0.1:1"])
      await assert.rejects(attestedFetch(url, policy, { collateral: collateralFrom(address) }), NoAnswer);
    assert.equal(await collateralFrom(pccs)(new Uint8Array(100)), null);
  },

  async refused(url, policyFile, names) {
    await assert.rejects(attestedFetch(url, readFileSync(policyFile)), (error) => {
      assert.ok(error instanceof NotVerified, error.stack);
      assert.equal(error.result.failed.map((c) => c.name).join(", "), names);
      return true;
    });
  },

  /** Somebody's instance of the program: taken only by who says so. */
  async genuine(url, policyFile) {
    const { format, mrenclave, allow_simulation } = JSON.parse(readFileSync(policyFile));
    const policy = { format, mrenclave, allow_simulation };
    const f = await attestedFetch(url, policy, { anyInstance: true });
    assert.equal(f.result.verdict, "genuine");
    assert.equal((await f("/hello/")).status, 200);
    await f.close();
  },

  /** Who has stolen a quote, but not its key; and servers that answer what is none. */
  async hostile(policyFile, key, cert) {
    const policy = readFileSync(policyFile);
    const listen = async (answer) => {
      const asked = [];
      const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
        socket.on("error", () => {});
        socket.on("data", (data) => {
          asked.push(data.toString("latin1").split("\r\n")[0]);
          answer(socket);
        });
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      return { server, asked, url: `https://127.0.0.1:${server.address().port}` };
    };
    const page = (text, length = text.length) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${text}`;
    const endless = (socket) => {
      const more = () => socket.destroyed || socket.write("x".repeat(65536), () => setImmediate(more));
      socket.write("HTTP/1.1 200 OK\r\n");
      more();
    };
    const refused = [
      (socket) => socket.write(page("{}")),
      (socket) => socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
      (socket) => socket.write(page("x", 99999999)),
      (socket) => socket.write(page("[".repeat(1000))),
      (socket) => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
      (socket) => socket.write(`${page("{}")}${page("{}")}`),
      (socket) => socket.write("SSH-2.0-nobody\r\n\r\n"),
      endless,
    ];
    const silent = [(socket) => socket.write(page("{", 100)), (socket) => socket.destroy(), () => {}];
    for (const answer of refused) {
      const { server, asked, url } = await listen(answer);
      await assert.rejects(attestedFetch(url, policy), (error) => {
        assert.ok(error instanceof NotVerified, `${answer}: ${error.stack}`);
        const failed = error.result.failed.map((c) => c.name);
        for (const name of ["certificate issuer", "report data"]) assert.ok(failed.includes(name), `${answer}: ${failed}`);
        return true;
      });
      assert.deepEqual([...new Set(asked)], ["GET /_enclave/manifest HTTP/1.1"]);
      server.close();
    }
    for (const answer of silent) {
      const { server, url } = await listen(answer);
      await assert.rejects(attestedFetch(url, policy, { timeout: 2000 }), NoAnswer);
      server.close();
    }
    process.exitCode = 0;
    setImmediate(() => process.exit()); // connections of silent servers may be half open
  },
};

const [what, ...rest] = process.argv.slice(2);
await commands[what](...rest);
