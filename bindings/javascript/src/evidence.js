/**
 * A quote, whatever it came in: what it is, who vouches for it, what it says, and what it binds: a certificate's key, or
 * (fresh) a challenge and this very connection.
 */
import { checkCollateral } from "./appraisal.js";
import { concat, equal, hex, readBase64url, sha512, utf8 } from "./bytes.js";
import { checkChain, checkQuotingEnclave } from "./chain.js";
import { parseJson } from "./json.js";
import { attempt, malformed } from "./malformed.js";
import { FLAG_DEBUG, FLAG_INIT, Quote } from "./quote.js";
import { formatTime } from "./time.js";
import { Verification } from "./verification.js";

const QUOTE_SIZE_MAX = 16384;

/* ---- the enclave, against what the caller pinned ------------------------------------------------------------------ */

function checkDebug(v) {
  const { flags } = v.quote.body;
  if (!(flags & FLAG_INIT)) v.fail("debug", "the enclave was not initialised");
  else if (!(flags & FLAG_DEBUG)) v.pass("debug", "not a debug enclave");
  else if (v.claims.simulated && v.policy.allowSimulation)
    v.pass("debug", "set, as always in a simulation, which the caller allowed");
  else if (v.policy.allowDebug) v.pass("debug", "a debug enclave, which the caller allowed");
  else v.fail("debug", "a debug enclave: its host can read it");
}

function checkMrenclave(v) {
  const { mrenclaves } = v.policy;
  const text = hex(v.quote.body.mrenclave);
  if (mrenclaves.length === 0) v.skip("mrenclave", `${text} (not pinned by the caller)`);
  else if (mrenclaves.some((one) => equal(one, v.quote.body.mrenclave))) v.pass("mrenclave", text);
  else if (mrenclaves.length === 1) v.fail("mrenclave", `${text}, expected ${hex(mrenclaves[0])}`);
  else v.fail("mrenclave", `${text} is none of the ${mrenclaves.length} expected ones`);
}

function checkEnclave(v) {
  const p = v.policy;
  const { body } = v.quote;
  checkDebug(v);
  checkMrenclave(v);
  const signer = hex(body.mrsigner);
  if (!p.mrsigner) v.skip("mrsigner", `${signer} (not pinned by the caller)`);
  else if (equal(body.mrsigner, p.mrsigner)) v.pass("mrsigner", signer);
  else v.fail("mrsigner", `${signer}, expected ${hex(p.mrsigner)}`);
  if (p.prodId === null) v.skip("product id", `${body.prodId} (not pinned by the caller)`);
  else if (body.prodId === p.prodId) v.pass("product id", `${body.prodId}`);
  else v.fail("product id", `${body.prodId}, expected ${p.prodId}`);
  const words = `${body.svn}, at least ${p.minSvn} is expected`;
  if (p.minSvn === null) v.skip("security version", `${body.svn} (the caller has no minimum)`);
  else if (body.svn >= p.minSvn) v.pass("security version", words);
  else v.fail("security version", words);
}

/* ---- what ReportData binds ---------------------------------------------------------------------------------------- */

/** The certificate's only quote is that of its DICE evidence: in place of the minute it binds claims, which say it. */
function checkDiceBinding(v) {
  if (!v.dice.bindsTime) v.fail("report data", "is over claims that do not say when the certificate is valid");
  else if (!equal(v.dice.reportData, v.quote.body.reportData))
    v.fail("report data", "is not that of the claims of this certificate's evidence");
  else v.pass("report data", "binds the claims about the certificate's key and times");
}

/** There is none but what was made behind the handshake. */
function checkFreshBinding(v) {
  if (equal(v.expectedReportData, v.quote.body.reportData))
    v.pass("report data", "binds the certificate's key, a challenge behind the handshake and this connection");
  else v.fail("report data", "is not that of this certificate's key, the challenge and this connection");
}

async function checkBinding(v) {
  const { reportData } = v.quote.body;
  if (!v.leaf) {
    if (equal(v.expectedReportData, reportData)) v.pass("report data", "as the caller expects");
    else v.fail("report data", "not what the caller expects");
    return;
  }
  if (!v.claims.spkiSha256) return;
  if (v.diceIsQuote || v.isV2) {
    (v.isV2 ? checkFreshBinding : checkDiceBinding)(v);
    return;
  }
  const minute = v.leaf.notBefore >= 0 && v.leaf.notBefore !== null ? formatTime(v.leaf.notBefore).slice(0, 16) : null;
  const expected = minute && (await sha512(concat(v.claims.spkiSha256, utf8(`${minute}Z`))));
  if (expected && equal(expected, reportData))
    v.pass("report data", "binds the certificate's key and the minute of its NotBefore");
  else v.fail("report data", "is not that of this certificate's key and NotBefore");
}

