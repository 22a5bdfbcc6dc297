/**
 * Everything that an enclave shows to everybody, asked for and judged step by step: what a page can find out, which sees no
 * certificate of its connections. The certificate is that which has signed the key for encrypted requests (docs/protocol.md).
 *
 * A page of another origin may read what proves something, and may not send encrypted requests, which could be for an app. So
 * it sees what the enclave has said of itself lately, and cannot see that nobody in between has kept that.
 */
import { base64url, concat, equal, latin1, readBase64url, sha256, sha512, utf8 } from "./bytes.js";
import { isAsGood } from "./evidence.js";
import { readKeys } from "./hpke.js";
import { DOCUMENT_SIZE_MAX, parseJson } from "./json.js";
import { Log, NoAnswer } from "./log.js";
import { attempt, malformed } from "./malformed.js";
import { EVIDENCE_SIZE_MAX, Sealed, ask, isSigned, readEvidence } from "./ohttp.js";
import { FAILED, NOT_CHECKED, PASSED } from "./result.js";
import { parseTime } from "./time.js";
import { verify } from "./verify.js";

const FRESH = 600; // seconds between the clocks
const TIMEOUT = 30000;
const FORMAT = "enclave-os-evidence/1";

/** The steps, in order, with what each is about. */
export const STEPS = Object.freeze([
  ["key configuration", "the enclave shows a key for encrypted requests, and a certificate"],
  ["key signature", "the certificate's key has signed both: they are of one enclave"],
  ["encrypted answer", "who answers here now has that key: a request was encrypted to it"],
  ["manifest shown", "all that is attested, leaf by leaf"],
  ["history shown", "the log to which can only be added, with proofs"],
  ["evidence made now", "a quote of the same enclave that it made for this check"],
]);

class Steps {
  constructor(onStep) {
    this.list = STEPS.map(([name]) => ({ name, outcome: NOT_CHECKED, reason: "not reached: what it builds on does not hold" }));
    this.onStep = onStep;
  }

  set(name, outcome, reason) {
    const step = this.list.find((one) => one.name === name);
    Object.assign(step, { outcome, reason: reason.replace(/[^ -~]/g, "?").slice(0, 511) });
    this.onStep?.(step);
  }

  /** What read gives; null: the step failed, and says why. */
  async take(name, reason, read) {
    try {
      const value = await read();
      this.set(name, PASSED, typeof reason === "function" ? reason(value) : reason);
      return value;
    } catch (error) {
      this.set(name, FAILED, String(error?.message ?? error));
      return null;
    }
  }
}

/** A page that everybody may read; null: there is none of that name. */
async function page(at, path, limit) {
  const { status, body } = await ask(at.fetch, new URL(path, at.address), { signal: at.signal }, limit);
  if (status === 404) return null;
  if (status !== 200) throw new NoAnswer(`${path}: it answers ${status}`);
  return body;
}

async function shownKey(at) {
  const body = await page(at, "/_enclave/ohttp-keys/evidence", EVIDENCE_SIZE_MAX);
  const { value, wrong } = await attempt(() => readEvidence(body ?? malformed("this server has none")));
  return value ?? Promise.reject(new Error(wrong));
}

/** The manifest, asked for under the key: only who has it can answer. */
async function sealedManifest(at, keys) {
  const sealed = new Sealed((url, init) => at.fetch(url, { ...init, signal: at.signal }), at.address,
    new URL("/_enclave/ohttp", at.address), readKeys(keys));
  return (await sealed.page("/_enclave/manifest", DOCUMENT_SIZE_MAX)) ?? malformed("it has no manifest");
}

/** {claims, quote} of the answer to a question for evidence. Throws Malformed. @param {Uint8Array} text */
function readAnswer(text) {
  const all = parseJson(text);
  if (all.member("format", "string")?.text(64) !== FORMAT || all.member("mode", "string")?.text(64) !== "deterministic")
    malformed(`not of the format ${FORMAT}, mode deterministic`);
  const claims = all.member("claims", "string")?.unescaped() ?? malformed("it has no claims");
  const quote = readBase64url(all.member("quote", "string")?.text(1 << 16) ?? "!") ?? malformed("it has no quote");
  return { claims, quote };
}

