/** A verification from beginning to end: the certificate, the quote in it, who vouches for the quote, what it says. */
import { DOCUMENTS } from "./appraisal.js";
import { asBytes, utf8 } from "./bytes.js";
import { checkCertificate, isV2 } from "./certificate.js";
import { checkConfiguration } from "./configuration.js";
import { checkDice, readDice } from "./dice.js";
import { checkFresh, checkOnlyFresh, checkQuote } from "./evidence.js";
import { DOCUMENT_SIZE_MAX } from "./json.js";
import { attempt, malformed } from "./malformed.js";
import { OID_QUOTE } from "./oids.js";
import { Verification } from "./verification.js";
import { Certificate } from "./x509.js";


/** What a caller has done wrong; never what a server shows. */
function need(right, words) {
  if (!right) throw new TypeError(`verify: ${words}`);
}

function collateralOf(given) {
  if (given === undefined || given === null) return null;
  need(typeof given === "object", "collateral is an object or a Map from file names to bytes");
  const entries = given instanceof Map ? [...given] : Object.entries(given);
  const documents = new Map();
  for (const [name, value] of entries) {
    need(Object.hasOwn(DOCUMENTS, name), `there is no document called ${name}`);
    const bytes = typeof value === "string" ? utf8(value) : asBytes(value);
    need(bytes, `${name}: expected bytes`);
    documents.set(name, bytes);
  }
  return documents;
}

function freshOf(given) {
  if (given === undefined || given === null) return null;
  const fresh = {
    answer: typeof given.answer === "string" ? utf8(given.answer) : asBytes(given.answer),
    context: asBytes(given.context),
    exported: asBytes(given.exported),
  };
  need(fresh.answer && fresh.context?.length === 32 && fresh.exported?.length === 32, "fresh: an answer, and twice 32 bytes");
  return fresh;
}

function begin(policy, evidence) {
  need(policy && Array.isArray(policy.mrenclaves), "the policy is what readPolicy gives");
  const { now = Math.floor(Date.now() / 1000), live = false, manifest } = evidence;
  need(Number.isInteger(now), "now is in whole seconds");
  const v = new Verification(policy, { now, live: live === true, collateral: collateralOf(evidence.collateral) });
  v.result.ofCertificate = true;
  if (manifest !== undefined && manifest !== null) {
    v.manifestText = typeof manifest === "string" ? utf8(manifest) : asBytes(manifest);
    need(v.manifestText, "manifest: expected a text, or its bytes");
  }
  v.log = evidence.log ?? null;
  v.fresh = freshOf(evidence.fresh);
  return v;
}

/**
 * Judges a certificate (DER), with what else was shown, by a policy. Whatever a server may have made of the bytes, there
 * is a result: nothing in them makes this throw, or go on for long.
 *
 * @param {import("./policy.js").Policy} policy
 * @param {{
 *   certificate: Uint8Array | ArrayBuffer,
 *   manifest?: string | Uint8Array | null,
 *   collateral?: Record<string, Uint8Array | string> | Map<string, Uint8Array> | null,
 *   log?: import("./log.js").LogView | null,
 *   fresh?: {answer: string | Uint8Array, context: Uint8Array, exported: Uint8Array} | null,
 *   live?: boolean,
 *   now?: number,
 * }} evidence live: the peer has shown in a handshake of its own that it has the certificate's key. now: seconds since 1970
 * @returns {Promise<import("./result.js").Result>}
 */
export async function verify(policy, evidence) {
  const der = asBytes(evidence.certificate);
  need(der, "certificate: expected DER");
  const v = begin(policy, evidence);
  const read = () => (der.length <= DOCUMENT_SIZE_MAX ? new Certificate(der) : malformed("too large"));
  const { value: leaf } = await attempt(read);
  if (!leaf) {
    v.fail("certificate", "not one certificate in DER");
    return v.result;
  }
  v.leaf = leaf;
  const { count, value } = leaf.extension(OID_QUOTE);
  v.isV2 = isV2(leaf);
  await readDice(v);
  v.diceIsQuote = count === 0 && v.dice !== null && !v.dice.wrong;
  await checkCertificate(v);
  if (v.isV2) await checkOnlyFresh(v);
  else await checkQuote(v, v.diceIsQuote ? v.dice.quote : value);
  await checkDice(v);
  await checkFresh(v);
  await checkConfiguration(v);
  return v.result;
}