function readClaims(v) {
  const { body } = v.quote;
  const { mrenclave, mrsigner, reportData, prodId, svn } = body;
  Object.assign(v.claims, { mrenclave, mrsigner, reportData, prodId, svn, debug: (body.flags & FLAG_DEBUG) !== 0 });
}

/** All that a quote is judged by; null: there is none, or more than one. @param {Verification} v */
export async function checkQuote(v, bytes) {
  const { value: quote, wrong } = await attempt(() =>
    bytes ? new Quote(bytes) : malformed("the certificate does not carry exactly one SGX quote"),
  );
  if (wrong) {
    v.fail("quote", wrong);
    return;
  }
  v.quote = quote;
  v.pass("quote", "a well-formed DCAP version 3 quote");
  readClaims(v);
  await checkChain(v);
  await checkQuotingEnclave(v);
  await checkCollateral(v);
  await checkBinding(v);
  checkEnclave(v);
}

/* ---- another one of the same enclave ------------------------------------------------------------------------------ */

/** Whether another quote, which must carry reportData, holds as the certificate's does, and is of the same enclave: null, or
 * why not. @param {Verification} v @param {string} unbound what is said if it carries something else */
export async function isAsGood(v, quote, reportData, unbound) {
  const alone = new Verification(v.policy, v);
  alone.expectedReportData = reportData;
  await checkQuote(alone, quote);
  const before = new Set(v.result.checks.filter((c) => c.outcome === "failed").map((c) => c.name));
  const failure = alone.result.checks.find((c) => c.outcome === "failed" && !before.has(c.name));
  if (failure) return `${failure.name}: ${failure.name === "report data" ? unbound : failure.reason}`;
  if (!alone.passed("report data")) return "its quote could not be judged";
  const same =
    ["mrenclave", "mrsigner"].every((name) => equal(alone.claims[name], v.claims[name])) &&
    ["svn", "prodId", "debug"].every((name) => alone.claims[name] === v.claims[name]);
  return same ? null : "it is another enclave's than the certificate's quote";
}

/* ---- behind the handshake (docs/protocol.md) ----------------------------------------------------------------------- */

/** The answer's quote. Throws Malformed. @param {Uint8Array} answer */
function readAnswer(answer) {
  const all = parseJson(answer);
  const right =
    all.member("v", "number")?.number(2) === 2n && all.member("mode", "string")?.text(15) === "challenge" &&
    all.member("tee", "string")?.text(7) === "sgx";
  const quote = right ? readBase64url(all.member("quote", "string")?.text(2 * QUOTE_SIZE_MAX) ?? "") : null;
  if (!quote || quote.length === 0 || quote.length > QUOTE_SIZE_MAX)
    malformed("it is not of version 2, mode challenge, tee sgx, with a quote");
  return quote;
}

const THIS_CONNECTION = "a quote over this key, this challenge and this connection";

/** What its ReportData must be. */
const freshReportData = (v) => sha512(concat(v.claims.spkiSha256, v.fresh.context, v.fresh.exported));

async function judgeFresh(v, quote) {
  const over = "it is not over this key, this challenge and this connection";
  const wrong = await isAsGood(v, quote, await freshReportData(v), over);
  if (wrong) v.fail("fresh evidence", wrong);
  else v.pass("fresh evidence", THIS_CONNECTION);
}

/** Of a server of version 2: the quote that it made behind the handshake is the one that all checks are about.
 * @param {Verification} v */
export async function checkOnlyFresh(v) {
  if (!v.fresh || !v.live) {
    v.fail("quote", "the certificate carries no SGX quote, and none was asked for behind a handshake");
    return;
  }
  if (!v.claims.spkiSha256) return;
  const { value: quote, wrong } = await attempt(() => readAnswer(v.fresh.answer));
  if (wrong) {
    v.fail("quote", `the certificate carries none, and the answer to the challenge: ${wrong}`);
    return;
  }
  v.expectedReportData = await freshReportData(v);
  await checkQuote(v, quote);
  if (v.passed("report data")) v.pass("fresh evidence", THIS_CONNECTION);
}

/** @param {Verification} v */
export async function checkFresh(v) {
  if (v.isV2 && v.fresh) return; // that was the quote
  if (!v.fresh) {
    v.skip("fresh evidence", "none was asked for behind the handshake");
    return;
  }
  if (!v.live || !v.claims.spkiSha256 || !v.claims.mrenclave) return; // it would prove something about nobody
  const { value: quote, wrong } = await attempt(() => readAnswer(v.fresh.answer));
  if (wrong) v.fail("fresh evidence", `the answer: ${wrong}`);
  else await judgeFresh(v, quote);
}