/** Whether the claims are of this instance, and of about now: null, or why not. @param {string} claims */
function judgeClaims(claims, result, now) {
  const all = parseJson(utf8(claims));
  const instance = all.member("instance", "string")?.hex(32);
  const time = parseTime(`${(all.member("time", "string")?.text(32) ?? "").replace(/Z$/, "")}:00Z`);
  if (time === null) malformed("its claims do not say when it was made");
  const known = result.claims.instance;
  if (known && (!instance || !equal(instance, known))) malformed("it is of another instance than the certificate");
  if (Math.abs(now - time) > FRESH) malformed(`it says that it was made ${Math.abs(now - time)} s from now, by the two clocks`);
  return `quoted at ${all.member("time", "string").text(32)}, in generation ${all.member("generation", "number")?.raw()}`;
}

/** Evidence for this certificate's key, made now, and judged as the certificate's quote is. */
async function evidenceOf(at, policy, result, now) {
  const leaf = result.claims.spkiSha256 ?? malformed("nothing is known of the certificate's key");
  if (!result.claims.mrenclave) malformed("the certificate has no quote that it could be compared with");
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ v: 1, mode: "deterministic", leaf: base64url(leaf) }),
    signal: at.signal,
  };
  const { status, body } = await ask(at.fetch, new URL("/_enclave/evidence", at.address), init, EVIDENCE_SIZE_MAX);
  if (status !== 200) throw new NoAnswer(`it answers ${status}: ${latin1(body.subarray(0, 200)).trim()}`);
  const { claims, quote } = readAnswer(body);
  const expected = await sha512(concat(leaf, await sha256(utf8(claims))));
  const wrong = await isAsGood({ policy, now, collateral: null, result, claims: result.claims }, quote, expected,
    "it is not over the certificate's key and its claims");
  return wrong ? malformed(wrong) : judgeClaims(claims, result, now);
}

/**
 * Asks an enclave for all that it shows, and judges it by a policy that was read.
 *
 * @param {string | URL} url the server's
 * @param {import("./policy.js").Policy} policy
 * @param {{fetch?: typeof globalThis.fetch, sealed?: boolean, collateral?: any, timeout?: number, onStep?: Function}} [options]
 *   sealed: encrypted requests can be sent, since the page is of the server's own origin
 * @returns {Promise<{steps: object[], result: import("./result.js").Result | null, manifest: Uint8Array | null}>} result: null
 *   where nothing was shown that could be judged
 */
export async function inspect(url, policy, options = {}) {
  const { fetch = (...args) => globalThis.fetch(...args), sealed = false, collateral, timeout = TIMEOUT, onStep } = options;
  const at = { fetch, address: new URL(url), signal: AbortSignal.timeout(timeout) };
  const steps = new Steps(onStep);
  const shown = await steps.take("key configuration", "a certificate and a key configuration", () => shownKey(at));
  if (!shown) return { steps: steps.list, result: null, manifest: null };
  const live = await isSigned(shown);
  steps.set("key signature", live ? PASSED : FAILED,
    live ? "signed by the certificate's key" : "not signed by the key of the certificate that is shown with it");
  let manifest = null;
  if (live && sealed)
    manifest = await steps.take("encrypted answer", "it came, encrypted to this very request", () => sealedManifest(at, shown.keys));
  else if (live)
    steps.set("encrypted answer", NOT_CHECKED, "browsers let a page of another origin send none: somebody in between may have kept what is shown");
  if (manifest) steps.set("manifest shown", PASSED, `${manifest.length} bytes, under that key`);
  else if (live && !sealed)
    manifest = await steps.take("manifest shown", (text) => `${text.length} bytes`, async () =>
      (await page(at, "/_enclave/manifest", DOCUMENT_SIZE_MAX)) ?? malformed("it has none"));
  const log = live ? await steps.take("history shown", () => "its head, with what leads there from the certificate's", async () => {
    const opened = await Log.open((path, limit) => page(at, `/_enclave/log/${path}`, limit));
    return (opened ?? malformed("it has none")).view(policy, shown.certificate);
  }) : null;
  const now = Math.floor(Date.now() / 1000);
  const result = await verify(policy, { certificate: shown.certificate, live, manifest, log, collateral, now });
  if (live) await steps.take("evidence made now", (words) => words, () => evidenceOf(at, policy, result, now));
  return { steps: steps.list, result, manifest };
}
