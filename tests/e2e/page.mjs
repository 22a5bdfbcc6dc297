/**
 * The page in Chromium, as somebody who looks at it does: page.mjs SERVER CHECK-HTML FOLDER. Of FOLDER, policy.json is whose
 * the enclave is, other.json somebody else's; axe.js is what looks whether everybody can read it. What happens on the way is
 * what a browser lets its debugger do: answers are changed as somebody in between would.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const [server, file, folder] = process.argv.slice(2);

/** Chromium, over two pipes. */
class Browser {
  constructor() {
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
      "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", `--user-data-dir=${folder}/profile-steps`,
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost", "--window-size=1200,2400"];
    this.process = spawn("chromium", options, { env: { ...process.env, HOME: `${folder}/home` }, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.process.on("exit", (status) => this.closing || (console.error(`chromium ended with ${status}`), process.exit(1)));
    this.asked = new Map();
    this.next = 1;
    this.listeners = new Set();
    let rest = "";
    this.process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      messages.forEach((message) => this.#take(JSON.parse(message)));
    });
  }

  #take(message) {
    const asked = this.asked.get(message.id);
    this.asked.delete(message.id);
    if (asked) return message.error ? asked.reject(new Error(message.error.message)) : asked.resolve(message.result);
    for (const listener of this.listeners) listener(message);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.asked.set(id, { resolve, reject }));
  }

  async close() {
    this.closing = true;
    const ended = new Promise((resolve) => this.process.on("close", resolve));
    await this.send("Browser.close").catch(() => {});
    await ended;
  }
}

/** One tab. What the browser has against the page is in `wrong`. */
class Tab {
  static async open(browser) {
    const tab = new Tab();
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    Object.assign(tab, { browser, sessionId, wrong: [], change: null });
    browser.listeners.add((message) => message.sessionId === sessionId && tab.#hear(message));
    for (const domain of ["Page", "Runtime", "Log", "DOM"]) await tab.send(`${domain}.enable`);
    return tab;
  }

  send(method, params) {
    return this.browser.send(method, params, this.sessionId);
  }

  #hear({ method, params }) {
    if (method === "Runtime.exceptionThrown") this.wrong.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled") this.wrong.push(params.args.map(({ value }) => value).join(" "));
    if (method === "Log.entryAdded") this.wrong.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    if (method === "Fetch.requestPaused") void this.#paused(params);
  }

  /** Answers of this path are what change makes of their text; null: as they are. */
  async between(path, change) {
    this.change = change;
    if (change) await this.send("Fetch.enable", { patterns: [{ urlPattern: `*${path}`, requestStage: "Response" }] });
    else await this.send("Fetch.disable");
  }

  async #paused({ requestId, responseHeaders, responseStatusCode }) {
    const { body, base64Encoded } = await this.send("Fetch.getResponseBody", { requestId });
    const bytes = Buffer.from(this.change(Buffer.from(body, base64Encoded ? "base64" : "utf8")));
    const headers = responseHeaders.filter(({ name }) => name !== "content-length");
    await this.send("Fetch.fulfillRequest", { requestId, responseCode: responseStatusCode, responseHeaders: headers, body: bytes.toString("base64") });
  }

  async run(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    assert.ok(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  }

  async goto(url) {
    const loaded = new Promise((resolve) => {
      const hear = (message) => message.sessionId === this.sessionId && message.method === "Page.loadEventFired" && (this.browser.listeners.delete(hear), resolve());
      this.browser.listeners.add(hear);
    });
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** What the page has come to, once it has: {state, verdict, checks: {NAME: {outcome, reason}}}. */
  async judged() {
    await this.run(`new Promise((done) => {
      const section = document.getElementById("steps");
      const look = () => section.dataset.state && section.dataset.state !== "judging" && done();
      new MutationObserver(look).observe(section, { attributes: true });
      look();
    })`);
    return this.run(`(() => {
      const rows = [...document.querySelectorAll("[data-check]")].map((row) =>
        [row.dataset.check, { outcome: row.dataset.outcome, reason: row.lastChild.textContent }]);
      return { state: steps.dataset.state, verdict: document.getElementById("verdict").textContent, count: rows.length, checks: Object.fromEntries(rows) };
    })()`);
  }

  /** Presses the button, by the keyboard. */
  async again() {
    await this.run(`document.getElementById("judge").focus()`);
    for (const type of ["keyDown", "keyUp"])
      await this.send("Input.dispatchKeyEvent", { type, key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: type === "keyDown" ? "\r" : undefined });
    return this.judged();
  }

  async choose(id, ...files) {
    const { root } = await this.send("DOM.getDocument");
    const { nodeId } = await this.send("DOM.querySelector", { nodeId: root.nodeId, selector: `#${id}` });
    await this.send("DOM.setFileInputFiles", { nodeId, files: files.map((name) => `${folder}/${name}`) });
  }

  /** What stands in the way of somebody, in either colours. */
  async everybody(axe) {
    for (const value of ["light", "dark"]) {
      await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
      await this.run(axe);
      const found = await this.run(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
        violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`);
      assert.deepEqual(found, [], value);
    }
  }

  async picture(name) {
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    writeFileSync(`${folder}/${name}.png`, data, "base64");
  }

  isClean() {
    assert.deepEqual(this.wrong, []);
  }
}

const STEPS = ["key configuration", "key signature", "encrypted answer", "manifest shown", "history shown", "evidence made now"];
const failed = ({ checks }) => Object.keys(checks).filter((name) => checks[name].outcome === "failed");
const swap = (member) => (body) => {
  const all = JSON.parse(body);
  all[member] = (all[member][0] === "A" ? "B" : "A") + all[member].slice(1);
  return JSON.stringify(all);
};

const browser = new Browser();
process.on("exit", () => browser.process.kill("SIGKILL"));
const axe = readFileSync(`${folder}/axe.js`, "utf8");

/* ---- the enclave's own page ------------------------------------------------------------------------------------------ */

const own = await Tab.open(browser);
await own.goto(`${server}/_enclave/`);
const alone = await own.judged();
assert.equal(alone.state, "judged");
assert.equal(alone.count, STEPS.length + 58);
for (const step of STEPS) assert.equal(alone.checks[step].outcome, "passed", `${step}: ${alone.checks[step].reason}`);
assert.deepEqual(failed(alone), ["root", "debug"]); // an emulator's, which only a policy can accept
assert.match(alone.verdict, /^Refused\. root: .* It is an emulator's enclave/);
await own.choose("policy", "policy.json");
const known = await own.again();
assert.deepEqual(failed(known), []);
assert.match(known.verdict, /^Verified: all that the policy expects holds\./);
for (const name of ["instance", "mrenclave", "manifest", "log checkpoint", "dice evidence"])
  assert.equal(known.checks[name].outcome, "passed", `${name}: ${known.checks[name].reason}`);
await own.picture("page-steps");
await own.choose("policy", "other.json");
const stranger = await own.again();
assert.deepEqual(failed(stranger), ["instance"]);
assert.match(stranger.verdict, /^Refused\. instance: /);
await own.choose("policy", "nonsense.json");
const nonsense = await own.again();
assert.equal(nonsense.state, "not judged");
assert.match(nonsense.verdict, /nobody: there is no such member/);
await own.choose("policy", "policy.json");
await own.again();
await own.everybody(axe);
own.isClean();

/* ---- what somebody in between makes of it ----------------------------------------------------------------------------- */

/** The steps that fail where answers of this path are changed. */
async function tampered(tab, path, change) {
  await tab.between(path, change);
  const found = await tab.again();
  await tab.between(path, null);
  return found;
}
const keys = "/_enclave/ohttp-keys/evidence";
assert.deepEqual(failed(await tampered(own, keys, swap("signature"))), ["key signature"]);
assert.deepEqual(failed(await tampered(own, keys, (body) => body.subarray(1))), ["key configuration"]);
const bent = await tampered(own, "/_enclave/ohttp", (body) => body.fill(body.at(-1) ^ 1, body.length - 1));
assert.ok(failed(bent).includes("encrypted answer"), bent.verdict);
assert.match(bent.verdict, /^Refused\. encrypted answer: /);
assert.deepEqual(failed(await tampered(own, "/_enclave/evidence", swap("quote"))), ["evidence made now"]);
const log = await tampered(own, "/_enclave/log/checkpoint", (body) => String(body).replace(/^.*$/m, "enclave-os/other"));
assert.ok(failed(log).includes("log checkpoint"), log.verdict);
assert.deepEqual(failed(await own.again()), []);
own.isClean();

/* ---- a file of one's own, for any enclave ------------------------------------------------------------------------------ */

const local = await Tab.open(browser);
await local.goto(`file://${file}`);
local.isClean();
assert.equal(await local.run("document.querySelectorAll('[data-check]').length"), 0);
await local.run(`document.getElementById("address").value = "nowhere"`);
assert.match((await local.again()).verdict, /begins with https/);
await local.run(`document.getElementById("address").value = ${JSON.stringify(server)}`);
await local.choose("policy", "policy.json");
const outside = await local.again();
assert.equal(outside.checks["encrypted answer"].outcome, "not checked");
for (const step of STEPS.filter((name) => name !== "encrypted answer"))
  assert.equal(outside.checks[step].outcome, "passed", `${step}: ${outside.checks[step].reason}`);
assert.deepEqual(failed(outside), []);
assert.match(outside.verdict, /^Verified/);
assert.match(await local.run("document.getElementById('proven').textContent"), /app:hello/);
const other = await tampered(local, "/_enclave/manifest", (body) => String(body).replace('"app:hello"', '"app:hallo"'));
assert.ok(failed(other).includes("manifest"), other.verdict);
assert.equal(await local.run("document.getElementById('leaves')"), null); // what is not proven is not shown
await local.again();
await local.everybody(axe);
await local.picture("page-file");
local.isClean();
assert.equal(await local.run(`fetch(${JSON.stringify(`${server}/hello/`)}).then(() => "read", () => "refused")`), "refused");
assert.equal(await local.run(`fetch(${JSON.stringify(`${server}/_enclave/ohttp`)}, { method: "POST", headers: { "content-type": "message/ohttp-req" }, body: "" }).then(() => "read", () => "refused")`), "refused");

/* ---- without a script, the facts -------------------------------------------------------------------------------------- */

const plain = await Tab.open(browser);
await plain.send("Emulation.setScriptExecutionDisabled", { value: true });
await plain.goto(`${server}/_enclave/`);
const { root } = await plain.send("DOM.getDocument", { depth: -1 });
const { outerHTML } = await plain.send("DOM.getOuterHTML", { nodeId: root.nodeId });
for (const part of ["This needs JavaScript", "Who may change it", "app settings hello"]) assert.ok(outerHTML.includes(part), part);
plain.isClean();
await browser.close();
